"""airbundle extract."""

from __future__ import annotations

from typing import Annotated

import typer

from bundler.cli import options
from bundler.cli.console import Console


def run(
    bundles: options.BundleDirectories,
    destination: Annotated[
        str, typer.Argument(metavar="DEST", help="oci:DIRECTORY, a DIRECTORY, or docker-archive:FILE.")
    ],
    app: options.Applications = None,
    image: options.Images = None,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Extract images to an OCI layout directory or a docker-archive."""
    from bundler.api.transfers import Selection, extract
    from bundler.bundle.reader import open_bundle
    from bundler.cli.limits import read_limits
    from bundler.cli.transfer_view import extracted_image, finish_transfer

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    selection = Selection(tuple(app or ()), tuple(image or ()))
    report = extract(
        open_bundle(*bundles, limits=read_limits(limit)), destination, selection, progress=console.progress
    )
    return finish_transfer(console, report, extracted_image)
