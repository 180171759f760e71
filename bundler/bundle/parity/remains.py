"""How much parity a bundle had, as far as the sizes of its files tell: parity.json, which said it, is lost."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.parity.files import lying_files
from bundler.bundle.parity.geometry import MOST_BLOCKS, Geometry, choose_geometry
from bundler.content.files import disk_errors, whole_name


def geometry_of_remains(directory: Path, manifest: BundleManifest) -> Geometry | None:
    """Return a layout with as much parity as the files in a directory are, or were.

    It is the layout that they had, or one of the same size that mends as long a run.

    Args:
        directory: Where the parity files lie, whole or not.
        manifest: The table of contents of the bundle beside them.

    Returns:
        The layout; ``None`` if there are no files, or only empty ones, or the bundle can have no parity.

    Raises:
        OutputExists: a link or a directory has the name of a parity file.
        DiskError: the disk refused.
    """
    size, block = sum(archive.size for archive in manifest.archives), manifest.block_bytes
    found = _bytes_of_files(directory)
    if not found or not size or block % 8:
        return None
    return geometry_of_bytes(size, block, found)


def geometry_of_bytes(size: int, block_bytes: int, parity_bytes: int) -> Geometry:
    """Return a layout of so many bytes of parity; if there is none, one of the same share of the data.

    Args:
        size: Bytes of all parts, 1 or more.
        block_bytes: Bytes of a block.
        parity_bytes: Bytes of all parity blocks, 1 or more.
    """
    usual = choose_geometry(size, block_bytes, min(Fraction(parity_bytes, size), Fraction(1)))
    count, rest = divmod(parity_bytes, block_bytes)
    layouts = [] if rest else [_layout(size, block_bytes, count, m) for m in range(1, MOST_BLOCKS)]
    fitting = [layout for layout in layouts if layout is not None and layout.parity_bytes == parity_bytes]
    return min(fitting, key=lambda layout: abs(layout.m - usual.m), default=usual)


def _layout(size: int, block_bytes: int, parity_blocks: int, m: int) -> Geometry | None:
    """Return the layout in which each stripe has ``m`` of so many parity blocks."""
    stripes, rest = divmod(parity_blocks, m)
    if rest or not stripes:
        return None
    blocks = -(-size // block_bytes)
    k = -(-blocks // stripes)
    return Geometry(size, block_bytes, k, m) if 1 <= k <= MOST_BLOCKS - m else None


def _bytes_of_files(directory: Path) -> int:
    """Return the bytes of all parity files; one that is gone between others had as many as the largest."""
    sizes: dict[int, int] = {}
    for path in lying_files(directory):
        number = int(whole_name(path.name).rpartition(".")[2])
        with disk_errors(path):
            sizes[number] = max(sizes.get(number, 0), path.stat().st_size)
    gone = max(sizes, default=0) - len(sizes)
    # A file of a number far off is none of these.
    return sum(sizes.values()) + (gone * max(sizes.values()) if 0 < gone < len(sizes) else 0)
