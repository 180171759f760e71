"""airbundle verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bundler.cli import options
from bundler.cli.console import Console


def run(
    bundles: options.BundleDirectories,
    level: Annotated[
        str,
        typer.Option(
            "--level",
            metavar="quick|full|deep",
            help="quick: every block of every part. full: also sha256 and closure. deep: also every layer.",
        ),
    ] = "full",
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="PUB", help="Public key that must have signed bundle.json.", show_default=False
        ),
    ] = None,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Prove that a bundle is what was packed; name every damaged part, block, image. Reads each part once."""
    from bundler.api.checks import verify
    from bundler.bundle.reader import open_bundle
    from bundler.cli.limits import read_limits
    from bundler.cli.report_view import checked_level, report_document, show_report

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    chosen = checked_level(level)
    report = verify(open_bundle(*bundles, limits=read_limits(limit)), chosen, key=key, progress=console.progress)
    console.document(report_document(report))
    show_report(console, report)
    return int(report.exit_status)
