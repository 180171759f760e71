"""Planning and packing: names in, bundle out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bundler.api.registry_access import DEFAULT_ACCESS, AccessOptions, open_access, registries_of
from bundler.api.resolving import Resolver
from bundler.api.source_set import SourceSet
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.names import check_application_name
from bundler.bundle.parity.making import make_parity
from bundler.bundle.reader import open_bundle
from bundler.packing.locking.lock_file import Lock
from bundler.packing.pack import check_reproducible, write_bundle
from bundler.packing.planning.image_entry import ImageEntry, check_entry, entry_of
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan, PlannedImage, make_plan
from bundler.packing.reuse.opening import open_reuse
from bundler.packing.writing.output import OutputDirectory
from bundler.progress import SILENT, Progress

#: Images by application: names with or without a transport, or entries that say more.
Applications = Mapping[str, Sequence[str | ImageEntry]]


@contextmanager
def planned(
    applications: Applications,
    *,
    options: PackOptions | None = None,
    access: AccessOptions = DEFAULT_ACCESS,
    progress: Progress = SILENT,
    output: OutputDirectory | None = None,
    referrers: bool = True,
    lock: Lock | None = None,
) -> Iterator[PackPlan]:
    """Find every image and plan the bundle; its sources stay open as long as the block lasts.

    Args:
        applications: For each application the names of its images, as on the command line, or entries.
        options: Their limits count here, and their platforms.
        access: How registries are reached.
        progress: Is told what goes on.
        output: Where a pipe on standard input is kept that long; without it such a pipe is refused.
        referrers: Take what refers to the images with them: signatures, attestations, SBOMs.
        lock: Take exactly what it names.

    Raises:
        LockRefused: the lock does not have an image, or not what there is.
        NotFound: an image is not there. NoSuchPlatform: it has nothing for a platform that is wanted.
        Unreachable, Unauthorised: a source.
        UsageError: a file that cannot be read in any order.
        ConfigError: the applications contradict themselves or the rules for names.
    """
    chosen = options or PackOptions()
    limits = chosen.limits
    for name in applications:
        check_application_name(name)
    entries = {name: [entry_of(image) for image in images] for name, images in applications.items()}
    registries = registries_of(entry.image for group in entries.values() for entry in group)
    reached = open_access(access, registries, limits=limits, progress=progress)
    with SourceSet(
        access=reached, limits=limits, progress=progress, output=output, referrers=referrers
    ) as sources:
        images, resolver = [], Resolver(sources, lock)
        for application, group in entries.items():
            platforms = chosen.platforms.of(application)
            for entry in group:
                check_entry(entry)
                found = resolver.find(application, entry, platforms)
                images += [
                    PlannedImage(application, one, found.source, platforms, smoke=entry.smoke, rule=entry.rule)
                    for one in found.images
                ]
        try:
            yield make_plan(images, sources.notes())
        finally:
            if output is not None:
                output.release()


def pack(
    applications: Applications,
    output: Path | str,
    *,
    options: PackOptions | None = None,
    access: AccessOptions = DEFAULT_ACCESS,
    check: bool = False,
    restart: bool = False,
    reuse: Sequence[Path | str] = (),
    cache: Path | str | None = None,
    cache_bytes: int | None = None,
    lock: Lock | None = None,
    progress: Progress = SILENT,
    referrers: bool = True,
) -> BundleManifest:
    """Pack images into a bundle.

    Args:
        applications: For each application the names of its images, as on the command line.
        output: Directory of the bundle; new, empty, or with what an earlier run of the same pack left.
        options: Part size, compression, name, version, platforms, and the parity to make beside it.
        access: How registries are reached.
        check: Read all sources a second time and prove that the same bytes come out; nothing is written for it.
        restart: Keep nothing that an unfinished pack left there, and no parity.
        reuse: Directories of older bundles. What they have is not read from its source; no byte changes by it.
            One that is incomplete or damaged gives what is right of it.
        cache: Directory that keeps the blobs of packs, for later ones to reuse; created where it is missing.
        cache_bytes: What the cache may hold when no pack runs; default: 20 GiB.
        lock: Take exactly what it names, see :mod:`bundler.api.locking`.
        progress: Is told what goes on.
        referrers: Take what refers to the images with them: signatures, attestations, SBOMs.

    Returns:
        The bundle's table of contents.

    Raises:
        NotReproducible: with ``check``, a second pack gives other bytes. The first bundle stays where it is.
        LockRefused: the lock does not have an image, or not what there is.
        OutputExists: the directory holds something else, or the beginning of another pack.
        AirbundleError: another of its subclasses. Repeated, the pack goes on where it was.
    """
    chosen = options or PackOptions()
    directory = OutputDirectory(Path(output))
    with (
        open_reuse(reuse, cache, cache_bytes, limits=chosen.limits, progress=progress) as reused,
        planned(
            applications,
            options=chosen,
            access=access,
            progress=progress,
            output=directory,
            referrers=referrers,
            lock=lock,
        ) as plan,
    ):
        manifest = write_bundle(plan, directory, chosen, progress, restart=restart, reuse=reused)
        if check:
            check_reproducible(plan, manifest, chosen, progress)
    _make_parity(directory, chosen, progress, restart=restart)
    return manifest


def _make_parity(directory: OutputDirectory, options: PackOptions, progress: Progress, *, restart: bool) -> None:
    if options.parity is not None:
        bundle = open_bundle(directory.path, limits=options.limits)
        make_parity(bundle, options.parity, restart=restart, progress=progress)
