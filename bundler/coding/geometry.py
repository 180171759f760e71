"""The shape of a stripe: how many blocks it has, how large they are, and how a block is cut into columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bundler.errors import UsageError

#: Data and parity blocks of a stripe together: each stands for another element of the field.
MOST_BLOCKS = 255
#: A block is cut into as many sub-blocks as a symbol of the code has bits.
SUB_BLOCKS = 8


class Run(NamedTuple):
    """Bytes of a block that lie side by side."""

    offset: int
    length: int


def check_geometry(data_blocks: int, parity_blocks: int) -> None:
    """Accept a stripe of so many blocks.

    Raises:
        UsageError: there is no data block or no parity block, or there are more than 255 of both together.
    """
    if data_blocks < 1 or parity_blocks < 1:
        raise UsageError(
            f"a stripe of {data_blocks} data and {parity_blocks} parity blocks: it needs one of each at least"
        )
    if data_blocks + parity_blocks > MOST_BLOCKS:
        raise UsageError(
            f"a stripe of {data_blocks} data and {parity_blocks} parity blocks: "
            f"it has {MOST_BLOCKS} at most, both together"
        )


def check_block_bytes(block_bytes: int) -> None:
    """Accept a size of blocks.

    Raises:
        UsageError: it is not a multiple of 8, or below 8.
    """
    if block_bytes < SUB_BLOCKS or block_bytes % SUB_BLOCKS:
        raise UsageError(f"a block of {block_bytes} bytes: its size must be a multiple of {SUB_BLOCKS}, not 0")


def column_runs(block_bytes: int, start: int, end: int) -> tuple[Run, ...]:
    """Return the eight runs of a block that are its column from ``start`` to ``end``.

    The runs of a column, joined in this order, are a block of ``8 * (end - start)`` bytes, and the code keeps
    columns apart: parity made of the columns of data blocks is the column of their parity blocks, and likewise for
    blocks that are mended. So who cannot hold whole blocks works on one column of them after the other.

    Args:
        block_bytes: Size of the whole block; a multiple of 8.
        start: Where the column begins in each sub-block, in bytes from 0.
        end: Where it ends; above ``start``, at most ``block_bytes // 8``.

    Raises:
        UsageError: the size is none for a block, or the column is empty or not within the block.
    """
    check_block_bytes(block_bytes)
    height = block_bytes // SUB_BLOCKS
    if not 0 <= start < end <= height:
        raise UsageError(f"a column from {start} to {end}: sub-blocks of this block have {height} bytes")
    return tuple(Run(sub_block * height + start, end - start) for sub_block in range(SUB_BLOCKS))


def cut(start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of the pieces of at most ``size`` that lie between two positions."""
    for position in range(start, end, size):
        yield position, min(position + size, end)
