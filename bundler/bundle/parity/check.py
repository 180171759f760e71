"""Parity is checked like parts: every copy of its files once, block by block. It hits no image."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bundler.bundle.block_reader import PartLocations
from bundler.bundle.findings import Finding
from bundler.bundle.names import PARITY_JSON, is_parity_name
from bundler.bundle.parity.search import FoundParity
from bundler.bundle.parity.table import ParityTable
from bundler.bundle.part_scan import PartScan, ScannedPart
from bundler.bundle.part_verdict import Verdict, judge
from bundler.content.files import disk_errors
from bundler.progress import Task

_TABLE = "a table of parity, which `airbundle repair` makes again"


def check_parity_tables(parity: FoundParity) -> Iterator[tuple[Finding, Path]]:
    """Yield what is wrong with the files parity.json, each with its directory (checks 1 and 3)."""
    for table in parity.unusable:
        # Two parities of one bundle are both right; the first one counts.
        if table.code == "other-bundle":
            expected = "the parity of this bundle"
            yield Finding(3, table.code, PARITY_JSON, expected=expected, found=table.found), table.path.parent
        elif table.code != "other-parity":
            mendable = bool(parity.places)
            yield (
                Finding(1, table.code, PARITY_JSON, expected=_TABLE, found=table.found, mendable=mendable),
                table.path.parent,
            )


def find_lost_tables(parity: FoundParity, directories: Iterable[Path]) -> Iterator[tuple[Finding, Path]]:
    """Yield each directory that has parity files, where no parity.json says what they are (check 3)."""
    if parity.table is not None or parity.unusable:
        return
    for directory in directories:
        with disk_errors(directory):
            names = [path.name for path in directory.iterdir() if is_parity_name(path.name)]
        if names:
            yield Finding(3, "missing", PARITY_JSON, expected=_TABLE, found="parity files without it"), directory


def is_of_parity_table(finding: Finding) -> bool:
    """Tell whether all that is wrong is that no parity.json can be used: the bundle itself is not hit by that."""
    return finding.file == PARITY_JSON and finding.expected == _TABLE


def with_tables_judged(findings: Sequence[Finding]) -> list[Finding]:
    """Return all findings; a lost parity.json is mendable if all else is: parity is made again of the data."""
    can_be_made = all(one.mendable or one.file == PARITY_JSON for one in findings)
    return [replace(one, mendable=True) if is_of_parity_table(one) and can_be_made else one for one in findings]


def scan_parity(
    table: ParityTable, locations: PartLocations, scan: PartScan, task: Task
) -> Iterator[tuple[ScannedPart, list[Verdict]]]:
    """Scan the parity files in their order; yield with each what is to be said of it."""
    for file in table.files:
        task.describe(file.file)
        scanned = scan.scan(locations.candidates(file.file), file, None, task.advance)
        yield scanned, list(judge(file, scanned, table.geometry.block_bytes))
