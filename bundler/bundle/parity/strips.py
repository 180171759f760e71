"""In which pieces parity is made: as many stripes at once as memory holds, or columns of a single one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bundler.bundle.parity.geometry import Geometry
from bundler.coding.geometry import SUB_BLOCKS, Run, column_runs

#: Bytes that are held for blocks at any time. The interpreter with numpy takes some 50 MiB beside them.
HELD_BYTES = 44 << 20
#: Buffers for data: one is filled while the other is worked on.
BUFFERS = 2
#: What the code keeps for each stripe beside its blocks: sums of sub-blocks, of at most so large pieces of blocks.
_SUMS, _SUMMED_BYTES = 3, 512 << 10
#: Small blocks are read so many bytes at a time: each reading costs as much as some tens of KiB.
_READ_BYTES = 4 << 20


@dataclass(frozen=True)
class Strip:
    """What is made in one go.

    Attributes:
        first, end: its stripes.
        runs: the ranges of each block that it covers; one, the whole block, unless a block is too large.
        is_last: whether its stripes are whole with it.
    """

    first: int
    end: int
    runs: tuple[Run, ...]
    is_last: bool

    @property
    def unit_bytes(self) -> int:
        """Bytes of each block that it covers."""
        return sum(run.length for run in self.runs)


@dataclass(frozen=True)
class Shape:
    """How stripes of a geometry are cut into strips.

    Reading jumps from slice to slice. In each it takes the blocks of a whole strip, which lie side by side, so the
    more stripes a strip has, the longer are its runs; all parity blocks of a strip must be held while it is read.
    Going through the slices from front to back instead would take the memory of all parity, which is what
    happens where that fits: then there is one strip, and the parts are read as they lie.

    Attributes:
        stripes: of a strip, 1 or more.
        at_once: stripes whose blocks are read at a time.
        columns: into how many pieces each block is cut, 1 unless a strip of one stripe is still too large. The
            data are then read once for each.
        unit_bytes: largest size of such a piece, or of a whole block.
    """

    stripes: int
    at_once: int
    columns: int
    unit_bytes: int

    def strips(self, block_bytes: int, first: int, end: int) -> Iterator[Strip]:
        """Yield the strips of the stripes from ``first`` to ``end``, in the order in which they are made."""
        for start in range(first, end, self.stripes):
            stop = min(start + self.stripes, end)
            if self.columns == 1:
                yield Strip(start, stop, (Run(0, block_bytes),), is_last=True)
                continue
            height, width = block_bytes // SUB_BLOCKS, self.unit_bytes // SUB_BLOCKS
            for begin in range(0, height, width):
                last = min(begin + width, height)
                yield Strip(start, stop, column_runs(block_bytes, begin, last), is_last=last == height)


def shape_of(geometry: Geometry, copies: int) -> Shape:
    """Choose how to make the parity of a geometry.

    Args:
        geometry: The layout.
        copies: How often each parity block is held while it is made, 1 or more.
    """
    block = geometry.block_bytes
    stripe_bytes = _stripe_bytes(geometry, copies, block)
    if stripe_bytes + BUFFERS * block <= HELD_BYTES:
        at_once = min(max(_READ_BYTES // block, 1), geometry.stripes)
        stripes = (HELD_BYTES - BUFFERS * at_once * block) // stripe_bytes
        stripes = min(max(stripes, 1), geometry.stripes)
        return Shape(stripes, min(at_once, stripes), 1, block)
    height, columns = block // SUB_BLOCKS, 2
    while True:
        unit = -(-height // columns) * SUB_BLOCKS
        if unit == SUB_BLOCKS or _stripe_bytes(geometry, copies, unit) + BUFFERS * unit <= HELD_BYTES:
            return Shape(1, 1, -(-block // unit), unit)
        columns += 1


def _stripe_bytes(geometry: Geometry, copies: int, unit: int) -> int:
    """Return what is held for a stripe while so many bytes of each of its blocks are worked on."""
    return geometry.m * copies * unit + _SUMS * min(unit, _SUMMED_BYTES)
