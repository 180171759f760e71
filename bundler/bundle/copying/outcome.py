"""What a whole copy came to: over all destinations, with whom the rest hits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from bundler.bundle.copying.report import BadRange, CopyReport
from bundler.bundle.findings import Finding, worst
from bundler.bundle.impact import Impact, ImpactMap
from bundler.bundle.manifest import Archive, BundleManifest, Part
from bundler.errors import ExitStatus


@dataclass(frozen=True)
class DestinationOutcome:
    """What one directory, or one of the media that were mounted there, got.

    Attributes:
        parts: that were to be copied there.
        report: what became of them.
    """

    directory: Path
    parts: tuple[Part, ...]
    report: CopyReport

    @property
    def is_complete(self) -> bool:
        """Whether all of them are there and right, and bundle.json beside them; that does not wait for parity."""
        return self.report.is_whole


@dataclass(frozen=True)
class CopyOutcome:
    """What a copy did.

    Attributes:
        manifest: the bundle's table of contents.
        destinations: in the order in which they were written.
        waiting: parts for which there was no medium any more; nobody tried to copy them.
        parity: the parity files, which are copied like parts.
    """

    manifest: BundleManifest
    destinations: tuple[DestinationOutcome, ...]
    waiting: tuple[Part, ...] = ()
    parity: tuple[Part, ...] = ()

    @property
    def report(self) -> CopyReport:
        """What was done to all destinations together."""
        return sum((one.report for one in self.destinations), CopyReport())

    @property
    def missing(self) -> tuple[str, ...]:
        """Parts that no destination got, as no source had them or no medium had room."""
        return (*self.report.missing, *(part.file for part in self.waiting))

    @property
    def is_complete(self) -> bool:
        """Whether everything that was asked for is at the destinations, and right."""
        return self.report.is_whole and not self.waiting

    @property
    def exit_status(self) -> ExitStatus:
        """What the command says: damage weighs more than absence, and both more than parity to be made again."""
        return worst(self.findings)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Every range that is bad and every part that is missing, with whom it hits, as ``verify`` says it.

        What a parity file lacks is mendable if no part lacks anything, and a medium is there for it.
        """
        parity = {file.file: file for file in self.parity}
        waiting = {part.file for part in self.waiting}
        can_be_made = self.report.lacking | waiting <= parity.keys()
        places = _places(self.manifest.archives)
        sizes = {part.file: part.size for part in (*self.manifest.parts, *self.parity)}
        impact = ImpactMap(self.manifest)
        missing = (BadRange(file, 0, sizes[file], "missing", "nothing") for file in self.missing)
        found = []
        for bad in (*self.report.bad, *missing):
            hit = Impact() if bad.file in parity else _impact(bad, impact, *places[bad.file])
            is_mendable = bad.file in parity and can_be_made and bad.file not in waiting
            found.append(_finding(bad, sizes[bad.file], hit, mendable=is_mendable))
        return tuple(found)


def after_retry(
    before: CopyReport, parts: Sequence[Part], retried: Collection[Part], again: CopyReport
) -> CopyReport:
    """Return what a copy of ``parts`` came to after some of them were tried again, with the outcome ``again``.

    What was kept then had been copied or kept before; so the counts still add up to the size of all parts.
    """
    rank = {part.file: number for number, part in enumerate(parts)}
    files = {part.file for part in retried}
    bad = [*(bad for bad in before.bad if bad.file not in files), *again.bad]
    missing = [*(file for file in before.missing if file not in files), *again.missing]
    return CopyReport(
        bytes_copied=before.bytes_copied + again.bytes_copied,
        bytes_kept=before.bytes_kept,
        bytes_bad=before.bytes_bad - again.bytes_copied,
        bad=tuple(sorted(bad, key=lambda one: (rank[one.file], one.offset))),
        missing=tuple(sorted(missing, key=rank.__getitem__)),
        bytes_mended=before.bytes_mended + again.bytes_mended,
        gone=again.gone,
    )


def _places(archives: Iterable[Archive]) -> dict[str, tuple[str, int]]:
    """Return of each part its archive, and where it begins in it."""
    places = {}
    for archive in archives:
        starts = accumulate((part.size for part in archive.parts), initial=0)
        for start, part in zip(starts, archive.parts, strict=False):
            places[part.file] = (archive.name, start)
    return places


def _impact(bad: BadRange, impact: ImpactMap, archive: str, start: int) -> Impact:
    return impact.of_range(archive, start + bad.offset, start + bad.offset + bad.length)


def _finding(bad: BadRange, size: int, hit: Impact, *, mendable: bool) -> Finding:
    is_missing = bad.code == "missing"
    return Finding(
        check=3 if is_missing else 4,
        code=bad.code,
        file=bad.file,
        offset=None if is_missing else bad.offset,
        length=None if is_missing else bad.length,
        expected=f"{size} bytes" if is_missing else "the bytes that were packed",
        found=bad.found,
        blobs=hit.blobs,
        applications=hit.applications,
        images=hit.images,
        mendable=mendable,
    )
