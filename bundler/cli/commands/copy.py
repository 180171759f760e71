"""airbundle copy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bundler.cli import options
from bundler.cli.console import Console
from bundler.errors import UsageError


def run(
    places: Annotated[
        list[Path],
        typer.Argument(
            metavar="SRC... DST",
            help="Directories that hold the bundle together, such as sticks or unfinished copies; then the one to "
            "copy to.",
            show_default=False,
        ),
    ],
    to: Annotated[
        list[Path] | None,
        typer.Option(
            "--to",
            metavar="DST2",
            help="Another destination; may be repeated. Each gets the parts that fit, whole, and bundle.json; "
            "`sha256sum -c --ignore-missing SHA256SUMS` checks one by hand.",
            show_default=False,
        ),
    ] = None,
    app: options.Applications = None,
    span: Annotated[
        bool,
        typer.Option(
            "--span", help="Change media at one place: asks for the next one when DST is full, or SRC has no more."
        ),
    ] = False,
    no_read_back: Annotated[
        bool, typer.Option("--no-read-back", help="Do not read from the medium what was written.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go where, write nothing.")] = False,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Copy a bundle to or from media, verified; what is there and right is kept, so run it again to go on."""
    from bundler.api.copying import carry_out, plan_copy
    from bundler.cli.copy_view import finish_copy, plan_document, show_plan, warn_of_tables
    from bundler.cli.limits import read_limits
    from bundler.cli.medium_prompt import ask_for_medium

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    *sources, first = places
    if not sources:
        raise UsageError("no destination is named", advice="Write airbundle copy SRC... DST.")
    plan = plan_copy(sources, [first, *(to or ())], applications=app or (), span=span, limits=read_limits(limit))
    warn_of_tables(console, plan)
    show_plan(console, plan)
    if dry_run:
        console.document(plan_document(plan))
        return 0
    outcome = carry_out(
        plan,
        read_back=not no_read_back,
        change_medium=ask_for_medium if span else None,
        progress=console.progress,
    )
    return finish_copy(console, outcome)
