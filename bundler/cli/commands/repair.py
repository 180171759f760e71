"""airbundle repair."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bundler.cli import options
from bundler.cli.console import Console


def run(
    bundle: Annotated[
        Path,
        typer.Argument(
            metavar="BUNDLE", help="Directory of the bundle, or of an unfinished copy.", show_default=False
        ),
    ],
    others: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="OTHER",
            help="Take right blocks from there: another copy, whole or not, or the answer to a request; may be "
            "repeated.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Leave BUNDLE as it is, as on a read-only medium: write mended files and the tables to DIR. "
            "Commands take both, such as `airbundle load BUNDLE DIR`.",
            show_default=False,
        ),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Mend what can be mended, though not everything can.")
    ] = False,
    app: options.Applications = None,
    present: options.Present = False,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Mend damaged and lost blocks, from other copies and from parity; what is made is proven before it counts."""
    from bundler.api.repairing import repair
    from bundler.bundle.choice import Choice
    from bundler.cli.limits import read_limits
    from bundler.cli.repair_view import finish_repair

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    report = repair(
        bundle,
        others or (),
        output=output,
        partial=partial,
        choice=Choice(tuple(app or ()), present),
        limits=read_limits(limit),
        progress=console.progress,
    )
    return finish_repair(console, bundle, report)
