"""airbundle lock."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bundler.cli import options
from bundler.cli.console import Console


def run(
    items: options.Items = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The lock. Default: airbundle.lock beside CONFIG, or here.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; say what a new lock would have otherwise, with status 7."),
    ] = False,
    plain_http: options.PlainHttp = False,
    insecure: options.Insecure = None,
    username: options.Username = None,
    password_stdin: options.PasswordStdin = False,
    wait_for_rate_limit: options.WaitForRateLimit = False,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Resolve every image, choose tags by version, and write down what `pack --locked` then takes exactly."""
    from bundler.api.locking import check_lock, lock_path, make_lock, update_lock
    from bundler.cli.access import AccessWishes, read_access
    from bundler.cli.limits import read_limits
    from bundler.cli.locks import changes_document, show_changes
    from bundler.cli.request import Wishes, config_file, read_request
    from bundler.errors import LockRefused

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    limits = read_limits(limit)
    wishes = Wishes(None, None, None, None, None, limits)
    applications, _ = read_request(items or [], wishes)
    file = output or lock_path(config_file(items or []))
    reach = AccessWishes(plain_http, insecure, username, password_stdin, wait_for_rate_limit)
    access = read_access(console, reach, applications)
    now = make_lock(applications, access=access, limits=limits, progress=console.progress)
    changes = check_lock(file, now, limits) if check else update_lock(file, now, limits)
    console.document({"lock": str(file), "images": len(now.entries), "changes": changes_document(changes)})
    show_changes(console, changes)
    if check and changes:
        raise LockRefused(
            f"{file} is not what there is now: {len(changes)} of its images would change",
            advice="Run `airbundle lock` if the changes are meant; `pack --locked` still takes what is locked.",
        )
    done = "is up to date" if check else f"locks {len(now.entries)} images, {len(changes)} of them otherwise"
    console.line(f"{file} {done}")
    return 0
