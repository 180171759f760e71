"""airbundle load."""

from __future__ import annotations

from bundler.cli import options
from bundler.cli.console import Console


def run(
    bundles: options.BundleDirectories,
    app: options.Applications = None,
    image: options.Images = None,
    on_existing_tag: options.ExistingTag = "overwrite",
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Load images into the Docker engine that the docker command uses, and check that they are there."""
    from bundler.api.transfers import Selection, load
    from bundler.bundle.reader import open_bundle
    from bundler.cli.limits import read_limits
    from bundler.cli.transfer_view import checked_policy, finish_transfer, loaded_image

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    policy = checked_policy(on_existing_tag)
    selection = Selection(tuple(app or ()), tuple(image or ()))
    report = load(
        open_bundle(*bundles, limits=read_limits(limit)),
        selection,
        on_existing_tag=policy,
        progress=console.progress,
    )
    return finish_transfer(console, report, loaded_image)
