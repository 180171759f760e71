"""Finds the blocks of a bundle that are right nowhere: reads every part once, and makes sums of blocks only."""

from __future__ import annotations

from collections.abc import Sequence

from bundler.bundle.block_reader import BlockFailure, BlockReader, PartLocations
from bundler.bundle.manifest import Part
from bundler.bundle.requests.block_ranges import BlockAt, BlockRanges
from bundler.errors import NotReadable
from bundler.progress import Task


def find_missing(locations: PartLocations, parts: Sequence[Part], block_bytes: int, task: Task) -> BlockRanges:
    """Return the blocks that no place holds right; what is unfinished counts where it is right.

    Args:
        locations: The places.
        parts: All parts of the bundle, in the order of bundle.json.
        block_bytes: Size of a block.
        task: Is told the bytes that were looked at.

    Raises:
        NotReadable: this user may not read a part: whether its blocks are right is not known.
    """
    missing: list[BlockAt] = []
    reader = BlockReader(locations, block_bytes)
    buffer = memoryview(bytearray(block_bytes))
    try:
        for index, part in enumerate(parts):
            task.describe(part.file)
            for number in range(len(part.blocks)):
                if not is_right(reader.read(part, number, buffer)):
                    missing.append((index, number))
                task.advance(reader.length(part, number))
    finally:
        reader.close()
    return BlockRanges.of(missing)


def is_right(failure: BlockFailure | None) -> bool:
    """Tell whether a block could be had.

    Raises:
        NotReadable: nobody may say, because this user may not read it.
    """
    if failure is not None and failure.code == "denied":
        raise NotReadable(failure.found)
    return failure is None
