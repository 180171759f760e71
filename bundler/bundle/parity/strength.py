"""What parity mends, in numbers and in words."""

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
    """

    geometry: Geometry
    lost_parts: int
    largest_part: int

    @property
    def words(self) -> str:
        """Say it in one line for people."""
        size, stripes = format_size(self.largest_part), self.geometry.stripes
        if self.lost_parts > 1:
            lost = f"any {self.lost_parts} lost parts of {size}"
        elif self.lost_parts:
            lost = f"any one lost part of {size}"
        else:
            lost = f"any lost run of {format_size(self.geometry.longest_run)}, no whole part"
        bad = "1 bad block" if self.geometry.m == 1 else f"{self.geometry.m} bad blocks"
        where = "in its one stripe" if stripes == 1 else f"in each of {stripes} stripes"
        return f"{lost}, or {bad} {where}"


def strength_of(geometry: Geometry, parts: JoinedParts) -> Strength:
    """Return what the parity of these parts mends."""
    block = geometry.block_bytes
    touched = []
    for part in parts.parts:
        start = parts.start_of(part)
        touched.append((start + part.size - 1) // block - start // block + 1)
    return _strength(geometry, touched, max(part.size for part in parts.parts))


def expected_strength(geometry: Geometry, sizes: Sequence[int]) -> Strength:
    """Return what is mended at least if the parts have these sizes; where they begin is not known yet."""
    return _strength(geometry, [-(-size // geometry.block_bytes) + 1 for size in sizes], max(sizes))


def _strength(geometry: Geometry, touched: Iterable[int], largest: int) -> Strength:
    # Blocks that follow each other lie in stripes that do: a part has this many in one stripe at most.
    most = sorted((-(-blocks // geometry.stripes) for blocks in touched), reverse=True)
    count, used = 0, 0
    while count < len(most) and used + most[count] <= geometry.m:
        used += most[count]
        count += 1
    return Strength(geometry, count, largest)
