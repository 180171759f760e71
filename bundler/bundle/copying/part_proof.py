"""Whose parts lie in a directory: where no table of contents tells, their own bytes do."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from bundler.bundle.block_reader import read_from
from bundler.bundle.manifest import BundleManifest, Part
from bundler.content.files import disk_errors, open_regular, whole_name
from bundler.content.hashing import block_sum
from bundler.errors import DiskError, NotFound, NotReadable, NotRegular

#: So many blocks of a file are looked at, spread over it. A file of another bundle has none that is right.
_SAMPLES = 16


def prove_parts(directory: Path, files: Iterable[str], manifest: BundleManifest) -> bool:
    """Tell whether files, finished or not, are parts of a bundle: each that is not empty has a right block.

    Where all are empty, or there are none, nothing is proven.

    Raises:
        NotReadable: this user may not read one of them.
    """
    parts = {part.file: part for part in manifest.parts}
    buffer = memoryview(bytearray(manifest.block_bytes))
    is_proven = False
    for file in files:
        part = parts.get(whole_name(file))
        said = _is_part(directory / file, part, buffer) if part is not None else False
        if said is False:
            return False
        is_proven = is_proven or said is True
    return is_proven


def _is_part(path: Path, part: Part, buffer: memoryview) -> bool | None:
    """Tell whether one of some blocks of a file is right; ``None`` if it is empty."""
    try:
        file = open_regular(path)
    except NotReadable:
        raise
    except (NotFound, NotRegular, DiskError):
        return False
    try:
        with disk_errors(path):
            size = os.fstat(file).st_size
        return any(_is_right(file, part, number, buffer) for number in _spread(size, part, len(buffer))) or (
            None if size == 0 else False
        )
    finally:
        os.close(file)


def _spread(size: int, part: Part, block_bytes: int) -> list[int]:
    """Return the numbers of blocks to look at, of those of which a file of this size has the beginning."""
    count = min(-(-size // block_bytes), len(part.blocks))
    return sorted({count * step // _SAMPLES for step in range(_SAMPLES)} | {count - 1}) if count else []


def _is_right(file: int, part: Part, number: int, buffer: memoryview) -> bool:
    block = buffer[: min(len(buffer), part.size - number * len(buffer))]
    try:
        os.lseek(file, number * len(buffer), os.SEEK_SET)
        return read_from(file, block) == len(block) and block_sum(block) == part.blocks[number]
    except OSError:
        # A bad sector: other blocks may tell.
        return False
