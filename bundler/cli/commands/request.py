"""airbundle request."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bundler.cli import options
from bundler.cli.console import Console


def run(
    bundles: options.BundleDirectories,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")],
    qr: Annotated[
        bool,
        typer.Option(
            "--qr",
            help="Also show it as a QR code, and write that as FILE.png, if it has less than 2 KiB. "
            "Needs the extra qr.",
        ),
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Ask for all that is missing, also for what parity can make again.")
    ] = False,
    app: options.Applications = None,
    present: options.Present = False,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Write a small file that says which blocks a bundle lacks, to carry back to where it was packed.

    It holds the bundle's id and numbers, no name of an image, application or host. Parity counts: what it can make
    again is not asked for, and if that is everything, no file is written and the exit status is 3.
    """
    from bundler.api.requests import request
    from bundler.bundle.choice import Choice
    from bundler.bundle.reader import open_bundle
    from bundler.cli.limits import read_limits
    from bundler.cli.request_view import finish_request

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    bundle = open_bundle(*bundles, limits=read_limits(limit))
    choice = Choice(tuple(app or ()), present)
    report = request(bundle, output, everything=everything, qr=qr, choice=choice, progress=console.progress)
    return finish_request(console, bundle, output, report, choice, qr=qr)
