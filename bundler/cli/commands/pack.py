"""airbundle pack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bundler.cli import options
from bundler.cli.console import Console


def run(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Directory of the bundle, new or empty.")
    ],
    items: options.Items = None,
    name: options.BundleName = None,
    version: options.BundleVersion = None,
    part_size: options.PartSize = None,
    compression: options.Compression = None,
    level: options.CompressionLevel = None,
    plain_http: options.PlainHttp = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do what plan does, write nothing.")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Pack images, grouped by application, into a bundle of parts that fit the medium."""
    from bundler.api.packing import planned
    from bundler.cli.plan_view import show_plan
    from bundler.cli.request import Wishes, read_request
    from bundler.cli.views import bundle_summary, show_summary
    from bundler.packing.pack import write_bundle

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    applications, chosen = read_request(items or [], Wishes(name, version, part_size, compression, level))
    progress = console.progress
    with planned(applications, options=chosen, plain_http=plain_http, progress=progress) as plan:
        if dry_run:
            show_plan(console, plan, chosen, output)
            return 0
        manifest = write_bundle(plan, output, chosen, progress)
    console.document({"directory": str(output), **bundle_summary(manifest)})
    show_summary(console, manifest)
    return 0
