"""airbundle inspect."""

from __future__ import annotations

from bundler.cli import options
from bundler.cli.console import Console


def run(
    bundle: options.BundleDirectory,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Show what a bundle holds: applications, images, sizes, what is shared. Reads no part."""
    from bundler.bundle.reader import open_bundle
    from bundler.cli.limits import read_limits
    from bundler.cli.views import bundle_summary, show_images, show_summary

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    opened = open_bundle(bundle, read_limits(limit))
    for finding in opened.findings:
        console.warn(f"{finding.file} is damaged or missing; run `airbundle verify`")
    console.document(bundle_summary(opened.manifest))
    show_images(console, opened.manifest)
    show_summary(console, opened.manifest)
    return 0
