"""What a check of a bundle found: every problem, with both sides, and whom it hits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from bundler.errors import ExitStatus
from bundler.model.digest import Digest

Level = Literal["quick", "full", "deep"]

#: The checks, numbered as in docs/format.md.
CHECKS = {
    1: "format and version",
    2: "signature over bundle.json",
    3: "set of parts",
    4: "size and xxh3 of each part, by block",
    5: "sha256 of each part",
    6: "closure: every blob that an image needs",
    7: "digest of every blob",
    8: "DiffID of every layer",
}
LAST_CHECK: dict[Level, int] = {"quick": 4, "full": 6, "deep": 8}


@dataclass(frozen=True)
class Finding:
    """One problem.

    Attributes:
        check: number of the check that found it.
        code: stable name of the kind of problem.
        file: the file of the bundle that it lies in.
        offset: of the first wrong byte range in the file, in bytes; ``None`` for the whole file.
        length: of the range in bytes.
        expected: what the table of contents says.
        found: what is there.
        blobs, applications, images: whom it hits.
        mendable: whether the bundle itself, or another directory of it, holds what is needed to put it right.
        directory: where the file lies, if several directories were looked into.
    """

    check: int
    code: str
    file: str
    offset: int | None = None
    length: int | None = None
    expected: str | None = None
    found: str | None = None
    blobs: tuple[Digest, ...] = ()
    applications: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    mendable: bool = False
    directory: str | None = None

    @property
    def is_absence(self) -> bool:
        """Whether something is merely not there yet, as opposed to damaged."""
        return self.code in ("missing", "unfinished")


@dataclass(frozen=True)
class VerificationReport:
    """The verdict on a bundle.

    Attributes:
        id: the bundle's id; ``None`` if its table of contents could not be read.
        level: how far it was checked.
        findings: all problems; none means intact as far as the level goes.
        strangers: files that systems leave on media: listed, not judged.
    """

    id: Digest | None
    level: Level
    findings: tuple[Finding, ...]
    strangers: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def exit_status(self) -> ExitStatus:
        """What the command says: damage weighs more than absence, and both more than what can be mended."""
        return worst(self.findings)


def worst(findings: Iterable[Finding]) -> ExitStatus:
    """Return the exit status of some findings."""
    found = list(findings)
    if any(finding.check == 2 for finding in found):
        return ExitStatus.REFUSED_BY_POLICY
    lasting = [finding for finding in found if not finding.mendable]
    if any(not finding.is_absence for finding in lasting):
        return ExitStatus.DAMAGED
    if lasting:
        return ExitStatus.INCOMPLETE
    return ExitStatus.MENDABLE if found else ExitStatus.DONE
