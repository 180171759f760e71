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
    check: Annotated[
        bool,
        typer.Option(
            "--check-reproducible",
            help="Then read all sources again, pack to nowhere, and compare every part. Writes nothing.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do what plan does, write nothing.")] = False,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Pack images, grouped by application, into a bundle of parts that fit the medium."""
    from bundler.api.packing import planned
    from bundler.cli.limits import read_limits
    from bundler.cli.plan_view import show_plan
    from bundler.cli.request import Wishes, read_request
    from bundler.cli.views import bundle_summary, show_summary
    from bundler.packing.pack import check_reproducible, write_bundle
    from bundler.packing.writing.output import OutputDirectory

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    applications, chosen = read_request(
        items or [], Wishes(name, version, part_size, compression, level, read_limits(limit))
    )
    progress, directory = console.progress, OutputDirectory(output)
    with planned(
        applications,
        options=chosen,
        plain_http=plain_http,
        progress=progress,
        output=None if dry_run else directory,
    ) as plan:
        if dry_run:
            show_plan(console, plan, chosen, output)
            return 0
        manifest = write_bundle(plan, directory, chosen, progress)
        if check:
            check_reproducible(plan, manifest, chosen, progress)
    checked = {"reproducible": True} if check else {}
    console.document({"directory": str(output), **bundle_summary(manifest), **checked})
    show_summary(console, manifest)
    if check:
        console.line("checked  a second pack gives the same bytes")
    return 0
