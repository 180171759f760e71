"""Which table of contents is a bundle's: the one that most files speak for (docs/format.md, section 5). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bundler.bundle.checksums import sum_of_bundle_json
from bundler.bundle.findings import Finding
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.names import CHECKSUMS, PARITY_JSON
from bundler.errors import AirbundleError, LimitExceeded, NotReadable, UnsupportedVersion

#: parity.json holds the table and names its id, and a sum of its own proves both.
_VOTES_OF_PARITY = 2
#: In a directory that a copy was cut in one file alone proves nothing: nobody has looked at it since.
_PROOF = 2


@dataclass(frozen=True)
class Candidate:
    """A file that may hold the table: its bytes if it could be read, and what they hold if that makes sense."""

    file: str
    raw: bytes | None
    manifest: BundleManifest | None = None
    problem: str = ""
    error: AirbundleError | None = None

    @property
    def code(self) -> str:
        """What is said of it where another one counts; what nobody could read is not called damaged."""
        if isinstance(self.error, NotReadable):
            return "denied"
        return "missing" if self.raw is None else "damaged-table"

    @property
    def sum(self) -> str:
        """Its sha256 if it makes sense, else nothing."""
        return self.manifest.id.hex if self.manifest else ""


@dataclass(frozen=True)
class DirectoryTables:
    """What one directory holds.

    Attributes:
        main: bundle.json, or what a copy calls it until it is whole.
        copy: the second file of the same bytes.
        sums: SHA256SUMS; ``None`` if it is not there.
        unfinished: whether the copy of the bundle into this directory was cut.
        spare: the third copy, which parity.json holds; it is looked for only where the others do not suffice.
        denied: why SHA256SUMS may not be read; ``None`` if it may.
    """

    directory: Path
    main: Candidate
    copy: Candidate
    sums: bytes | None
    unfinished: bool
    spare: Candidate | None = None
    denied: str | None = None

    @property
    def is_lost(self) -> bool:
        """Whether neither of the two files makes sense."""
        return self.main.manifest is None and self.copy.manifest is None

    @property
    def is_mended_elsewhere(self) -> bool:
        """Whether a directory without a table is a damaged one: not of another version, and not locked."""
        kinds = (UnsupportedVersion, LimitExceeded, NotReadable)
        return not any(isinstance(one.error, kinds) for one in (self.main, self.copy))

    @property
    def listed(self) -> str:
        """The sum that SHA256SUMS gives for the table; nothing if it gives none."""
        return sum_of_bundle_json(self.sums or b"") or ""

    @property
    def is_unanimous(self) -> bool:
        """Whether both files and SHA256SUMS say the same: then nothing else can outvote them."""
        return self.main.sum == self.copy.sum == self.listed != ""

    @property
    def votes(self) -> Counter[str]:
        """How many files of the directory speak for a table, by its sum."""
        votes = Counter(one for one in (self.main.sum, self.copy.sum, self.listed) if one)
        if self.spare is not None:
            votes[self.spare.sum] += _VOTES_OF_PARITY
        return votes

    def holder(self, told: str) -> Candidate | None:
        """Return the first file that holds the table of this sum."""
        held = (self.main, self.copy, *((self.spare,) if self.spare else ()))
        return next((one for one in held if one.sum == told), None)

    def wrong(self, right: Candidate | None) -> list[Finding]:
        """Say which of the two files do not hold the right table, which the bundle has here or elsewhere."""
        told = right.sum if right else ""
        is_beside = right is not None and right is not self.spare
        expected = f"the bytes of {right.file}" if right and is_beside else "the table that is held elsewhere"
        return [
            Finding(1, one.code, one.file, expected=expected, found=one.problem or "other bytes", mendable=True)
            for one in (self.main, self.copy)
            if one.sum != told or not told
        ]

    @property
    def claims(self) -> str:
        """Say for people which file speaks for which table."""
        held = [(one.file, one.sum) for one in (self.main, self.copy) if one.sum]
        named = [(CHECKSUMS, self.listed)] if self.listed else []
        spare = [(PARITY_JSON, self.spare.sum)] if self.spare else []
        by_sum: dict[str, list[str]] = {}
        for file, told in (*held, *named, *spare):
            by_sum.setdefault(told, []).append(file)
        return "; ".join(f"{' and '.join(files)} for {told[:12]}…" for told, files in by_sum.items())


def choose(tables: DirectoryTables, all_tables: Iterable[DirectoryTables]) -> str | None:
    """Return the sum of the table that counts in a directory; ``None``: nobody can say.

    Its own files decide; where they do not, those of all directories together, between the tables that its own
    files speak for. A directory that says nothing at all gives ``""``.

    Args:
        tables: Of the directory.
        all_tables: Of all directories of the bundle, this one included.
    """
    own = tables.votes
    if not own:
        return ""
    least = _PROOF if tables.unfinished else 1
    if told := _leader(own, least):
        return told
    everywhere: Counter[str] = sum((one.votes for one in all_tables), Counter())
    return _leader({one: everywhere[one] for one in own}, least)


def _leader(votes: Mapping[str, int], least: int) -> str | None:
    """Return what more files speak for than for anything else; ``None`` if there is none, or they are too few."""
    most = max(votes.values())
    leaders = [told for told, count in votes.items() if count == most]
    return leaders[0] if len(leaders) == 1 and most >= least else None
