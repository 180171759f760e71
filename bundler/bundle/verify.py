"""Verifies a bundle, with the checks numbered as in docs/format.md; finds everything, stops at nothing.

A bundle may lie in several directories: what one does not hold another may. Every copy of a part is judged, and
what is wrong with one is mendable if others hold it right.

1 format and version · 2 signature · 3 set of parts · 4 size and xxh3 of each part, by block · 5 sha256 of each
part · 6 closure · 7 digest of every blob · 8 DiffID of every layer
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bundler.bundle.blob_check import BlobCheck
from bundler.bundle.closure import Disagreement, check_closure
from bundler.bundle.findings import LAST_CHECK, Finding, Level, VerificationReport
from bundler.bundle.impact import Impact, ImpactMap
from bundler.bundle.manifest import Archive, Blob, Image, Part
from bundler.bundle.parity.check import check_parity_tables, find_lost_tables, scan_parity, with_tables_judged
from bundler.bundle.parity.search import FoundParity, read_parity
from bundler.bundle.part_scan import PartScan, ScannedPart, bytes_to_read
from bundler.bundle.part_verdict import Verdict, judge
from bundler.bundle.reader import Bundle
from bundler.bundle.readme_check import check_readme
from bundler.bundle.repair.erasures import Erasures
from bundler.bundle.repair.scanned_blocks import lost_blocks
from bundler.bundle.repair.stripe_map import StripeMap
from bundler.bundle.repair.verdicts import judged, with_copy_judged
from bundler.bundle.scan_queue import Job, run_scans
from bundler.bundle.strangers import find_strangers
from bundler.errors import NotReadable
from bundler.progress import SILENT, Progress, Task

#: Check 2: is given the directory and the bytes of bundle.json; returns what is wrong with the signature.
SignatureCheck = Callable[[Path, bytes], "Finding | None"]


@dataclass(frozen=True)
class Examination:
    """What a check saw, for those who want to mend it.

    Attributes:
        report: the verdict.
        scans: what was found of each part, and of each parity file, by name.
        parity: the parity that lies in the directories of the bundle.
    """

    report: VerificationReport
    scans: Mapping[str, ScannedPart]
    parity: FoundParity


def verify_bundle(
    bundle: Bundle,
    level: Level = "full",
    *,
    signature: SignatureCheck | None = None,
    readme: bytes | None = None,
    progress: Progress = SILENT,
) -> VerificationReport:
    """Check a bundle as far as ``level`` says; each copy of a part, and of a parity file, is read once.

    Damage that parity can mend is said to be mendable.

    Args:
        bundle: The open bundle; that it could be opened is check 1. Its limits bound what layers unpack to.
        level: ``quick`` is checks 1 to 4, ``full`` 1 to 6, ``deep`` 1 to 8.
        signature: Check 2, where the user gave a key.
        readme: What is written into README.txt of this bundle; ``None``: that file is not looked at.
        progress: Is told the bytes of parts and of parity that were looked at.

    Raises:
        NotReadable: this user may not read a file of it.
    """
    return examine(bundle, level, signature=signature, readme=readme, progress=progress).report


def examine(
    bundle: Bundle,
    level: Level,
    *,
    signature: SignatureCheck | None = None,
    readme: bytes | None = None,
    parity: FoundParity | None = None,
    files_only: bool = False,
    progress: Progress = SILENT,
) -> Examination:
    """Check a bundle as :func:`verify_bundle` does, and return what was seen as well.

    ``parity`` is what to check its parity files against; if it is not given, what lies in its directories. With
    ``files_only`` checks 1 to 5 are made and no later one: whether the files are as they were packed.
    """
    if parity is None:
        parity = read_parity(bundle.locations.directories, bundle.manifest.id, bundle.limits)
    for finding in bundle.findings:
        if finding.code == "denied":
            # It was not checked, which is not the same as bad.
            raise NotReadable(finding.found or finding.file)
    files = (*bundle.manifest.parts, *(parity.table.files if parity.table else ()))
    total = sum(bytes_to_read(bundle.locations.candidates(file.file), file) for file in files)
    with progress.task("verify", total) as task:
        last = min(LAST_CHECK[level], 5) if files_only else LAST_CHECK[level]
        return _Verification(bundle, level, last, parity, task).examination(signature, readme)


class _Verification:
    def __init__(self, bundle: Bundle, level: Level, last: int, parity: FoundParity, task: Task) -> None:
        self._bundle = bundle
        self._parity = parity
        self._scans: dict[str, ScannedPart] = {}
        self._manifest = bundle.manifest
        self._level: Level = level
        self._last = last
        self._task = task
        self._impact = ImpactMap(bundle.manifest)
        self._findings: list[Finding] = list(bundle.findings)
        self._directories = bundle.locations.directories
        # Parts may be read by several threads; progress is told by one at a time.
        self._lock = threading.Lock()

    def examination(self, signature: SignatureCheck | None, readme: bytes | None) -> Examination:
        if signature is not None:
            self._findings += self._check_signature(signature)
        if readme is not None:
            self._check_readme(readme)
        left_by_systems = self._check_strangers()
        run_scans(self._scans_to_make(), self._manifest.block_bytes, with_sha256=self._last >= 5)
        self._check_parity()
        if self._last >= 6:
            for application in self._manifest.applications:
                for image in application.images:
                    if wrong := check_closure(self._bundle, image):
                        self._report_image(image, application.name, wrong)
        found = with_tables_judged(with_copy_judged(self._with_parity(self._findings)))
        found.sort(key=_order)
        report = VerificationReport(self._manifest.id, self._level, tuple(found), left_by_systems)
        return Examination(report, self._scans, self._parity)

    def _scans_to_make(self) -> list[Job]:
        """Return what reads every part: each by itself, or archive by archive where blobs are followed through."""
        if self._last >= 7:
            return [partial(self._check_archive, archive) for archive in self._manifest.archives]
        return [
            partial(self._check_part, archive, index, None)
            for archive in self._manifest.archives
            for index in range(len(archive.parts))
        ]

    def _check_parity(self) -> None:
        """Checks 1 and 3 to 5 of the parity, if there is one."""
        self._findings += [self._placed(*found) for found in check_parity_tables(self._parity)]
        if not self._bundle.is_unfinished:
            lost = find_lost_tables(self._parity, self._directories)
            self._findings += [self._placed(*found) for found in lost]
        table = self._parity.table
        if table is not None:
            with closing(PartScan(self._manifest.block_bytes, with_sha256=self._last >= 5)) as scan:
                scanned = scan_parity(table, self._bundle.locations, scan, self._task)
                for file, (seen, verdicts) in zip(table.files, scanned, strict=True):
                    self._scans[file.file] = seen
                    self._findings += [self._finding(file, verdict, Impact()) for verdict in verdicts]

    def _with_parity(self, findings: list[Finding]) -> list[Finding]:
        """Say of each finding whether parity can put it right."""
        table = self._parity.table
        if table is None:
            return findings
        stripes, size = StripeMap(table), self._manifest.block_bytes
        absent = {file: lost_blocks(stripes.files[file], seen, size) for file, seen in self._scans.items()}
        return judged(findings, stripes.files, absent, Erasures(stripes, absent).can_make, size)

    def _check_signature(self, signature: SignatureCheck) -> list[Finding]:
        """Check 2: the table is one, so one right signature over it is enough."""
        found = []
        for directory in self._directories:
            finding = signature(directory, self._manifest.raw)
            if finding is None:
                return []
            found.append(self._placed(finding, directory))
        return found

    def _check_readme(self, expected: bytes) -> None:
        for directory in self._directories:
            if wrong := check_readme(directory, expected, self._bundle.limits):
                self._findings.append(self._placed(wrong, directory))

    def _check_strangers(self) -> tuple[str, ...]:
        table = self._parity.table
        known = {part.file for part in (*self._manifest.parts, *(table.files if table else ()))}
        left_by_systems: set[str] = set()
        for directory in self._directories:
            strangers, systems = find_strangers(directory, known, with_parity=table is not None)
            self._findings += [self._placed(finding, directory) for finding in strangers]
            left_by_systems.update(systems)
        return tuple(sorted(left_by_systems))

    def _placed(self, finding: Finding, directory: Path) -> Finding:
        """Name the directory where there are several to choose from."""
        return replace(finding, directory=str(directory)) if len(self._directories) > 1 else finding

    def _check_archive(self, archive: Archive, scan: PartScan) -> None:
        """Checks 3, 4, 5, and with them in the same pass 7 and 8."""
        blobs = BlobCheck(self._impact.blobs_in(archive.name), self._bundle.limits, self._report_blob)
        try:
            for index in range(len(archive.parts)):
                self._check_part(archive, index, blobs, scan)
        finally:
            blobs.close()

    def _check_part(self, archive: Archive, index: int, blobs: BlobCheck | None, scan: PartScan) -> None:
        """Checks 3, 4, 5 of one part."""
        parts, part = self._bundle.parts_of(archive.name), archive.parts[index]
        with self._lock:
            self._task.describe(part.file)
        start = parts.start_of(index)
        consumer = _shifted(blobs, start) if blobs is not None else None
        copies = parts.locations.candidates(part.file)
        scanned = self._scans[part.file] = scan.scan(copies, part, consumer, self._advance)
        for verdict in judge(part, scanned, parts.block_bytes):
            self._report_part(archive, part, start, verdict)

    def _advance(self, count: int) -> None:
        with self._lock:
            self._task.advance(count)

    def _report_part(self, archive: Archive, part: Part, start: int, verdict: Verdict) -> None:
        # What stands behind the end of a part hits no image, but the file is not what left the near side.
        hit = self._impact.of_ranges(
            archive.name, [(start + first, start + last) for first, last in verdict.ranges]
        )
        self._findings.append(self._finding(part, verdict, hit))

    def _finding(self, part: Part, verdict: Verdict, hit: Impact) -> Finding:
        problem = verdict.problem
        finding = Finding(
            check=problem.check,
            code=problem.code,
            file=part.file,
            offset=problem.offset if verdict.has_place else None,
            length=problem.length if verdict.has_place else None,
            expected=problem.expected,
            found=problem.found,
            blobs=hit.blobs,
            applications=hit.applications,
            images=hit.images,
            mendable=verdict.mendable,
        )
        return self._placed(finding, verdict.path.parent) if verdict.path else finding

    def _report_blob(self, blob: Blob, check: int, expected: str, found: str) -> None:
        """Checks 7 and 8: the parts are what was packed, and yet a blob is not what it says."""
        parts = self._bundle.parts_of(blob.archive)
        index, inside = parts.locate(blob.offset)
        hit = self._impact.of_blobs([blob.digest], blob.archive)
        self._findings.append(
            Finding(
                check=check,
                code="wrong-digest" if check == 7 else "wrong-diff-id",
                file=parts.archive.parts[index].file,
                offset=inside,
                length=blob.size,
                expected=expected,
                found=found,
                blobs=hit.blobs,
                applications=hit.applications,
                images=hit.images,
            )
        )

    def _report_image(self, image: Image, application: str, wrong: Disagreement) -> None:
        """Check 6; the place is that of the image's root."""
        blob = self._manifest.blob_by_digest[image.descriptor.digest]
        parts = self._bundle.parts_of(blob.archive)
        index, inside = parts.locate(blob.offset)
        self._findings.append(
            Finding(
                check=6,
                code=wrong.code,
                file=parts.archive.parts[index].file,
                offset=inside,
                length=blob.size,
                expected=wrong.expected,
                found=wrong.found,
                blobs=(blob.digest,),
                applications=(application,),
                images=(image.reference,),
            )
        )


def _shifted(blobs: BlobCheck, start: int) -> Callable[[int, memoryview], None]:
    """Return a consumer that turns places in a part into places in its archive."""
    return lambda offset, block: blobs.feed(start + offset, block)


def _order(finding: Finding) -> tuple[int, str, int, str]:
    return finding.check, finding.file, finding.offset or 0, finding.directory or ""
