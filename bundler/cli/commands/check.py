"""airbundle check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bundler.cli import naming_options, options
from bundler.cli.console import Console

_Words = Annotated[
    list[str],
    typer.Argument(
        metavar="BUNDLE... [TARGET]",
        help="Directories of the bundle; and what it was imported into: docker-daemon: (default) for the engine, "
        "or REGISTRY[/PREFIX].",
        show_default=False,
    ),
]
_Smoke = Annotated[
    bool,
    typer.Option(
        "--smoke/--no-smoke", help="Run the smoke tests that the bundle names, in containers that are locked in."
    ),
]
_Timeout = Annotated[
    float, typer.Option("--timeout", min=1, max=86_400, help="Seconds that a smoke test may take.")
]


def run(
    words: _Words,
    app: options.Applications = None,
    image: options.Images = None,
    smoke: _Smoke = True,
    timeout: _Timeout = 60.0,
    rename: naming_options.Rename = None,
    rename_regex: naming_options.RenameRegex = None,
    rename_table: naming_options.RenameTable = None,
    names: naming_options.Names = None,
    no_rename: naming_options.NoRename = False,
    keep_registry_name: naming_options.KeepRegistryName = False,
    flatten: naming_options.Flatten = False,
    tag_untagged: naming_options.TagUntagged = "",
    plain_http: options.PlainHttp = False,
    insecure: options.Insecure = None,
    username: options.Username = None,
    password_stdin: options.PasswordStdin = False,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Check an import: each image is there, is the bundle's, and passes its smoke test. Changes nothing."""
    from bundler.api.after_import import check
    from bundler.api.naming.choosing import NamingWishes, choose_naming
    from bundler.api.transfers import Selection
    from bundler.bundle.reader import open_bundle
    from bundler.cli.access import AccessWishes, read_access
    from bundler.cli.check_view import finish_check
    from bundler.cli.limits import read_limits

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    bundles, target = _split(words)
    bundle = open_bundle(*bundles, limits=read_limits(limit))
    rules = (rename_table or (), rename_regex or (), rename or (), names)
    wishes = NamingWishes(*rules, not no_rename, keep_registry_name, flatten, tag_untagged)
    report = check(
        bundle,
        target,
        Selection(tuple(app or ()), tuple(image or ())),
        smoke=smoke,
        seconds=timeout,
        access=read_access(console, AccessWishes(plain_http, insecure, username, password_stdin)),
        naming=choose_naming(wishes, bundle.manifest.rename, bundle.limits),
        progress=console.progress,
    )
    return finish_check(console, target, report)


def _split(words: list[str]) -> tuple[list[str], str]:
    """Tell the bundle's directories from the target: the last word, unless a directory has that name."""
    from bundler.api.after_import import ENGINE

    *bundles, last = words
    if not bundles or Path(last).is_dir():
        return words, ENGINE
    return bundles, last
