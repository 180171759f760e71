"""Opens what a pack may reuse: older bundles, and a cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bundler.bundle.reader import open_bundle
from bundler.errors import DamagedBundle, DiskError, IncompleteBundle
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.sizes import parse_size
from bundler.packing.reuse.cache import DEFAULT_CACHE_SIZE, Cache
from bundler.packing.reuse.filling import CacheFiller
from bundler.packing.reuse.old_bundle import OldBundle
from bundler.packing.reuse.reuse import Reuse
from bundler.packing.reuse.stores import LayerStore
from bundler.progress import SILENT, Progress


@contextmanager
def open_reuse(
    bundles: Sequence[Path | str] = (),
    cache: Path | str | None = None,
    cache_bytes: int | None = None,
    *,
    read_only: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress = SILENT,
) -> Iterator[Reuse]:
    """Open stores for one pack; they are closed with the block.

    Args:
        bundles: Directories of older bundles. One that is incomplete or damaged gives what is right of it.
        cache: Directory of a cache, created where it is missing; it is filled by the pack.
        cache_bytes: What the cache may hold when no pack runs; default: 20 GiB.
        read_only: Change nothing in the cache.
        limits: Bound what is read.
        progress: Is told of a bundle that is of no use, and of a cache that takes no more.

    Raises:
        NotFound, NotABundle, UnsupportedVersion: a directory holds no bundle that can be read.
        DiskError: the cache cannot be created or read.
    """
    stores: list[LayerStore] = []
    for directory in bundles:
        try:
            stores.append(OldBundle(open_bundle(directory, limits=limits)))
        except (DamagedBundle, IncompleteBundle, DiskError) as error:
            progress.message(f"nothing is reused of {directory}: {error}")
    if cache is None:
        yield Reuse(stores, limits=limits)
        return
    most = parse_size(DEFAULT_CACHE_SIZE) if cache_bytes is None else cache_bytes
    kept = Cache(Path(cache), most, limits, read_only=read_only)
    filler = None if read_only else CacheFiller(kept, progress)
    try:
        yield Reuse([*stores, kept], filler, limits)
    finally:
        if filler is not None:
            filler.drop()
        kept.close()
