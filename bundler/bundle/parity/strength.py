"""What parity mends, in numbers and in words.

All numbers hold for blocks and parts as `verify` names them. A block of a file may lie in two blocks of stripes,
as these are cut from the joined parts: then it costs both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bundler.bundle.parity.geometry import Geometry
from bundler.bundle.parity.joined import JoinedParts
from bundler.model.sizes import format_size


@dataclass(frozen=True)
class Strength:
    """What can be lost and made again.

    Attributes:
        geometry: the layout.
        lost_parts: so many parts may be lost whichever they are, if nothing else is bad.
        largest_part: bytes of the largest of them.
        is_aligned: whether each block of a file lies in one block of a stripe.
    """

    geometry: Geometry
    lost_parts: int
    largest_part: int
    is_aligned: bool = False

    @property
    def bad_blocks(self) -> int:
        """So many blocks may be bad wherever they lie, if nothing else is."""
        # The two that a block lies in follow each other: they are of different stripes, if there are two.
        in_one_stripe = 2 if self.geometry.stripes == 1 and not self.is_aligned else 1
        return self.geometry.m // in_one_stripe

    @property
    def most_bad_blocks(self) -> int:
        """So many blocks can be mended if they lie well: as many as there are of parity."""
        return self.geometry.m * self.geometry.stripes

    @property
    def longest_run(self) -> int:
        """Bytes of the longest run of the joined parts that may be lost wherever it lies; 0 if there is none."""
        # A run that begins within a block makes that block bad, and so whatever this block lies in; so at its end.
        lost_at_ends = 1 if self.is_aligned else 3
        return max(self.most_bad_blocks - lost_at_ends, 0) * self.geometry.block_bytes

    @property
    def words(self) -> str:
        """Say it in one line for people."""
        if self.lost_parts:
            count = f"{self.lost_parts} lost parts" if self.lost_parts > 1 else "one lost part"
            lost = f"any {count} of {format_size(self.largest_part)}"
        elif self.longest_run:
            lost = f"any lost run of {format_size(self.longest_run)}, no whole part"
        else:
            lost = "no whole part"
        most = self.most_bad_blocks
        if not self.bad_blocks:
            return f"{lost}, or one bad block that lies well"
        bad = "one bad block" if self.bad_blocks == 1 else f"{self.bad_blocks} bad blocks"
        return f"{lost}, or any {bad}" + (f" (up to {most} that lie well)" if most > self.bad_blocks else "")


def strength_of(geometry: Geometry, parts: JoinedParts, parity: JoinedParts | None = None) -> Strength:
    """Return what the parity of these parts mends; ``parity`` are its files, which cut no block if not given."""
    block = geometry.block_bytes
    touched = []
    for part in parts.parts:
        start = parts.start_of(part)
        touched.append((start + part.size - 1) // block - start // block + 1)
    is_aligned = _is_aligned(parts, block) and (parity is None or _is_aligned(parity, block))
    return _strength(geometry, touched, max(part.size for part in parts.parts), is_aligned=is_aligned)


def expected_strength(geometry: Geometry, sizes: Sequence[int]) -> Strength:
    """Return what is mended at least if the parts have these sizes; where they begin is not known yet."""
    touched = [-(-size // geometry.block_bytes) + 1 for size in sizes]
    return _strength(geometry, touched, max(sizes), is_aligned=False)


def _is_aligned(files: JoinedParts, block: int) -> bool:
    """Tell whether all blocks of files begin with blocks of stripes."""
    return all(files.start_of(file) % block == 0 for file in files.parts)


def _strength(geometry: Geometry, touched: Iterable[int], largest: int, *, is_aligned: bool) -> Strength:
    # Blocks that follow each other lie in stripes that do: a part has this many in one stripe at most.
    most = sorted((-(-blocks // geometry.stripes) for blocks in touched), reverse=True)
    count, used = 0, 0
    while count < len(most) and used + most[count] <= geometry.m:
        used += most[count]
        count += 1
    return Strength(geometry, count, largest, is_aligned)
