"""airbundle pack."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.cli import options
from bundler.cli.console import Console

if TYPE_CHECKING:
    from bundler.bundle.manifest import BundleManifest
    from bundler.bundle.parity.making import ParityOutcome
    from bundler.packing.planning.options import PackOptions
    from bundler.packing.writing.output import OutputDirectory
    from bundler.progress import Progress


_Check = Annotated[
    bool,
    typer.Option(
        "--check-reproducible",
        help="Then read all sources again, pack to nowhere, and compare every part. Writes nothing.",
    ),
]
_Restart = Annotated[
    bool, typer.Option("--restart", help="Begin anew: keep nothing that an unfinished pack left in DIR.")
]


def run(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Directory: new, empty, or of a pack that was cut."),
    ],
    items: options.Items = None,
    name: options.BundleName = None,
    version: options.BundleVersion = None,
    part_size: options.PartSize = None,
    compression: options.Compression = None,
    level: options.CompressionLevel = None,
    small: options.Small = False,
    parity: options.Parity = None,
    survive_parts: options.SurviveParts = None,
    plain_http: options.PlainHttp = False,
    reuse: options.Reused = None,
    cache: options.CacheDirectory = None,
    cache_size: options.CacheSize = None,
    check: _Check = False,
    restart: _Restart = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do what plan does, write nothing.")] = False,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Pack images, grouped by application, into a bundle of parts that fit the medium.

    After an interruption the same command goes on where it was cut.
    """
    from bundler.api.packing import planned
    from bundler.cli.limits import read_limits
    from bundler.cli.plan_view import show_plan
    from bundler.cli.request import Wishes, read_request
    from bundler.cli.stores import Stores
    from bundler.packing.pack import check_reproducible, write_bundle
    from bundler.packing.writing.output import OutputDirectory

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    applications, chosen = read_request(
        items or [],
        Wishes(name, version, part_size, compression, level, read_limits(limit), parity, survive_parts, small),
    )
    progress, directory = console.progress, OutputDirectory(output)
    kept_in = None if dry_run else directory
    stores = Stores(reuse, cache, cache_size)
    with (
        stores.open(chosen.limits, progress, read_only=dry_run) as reused,
        planned(applications, options=chosen, plain_http=plain_http, progress=progress, output=kept_in) as plan,
    ):
        if dry_run:
            show_plan(console, plan, chosen, output, reused if stores.are_named else None)
            return 0
        manifest = write_bundle(plan, directory, chosen, progress, restart=restart, reuse=reused)
        if check:
            check_reproducible(plan, manifest, chosen, progress)
    made = _make_parity(output, chosen, progress, restart=restart)
    _show(console, directory, manifest, made, bytes_reused=reused.bytes_reused, checked=check)
    return 0


def _make_parity(output: Path, chosen: PackOptions, progress: Progress, *, restart: bool) -> ParityOutcome | None:
    from bundler.api.parity import parity

    if chosen.parity is None:
        return None
    return parity(output, chosen.parity, restart=restart, limits=chosen.limits, progress=progress)


def _show(
    console: Console,
    directory: OutputDirectory,
    manifest: BundleManifest,
    parity: ParityOutcome | None,
    *,
    bytes_reused: int,
    checked: bool,
) -> None:
    from bundler.cli.parity_view import outcome_document, show_parity
    from bundler.cli.views import bundle_summary, show_summary
    from bundler.model.sizes import format_size

    kept = directory.bytes_kept
    written = sum(archive.size for archive in manifest.archives) - kept
    more = {"bytes_kept": kept, "bytes_written": written, "bytes_reused": bytes_reused}
    more |= {"reproducible": True} if checked else {}
    made = {"parity": outcome_document(parity)} if parity else {}
    console.document({"directory": str(directory.path), **bundle_summary(manifest), **more, **made})
    show_summary(console, manifest)
    if parity:
        show_parity(console, parity.table)
    if bytes_reused:
        console.line(f"reused   {format_size(bytes_reused)} of it were made before")
    if checked:
        console.line("checked  a second pack gives the same bytes")
