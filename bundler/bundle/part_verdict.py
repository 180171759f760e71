"""What is to be said of a part whose copies were scanned: what is damaged, and what other copies can mend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bundler.bundle.manifest import Part
from bundler.bundle.part_scan import PartProblem, ScannedCopy, ScannedPart

#: They say something of the file as a whole; no range of it would help who reads them.
_OF_THE_WHOLE = ("missing", "unfinished", "not-regular", "wrong-sha256")


@dataclass(frozen=True)
class Verdict:
    """One finding about a part, before it is known whom it hits.

    Attributes:
        problem: what is wrong.
        path: of the file; ``None`` where there is none.
        ranges: bytes of the part, from and to, that are lost by it; of mendable ones those that would be. Empty
            if all can be had.
        mendable: whether other copies hold what is wrong here.
    """

    problem: PartProblem
    path: Path | None
    ranges: tuple[tuple[int, int], ...]
    mendable: bool = False

    @property
    def has_place(self) -> bool:
        """Whether the range of the problem tells where to look."""
        return self.problem.code not in _OF_THE_WHOLE


def judge(part: Part, scanned: ScannedPart, block_bytes: int) -> Iterator[Verdict]:
    """Yield what is wrong with a part.

    Files under their final name are judged each, an unfinished one only where there is no other: what has not
    arrived is no damage, and what another copy holds is not missed.
    """
    whole = [copy for copy in scanned.copies if not copy.is_unfinished]
    if not scanned.copies:
        said = PartProblem(3, "missing", 0, part.size, f"{part.size} bytes", "nothing")
        yield Verdict(said, None, ((0, part.size),))
    elif not whole:
        yield _unfinished(part, scanned, block_bytes)
    for copy in scanned.copies:
        for problem in copy.problems:
            # Bytes that pass for right by the sums of blocks, and are not, are damage wherever they lie.
            if not copy.is_unfinished or problem.code == "wrong-sha256":
                start, end = _lost(problem, part, block_bytes)
                absent = [number for number in scanned.absent if start <= number * block_bytes < end]
                if _is_mendable(problem, copy, scanned, len(part.blocks), absent):
                    yield Verdict(problem, copy.path, ((start, end),), mendable=True)
                else:
                    # Of what others have right nobody needs to go without.
                    ranges = tuple(_runs(absent, part.size, block_bytes)) or ((start, end),)
                    yield Verdict(problem, copy.path, ranges)


def _unfinished(part: Part, scanned: ScannedPart, block_bytes: int) -> Verdict:
    there = len(part.blocks) - len(scanned.absent)
    said = PartProblem(
        3, "unfinished", 0, part.size, "a whole file", f"{there} of {len(part.blocks)} blocks in an unfinished one"
    )
    return Verdict(said, scanned.copies[0].path, tuple(_runs(scanned.absent, part.size, block_bytes)))


def _is_mendable(
    problem: PartProblem, copy: ScannedCopy, scanned: ScannedPart, count: int, absent: Sequence[int]
) -> bool:
    """Tell whether other copies hold what is wrong in one; the part has ``count`` blocks, ``absent`` are lost."""
    if any(other is not copy and other.right == count and not other.problems for other in scanned.copies):
        return True
    return not (absent or problem.code in ("too-long", "wrong-sha256") or scanned.is_disproved)


def _lost(problem: PartProblem, part: Part, block_bytes: int) -> tuple[int, int]:
    """Return the bytes of the part that are not right here: of a block that was cut also its beginning."""
    start = problem.offset // block_bytes * block_bytes if problem.code == "too-short" else problem.offset
    return min(start, part.size), min(problem.offset + problem.length, part.size)


def _runs(absent: Sequence[int], size: int, block_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges of bytes that some blocks make up, neighbours together."""
    start: int | None = None
    for place, number in enumerate(absent):
        start = number if start is None else start
        if place + 1 == len(absent) or absent[place + 1] != number + 1:
            yield start * block_bytes, min((number + 1) * block_bytes, size)
            start = None
