"""airbundle inspect."""

from __future__ import annotations

from bundler.cli import options
from bundler.cli.console import Console


def run(
    bundles: options.BundleDirectories,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Show what a bundle holds, and what of it has not arrived: applications, images, sizes. Reads no part."""
    from bundler.bundle.parity.search import read_parity
    from bundler.bundle.reader import open_bundle
    from bundler.cli.arrival_view import arrival_document, show_arrival
    from bundler.cli.limits import read_limits
    from bundler.cli.parity_view import parity_document, show_parity
    from bundler.cli.views import bundle_summary, show_images, show_summary

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    opened = open_bundle(*bundles, limits=read_limits(limit))
    for finding in opened.findings:
        if finding.code != "unfinished":
            if finding.code == "denied":
                console.warn(f"it could not be read, and another file stands in for it: {finding.found}")
            else:
                console.warn(f"{finding.file} is damaged or missing; run `airbundle verify`")
    table = read_parity(opened.locations.directories, opened.manifest.id, opened.limits).table
    parity = {"parity": parity_document(table)} if table else {}
    console.document({**bundle_summary(opened.manifest), **arrival_document(opened), **parity})
    show_images(console, opened.manifest)
    show_summary(console, opened.manifest)
    if table is not None:
        show_parity(console, table)
    show_arrival(console, opened)
    return 0
