"""Which findings can be put right: one rule for all who check or mend a bundle. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from bundler.bundle.findings import Finding
from bundler.bundle.manifest import Part
from bundler.bundle.names import BUNDLE_JSON
from bundler.bundle.parity.check import is_of_parity_table

#: Problems of blocks, and of files for lack of blocks: right blocks put them right.
_OF_BLOCKS = frozenset(
    {
        "damaged-block", "missing", "not-regular", "too-long", "too-short", "unfinished", "unreadable",
        "wrong-sha256",
    }
)  # fmt: skip


def judged(
    findings: Iterable[Finding],
    files: Mapping[str, Part],
    absent: Mapping[str, Collection[int]],
    can_make: Callable[[Part, int], bool],
    block_bytes: int,
) -> list[Finding]:
    """Return the findings; those on files are mendable now if the blocks that they lack can be had or made.

    Args:
        findings: As checks found them; what was mendable stays so.
        files: Parts and parity files by name: findings on others stay as they are.
        absent: Of these the numbers of blocks that are right nowhere; all others can be had.
        can_make: Tells of an absent block whether parity makes it again.
        block_bytes: Bytes of a block.
    """

    def is_mendable(finding: Finding) -> bool:
        part = files.get(finding.file)
        if finding.mendable or part is None or not is_of_blocks(finding):
            return finding.mendable
        within = blocks_of(finding, part, block_bytes)
        return all(can_make(part, number) for number in absent.get(part.file, ()) if number in within)

    return [replace(finding, mendable=is_mendable(finding)) for finding in findings]


def with_copy_judged(findings: Sequence[Finding]) -> list[Finding]:
    """Return all findings; that a copy was cut is mendable if something is lost of it, and all that is mendable.

    A copy that lost nothing waits for nothing but to be finished, which running it again does as well.
    """
    others = [one for one in findings if not (_is_cut_copy(one) or is_of_parity_table(one))]
    can_be_finished = bool(others) and all(one.mendable for one in others)
    return [replace(one, mendable=True) if _is_cut_copy(one) and can_be_finished else one for one in findings]


def _is_cut_copy(finding: Finding) -> bool:
    # Of several directories each is mended by itself: what one of them lacks says nothing of the other.
    return (finding.file, finding.code, finding.directory) == (BUNDLE_JSON, "unfinished", None)


def is_of_blocks(finding: Finding) -> bool:
    """Tell whether right blocks put a finding right, if it is one on a part or a parity file."""
    return finding.code in _OF_BLOCKS


def blocks_of(finding: Finding, part: Part, block_bytes: int) -> range:
    """Return the numbers of the blocks that a finding on a file speaks of."""
    if finding.offset is None or finding.length is None or finding.offset >= part.size:
        return range(len(part.blocks))
    return range(finding.offset // block_bytes, -(-(finding.offset + finding.length) // block_bytes))
