"""From what a scan found wrong with the copies of a file to the numbers of its blocks. Pure."""

from __future__ import annotations

from bundler.bundle.manifest import Part
from bundler.bundle.part_scan import ScannedCopy, ScannedPart


def bad_blocks(copy: ScannedCopy, block_bytes: int) -> set[int]:
    """Return the numbers of the blocks that are not right in one copy of a file."""
    bad: set[int] = set()
    for problem in copy.problems:
        # What stands behind the end is no block.
        if problem.code != "too-long":
            first, end = problem.offset // block_bytes, problem.offset + problem.length
            bad.update(range(first, -(-end // block_bytes)))
    return bad


def lost_blocks(part: Part, scanned: ScannedPart, block_bytes: int) -> set[int]:
    """Return the numbers of the blocks that are right in no copy that can be trusted."""
    lost = set(range(len(part.blocks)))
    for copy in scanned.copies:
        if not is_suspicious(copy, scanned):
            lost &= bad_blocks(copy, block_bytes)
    return lost


def is_suspicious(copy: ScannedCopy, scanned: ScannedPart) -> bool:
    """Tell whether blocks of a copy that seem right may not be: its sha256 is wrong all the same."""
    if any(problem.code == "wrong-sha256" for problem in copy.problems):
        return True
    # Together the copies seem right and are not; one that is right alone has been proven alone.
    return scanned.is_disproved and bool(copy.problems)


def is_whole(copy: ScannedCopy, part: Part) -> bool:
    """Tell whether a copy is the file as it should be, under its final name."""
    return not (copy.is_unfinished or copy.problems) and copy.right == len(part.blocks)
