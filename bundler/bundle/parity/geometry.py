"""How a bundle's bytes are laid out for parity: slices, stripes, and how many of each (docs/format.md, "Parity").

The parts, joined in the order of bundle.json and padded with zeros, are cut into ``k`` slices of equally many
blocks. Stripe ``j`` is block ``j`` of each slice; it has ``m`` parity blocks, one in each parity slice. Any ``m``
bad blocks of a stripe can be made again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from bundler.errors import UsageError

MOST_BLOCKS = 255
#: More parity blocks in a stripe mend more that lies badly, but cost time in proportion; a small bundle has it.
_ROWS = ((64 << 20, 16), (512 << 20, 8))
_FEWEST_ROWS = 4
#: Parity that is this much of what was asked for is near enough.
_NEAR = Fraction(21, 20)


@dataclass(frozen=True)
class Geometry:
    """The layout of one bundle's parity.

    Attributes:
        size: bytes of all parts together, 1 or more.
        block_bytes: bytes of a block, those of the bundle.
        k: data slices, 1 or more.
        m: parity slices, 1 or more; k + m ≤ 255.
    """

    size: int
    block_bytes: int
    k: int
    m: int

    def __post_init__(self) -> None:
        if self.k < 1 or self.m < 1 or self.k + self.m > MOST_BLOCKS:
            raise UsageError(f"{self.k} data and {self.m} parity blocks make no stripe: {MOST_BLOCKS} is the most")

    @property
    def blocks(self) -> int:
        """Number of data blocks; the last one may be padded with zeros."""
        return -(-self.size // self.block_bytes)

    @property
    def stripes(self) -> int:
        """Number of stripes: blocks of each slice."""
        return -(-self.blocks // self.k)

    @property
    def parity_bytes(self) -> int:
        """Bytes of all parity blocks together: slice after slice, each in the order of the stripes."""
        return self.m * self.stripes * self.block_bytes

    def place(self, block: int) -> tuple[int, int]:
        """Return stripe and slice of a data block, both from 0."""
        slice_number, stripe = divmod(block, self.stripes)
        return stripe, slice_number

    def block(self, stripe: int, slice_number: int) -> int | None:
        """Return the data block at a place; ``None`` where only padding lies, which is all zeros."""
        number = slice_number * self.stripes + stripe
        return number if number < self.blocks else None

    def parity_offset(self, stripe: int, row: int) -> int:
        """Return where a parity block begins among the joined bytes of all parity files; row from 0."""
        return (row * self.stripes + stripe) * self.block_bytes


def choose_geometry(size: int, block_bytes: int, redundancy: Fraction) -> Geometry:
    """Choose a layout whose parity is ``redundancy`` of the data, or as little more as whole blocks allow.

    It is less than a slice more, unless the bundle is so small that one parity block would mend no bad block for
    sure: see :func:`_filled`.

    Args:
        size: Bytes of all parts, 1 or more.
        block_bytes: Bytes of a block.
        redundancy: Parity bytes as a share of the data, above 0 and at most 1.

    Raises:
        UsageError: a redundancy outside of its bounds, or one so small that no stripe has it.
    """
    if not 0 < redundancy <= 1:
        raise UsageError("the redundancy is above 0 % and at most 100 %")
    rows = next((rows for most, rows in _ROWS if size < most), _FEWEST_ROWS)
    best: Geometry | None = None
    # Slices are whole: with few stripes another number of rows may come much nearer to what was asked for.
    for m in range(rows, 2 * rows):
        found = _filled(size, block_bytes, redundancy, m)
        if best is None or found.parity_bytes < best.parity_bytes:
            best = found
        if best.parity_bytes <= _NEAR * redundancy * size:
            break
    assert best is not None, "a range of rows is never empty"
    return best


def survive_parts(size: int, block_bytes: int, largest: int, count: int) -> Geometry:
    """Choose the layout with the least parity that mends ``count`` lost parts of at most ``largest`` bytes each.

    Raises:
        UsageError: no layout does: they are too much of the bundle.
    """
    if count < 1:
        raise UsageError("the number of parts to survive is at least 1")
    blocks = -(-size // block_bytes)
    best: Geometry | None = None
    for k in range(1, min(blocks, MOST_BLOCKS - 1) + 1):
        stripes = -(-blocks // k)
        # A part that begins within a block touches one block more; each stripe has that share of it, rounded up.
        touched = -(-largest // block_bytes) + 1
        m = count * -(-touched // stripes)
        if k + m <= MOST_BLOCKS:
            found = Geometry(size, block_bytes, k, m)
            if best is None or found.parity_bytes < best.parity_bytes:
                best = found
    if best is None:
        raise UsageError(
            f"no parity survives {count} lost parts of this bundle",
            advice="Make its parts smaller, or carry a second copy.",
        )
    return best


def _filled(size: int, block_bytes: int, redundancy: Fraction, rows: int) -> Geometry:
    """Return the layout of about so many parity blocks in a stripe, with the fewest of them that are enough.

    A block of a part may lie in two blocks of the only stripe: then there are two parity blocks at least.
    """
    blocks = -(-size // block_bytes)
    while rows > 1 and rows + math.floor(rows / redundancy) > MOST_BLOCKS:
        rows -= 1
    wanted = min(math.floor(rows / redundancy), MOST_BLOCKS - max(rows, 2), blocks)
    stripes = -(-blocks // wanted)
    # As many slices as there are stripes to fill: a slice of padding alone would only cost.
    k = -(-blocks // stripes)
    m = math.ceil(redundancy * size / (stripes * block_bytes))
    fewest = 2 if stripes == 1 and blocks > 1 else 1
    return Geometry(size, block_bytes, k, min(max(m, fewest), MOST_BLOCKS - k))
