"""airbundle push."""

from __future__ import annotations

from typing import Annotated

import typer

from bundler.cli import options
from bundler.cli.console import Console


def run(
    bundles: options.BundleDirectories,
    destination: Annotated[str, typer.Argument(metavar="REGISTRY[/PREFIX]", help="Where the images go.")],
    app: options.Applications = None,
    image: options.Images = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, max=32, help="Blobs that are sent at once.")] = 4,
    chunk_size: Annotated[
        str | None,
        typer.Option(
            "--chunk-size",
            metavar="SIZE",
            help="Send layers in pieces of this size, from 64KiB on. Default: by the rate, 16MiB to 256MiB.",
            show_default=False,
        ),
    ] = None,
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
    from bundler.model.sizes import parse_size

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    report = push(
        open_bundle(*bundles, limits=read_limits(limit)),
        destination,
        Selection(tuple(app or ()), tuple(image or ())),
        jobs=jobs,
        plain_http=plain_http,
        on_existing_tag=checked_policy(on_existing_tag),
        chunk_bytes=None if chunk_size is None else parse_size(chunk_size),
        progress=console.progress,
    )
    return finish_transfer(console, report, pushed_image)
