"""Verifies a bundle, with the checks numbered as in docs/format.md; finds everything, stops at nothing.

1 format and version · 2 signature · 3 set of parts · 4 size and xxh3 of each part, by block · 5 sha256 of each
part · 6 closure · 7 digest of every blob · 8 DiffID of every layer
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bundler.bundle.blob_check import BlobCheck
from bundler.bundle.closure import Disagreement, check_closure
from bundler.bundle.findings import LAST_CHECK, Finding, Level, VerificationReport
from bundler.bundle.impact import ImpactMap
from bundler.bundle.manifest import Archive, Blob, Image, Part
from bundler.bundle.names import is_part_name, is_system_file
from bundler.bundle.part_scan import PartProblem, PartScan
from bundler.bundle.reader import Bundle
from bundler.content.files import disk_errors
from bundler.progress import SILENT, Progress, Task

#: Check 2: is given the directory and the bytes of bundle.json; returns what is wrong with the signature.
SignatureCheck = Callable[[Path, bytes], "Finding | None"]


def verify_bundle(
    bundle: Bundle,
    level: Level = "full",
    *,
    signature: SignatureCheck | None = None,
    progress: Progress = SILENT,
) -> VerificationReport:
    """Check a bundle as far as ``level`` says; each part is read once.

    Args:
        bundle: The open bundle; that it could be opened is check 1. Its limits bound what layers unpack to.
        level: ``quick`` is checks 1 to 4, ``full`` 1 to 6, ``deep`` 1 to 8.
        signature: Check 2, where the user gave a key.
        progress: Is told the bytes of parts that were looked at.
    """
    total = sum(archive.size for archive in bundle.manifest.archives)
    with progress.task("verify", total) as task:
        run = _Verification(bundle, level, task)
        return run.report(signature)


class _Verification:
    def __init__(self, bundle: Bundle, level: Level, task: Task) -> None:
        self._bundle = bundle
        self._manifest = bundle.manifest
        self._level: Level = level
        self._last = LAST_CHECK[level]
        self._task = task
        self._impact = ImpactMap(bundle.manifest)
        self._findings: list[Finding] = list(bundle.findings)

    def report(self, signature: SignatureCheck | None) -> VerificationReport:
        if signature is not None and (finding := signature(self._bundle.directory, self._manifest.raw)):
            self._findings.append(finding)
        left_by_systems = self._check_strangers()
        scan = PartScan(self._manifest.block_bytes, with_sha256=self._last >= 5)
        try:
            for archive in self._manifest.archives:
                self._check_archive(archive, scan)
        finally:
            scan.close()
        if self._last >= 6:
            for application in self._manifest.applications:
                for image in application.images:
                    if wrong := check_closure(self._bundle, image):
                        self._report_image(image, application.name, wrong)
        found = sorted(self._findings, key=lambda finding: (finding.check, finding.file, finding.offset or 0))
        return VerificationReport(self._manifest.id, self._level, tuple(found), left_by_systems)

    def _check_strangers(self) -> tuple[str, ...]:
        """Check 3, the other way round: nothing is named like a part that is none of this bundle."""
        known = {part.file for part in self._manifest.parts}
        with disk_errors(self._bundle.directory):
            names = sorted(path.name for path in self._bundle.directory.iterdir())

        def _is_known(name: str) -> bool:
            # A file system may give names back in capitals; one that knows both cases may hold both.
            return name in known or (name.lower() in known and name.lower() not in names)

        for name in names:
            if is_part_name(name) and not is_system_file(name) and not _is_known(name):
                self._findings.append(Finding(3, "stranger", name, expected="no such part", found="a file"))
        return tuple(name for name in names if is_system_file(name))

    def _check_archive(self, archive: Archive, scan: PartScan) -> None:
        """Checks 3, 4, 5, and with them in the same pass 7 and 8."""
        parts = self._bundle.parts_of(archive.name)
        blobs = (
            BlobCheck(self._impact.blobs_in(archive.name), self._bundle.limits, self._report_blob)
            if self._last >= 7
            else None
        )
        try:
            for index, part in enumerate(archive.parts):
                self._task.describe(part.file)
                start = parts.start_of(index)
                consumer = _shifted(blobs, start) if blobs is not None else None
                for problem in scan.scan(parts.path_of(part), part, consumer, self._task.advance):
                    self._report_part(archive, part, start, problem)
        finally:
            if blobs is not None:
                blobs.close()

    def _report_part(self, archive: Archive, part: Part, start: int, problem: PartProblem) -> None:
        # What stands behind the end of a part hits no image, but the file is not what left the near side.
        end = start + min(problem.offset + problem.length, part.size)
        hit = self._impact.of_range(archive.name, start + min(problem.offset, part.size), end)
        whole = problem.code in ("missing", "not-regular", "wrong-sha256")
        self._findings.append(
            Finding(
                check=problem.check,
                code=problem.code,
                file=part.file,
                offset=None if whole else problem.offset,
                length=None if whole else problem.length,
                expected=problem.expected,
                found=problem.found,
                blobs=hit.blobs,
                applications=hit.applications,
                images=hit.images,
            )
        )

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
