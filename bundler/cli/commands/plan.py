"""airbundle plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bundler.cli import options
from bundler.cli.console import Console


def run(
    items: options.Items = None,
    platform: options.Platforms = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where it would go: is there room?"),
    ] = None,
    name: options.BundleName = None,
    version: options.BundleVersion = None,
    part_size: options.PartSize = None,
    compression: options.Compression = None,
    level: options.CompressionLevel = None,
    small: options.Small = False,
    parity: options.Parity = None,
    survive_parts: options.SurviveParts = None,
    plain_http: options.PlainHttp = False,
    insecure: options.Insecure = None,
    username: options.Username = None,
    password_stdin: options.PasswordStdin = False,
    wait_for_rate_limit: options.WaitForRateLimit = False,
    no_referrers: options.NoReferrers = False,
    locked: options.Locked = False,
    lock_file: options.LockFile = None,
    reuse: options.Reused = None,
    cache: options.CacheDirectory = None,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Say what a pack would do: images, what is shared, sizes, parts, free space. Nothing is written."""
    from bundler.api.packing import planned
    from bundler.cli.access import AccessWishes, read_access
    from bundler.cli.limits import read_limits
    from bundler.cli.locks import wanted_lock
    from bundler.cli.plan_view import show_plan
    from bundler.cli.request import Wishes, read_request
    from bundler.cli.stores import Stores

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    most = read_limits(limit)
    wishes = Wishes(name, version, part_size, compression, level, most, parity, survive_parts, small, platform)
    applications, chosen = read_request(items or [], wishes)
    lock = wanted_lock(locked, lock_file, items or [], chosen.limits)
    reach = AccessWishes(plain_http, insecure, username, password_stdin, wait_for_rate_limit)
    access = read_access(console, reach, applications)
    stores = Stores(reuse, cache)
    with (
        stores.open(chosen.limits, console.progress, read_only=True) as reused,
        planned(
            applications,
            options=chosen,
            access=access,
            progress=console.progress,
            referrers=not no_referrers,
            lock=lock,
        ) as plan,
    ):
        show_plan(console, plan, chosen, output, reused if stores.are_named else None)
    return 0
