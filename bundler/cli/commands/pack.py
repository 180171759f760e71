"""airbundle pack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bundler.cli import options
from bundler.cli.console import Console

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from bundler.api.registry_access import AccessOptions
    from bundler.bundle.manifest import BundleManifest
    from bundler.bundle.parity.making import ParityOutcome
    from bundler.cli.stores import Stores
    from bundler.packing.locking.lock_file import Lock
    from bundler.packing.planning.image_entry import ImageEntry
    from bundler.packing.planning.options import PackOptions
    from bundler.packing.planning.plan import PackPlan
    from bundler.packing.writing.output import OutputDirectory
    from bundler.progress import Progress


_Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Directory: new, empty, or of a pack that was cut.")
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="Do what plan does, write nothing.")]
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
    output: _Output,
    items: options.Items = None,
    platform: options.Platforms = None,
    name: options.BundleName = None,
    version: options.BundleVersion = None,
    part_size: options.PartSize = None,
    compression: options.Compression = None,
    level: options.CompressionLevel = None,
    small: options.Small = False,
    parity: options.Parity = None,
    survive_parts: options.SurviveParts = None,
    plain_http: options.PlainHttp = False,
    insecure: options.Insecure = None,
    username: options.Username = None,
    password_stdin: options.PasswordStdin = False,
    wait_for_rate_limit: options.WaitForRateLimit = False,
    no_referrers: options.NoReferrers = False,
    locked: options.Locked = False,
    lock_file: options.LockFile = None,
    reuse: options.Reused = None,
    cache: options.CacheDirectory = None,
    cache_size: options.CacheSize = None,
    check: _Check = False,
    restart: _Restart = False,
    dry_run: _DryRun = False,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Pack images, grouped by application, into a bundle of parts that fit the medium.

    After an interruption the same command goes on where it was cut.
    """
    from bundler.cli.access import AccessWishes, read_access
    from bundler.cli.limits import read_limits
    from bundler.cli.locks import wanted_lock
    from bundler.cli.request import Wishes, read_request
    from bundler.cli.stores import Stores

    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    most = read_limits(limit)
    wishes = Wishes(name, version, part_size, compression, level, most, parity, survive_parts, small, platform)
    applications, chosen = read_request(items or [], wishes)
    lock = wanted_lock(locked, lock_file, items or [], chosen.limits)
    reach = AccessWishes(plain_http, insecure, username, password_stdin, wait_for_rate_limit)
    access = read_access(console, reach, applications)
    stores = Stores(reuse, cache, cache_size)
    work = _Work(applications, chosen, access, stores, output, not no_referrers, lock)
    return _plan(console, work) if dry_run else _pack(console, work, check=check, restart=restart)


@dataclass(frozen=True)
class _Work:
    """What is to be packed, how, and where to."""

    applications: dict[str, list[str | ImageEntry]]
    options: PackOptions
    access: AccessOptions
    stores: Stores
    output: Path
    referrers: bool
    lock: Lock | None

    def planned(
        self, progress: Progress, output: OutputDirectory | None = None
    ) -> AbstractContextManager[PackPlan]:
        """Find the images."""
        from bundler.api.packing import planned

        return planned(
            self.applications,
            options=self.options,
            access=self.access,
            progress=progress,
            output=output,
            referrers=self.referrers,
            lock=self.lock,
        )


def _plan(console: Console, work: _Work) -> int:
    from bundler.cli.plan_view import show_plan

    progress, stores = console.progress, work.stores
    with (
        stores.open(work.options.limits, progress, read_only=True) as reused,
        work.planned(progress) as plan,
    ):
        show_plan(console, plan, work.options, work.output, reused if stores.are_named else None)
    return 0


def _pack(console: Console, work: _Work, *, check: bool, restart: bool) -> int:
    from bundler.cli.platform_view import warn_of_platforms
    from bundler.packing.pack import check_reproducible, write_bundle
    from bundler.packing.writing.output import OutputDirectory

    progress, directory, chosen = console.progress, OutputDirectory(work.output), work.options
    with (
        work.stores.open(chosen.limits, progress, read_only=False) as reused,
        work.planned(progress, directory) as plan,
    ):
        console.warn_of_all(plan.left_out)
        warn_of_platforms(console, plan)
        manifest = write_bundle(plan, directory, chosen, progress, restart=restart, reuse=reused)
        if check:
            check_reproducible(plan, manifest, chosen, progress)
    made = _make_parity(work.output, chosen, progress, restart=restart)
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
) -> int:
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
    return 0
