"""airbundle push."""

from __future__ import annotations

from typing import Annotated

import typer

from bundler.cli import options
from bundler.cli.console import Console


def run(
    bundle: options.BundleDirectory,
    destination: Annotated[str, typer.Argument(metavar="REGISTRY[/PREFIX]", help="Where the images go.")],
    app: options.Applications = None,
    image: options.Images = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=32, help="Blobs that are sent at once.")] = 4,
    plain_http: options.PlainHttp = False,
    on_existing_tag: options.ExistingTag = "overwrite",
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Push images to a registry straight from the parts; what is there already is not sent."""
    from bundler.api.transfers import Selection, push
    from bundler.bundle.reader import open_bundle
    from bundler.cli.limits import read_limits
    from bundler.cli.transfer_view import checked_policy, finish_transfer, pushed_image

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    report = push(
        open_bundle(bundle, read_limits(limit)),
        destination,
        Selection(tuple(app or ()), tuple(image or ())),
        jobs=jobs,
        plain_http=plain_http,
        on_existing_tag=checked_policy(on_existing_tag),
        progress=console.progress,
    )
    return finish_transfer(console, report, pushed_image)
