"""airbundle parity."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bundler.cli import options
from bundler.cli.console import Console


def run(
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="Directory that holds bundle.json.", show_default=False)
    ],
    redundancy: Annotated[
        str | None,
        typer.Option(
            "--redundancy",
            metavar="SHARE",
            help="How much, as a share of the bundle. Default: as much as there is or was begun, else 10%.",
            show_default=False,
        ),
    ] = None,
    survive_parts: options.SurviveParts = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew: remove the parity that is there, whole or not.")
    ] = False,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Make parity beside a bundle, from which `repair` mends what gets damaged or lost on the way.

    The bundle itself, its id and its signature stay as they are; every block of it is checked while it is read.
    Parity that is there is checked, and what is wrong with it made again. After an interruption the same command
    goes on where it was cut.
    """
    from bundler.api.parity import parity
    from bundler.cli.limits import read_limits
    from bundler.cli.parity_view import outcome_document, show_parity
    from bundler.cli.request import parity_wish

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    made = parity(
        bundle,
        parity_wish(redundancy, survive_parts),
        restart=restart,
        limits=read_limits(limit),
        progress=console.progress,
    )
    console.document({"directory": str(bundle), "id": made.table.bundle, **outcome_document(made)})
    show_parity(console, made.table)
    return 0
