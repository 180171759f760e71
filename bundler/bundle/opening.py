"""Finds the table of contents of a bundle, in bundle.json or, where that is damaged, in its copy or elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.bundle.checksums import sum_of_bundle_json, write_checksums
from bundler.bundle.findings import Finding
from bundler.bundle.manifest import BundleManifest, parse_bundle_manifest
from bundler.bundle.names import BUNDLE_JSON, BUNDLE_JSON_COPY, CHECKSUMS, PACK_JOURNAL, PARITY_JSON
from bundler.bundle.parity.table import parse_parity_table
from bundler.content.files import disk_errors, open_regular, partial
from bundler.content.hashing import sha256
from bundler.errors import (
    AirbundleError,
    DamagedBundle,
    DamagedContent,
    DiskError,
    IncompleteBundle,
    LimitExceeded,
    MalformedDocument,
    NotABundle,
    NotFound,
    NotReadable,
    UnsupportedVersion,
    UsageError,
)
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond

#: What a directory is that a copy was cut in: everything else that is not there yet follows from it.
_UNFINISHED = [
    Finding(
        3,
        "unfinished",
        BUNDLE_JSON,
        expected="a whole bundle",
        found="a copy that was cut; run it again to finish it",
    )
]


@dataclass(frozen=True)
class _Candidate:
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
        return sha256(self.raw).hex if self.raw is not None and self.manifest else ""


@dataclass(frozen=True)
class _Tables:
    """What one directory holds.

    Attributes:
        main: bundle.json, or what a copy calls it until it is whole.
        copy: the second file of the same bytes.
        sums: SHA256SUMS; ``None`` if it is not there.
        unfinished: whether the copy of the bundle into this directory was cut. Then no table counts that nothing
            proves: nobody has checked the directory since it was written.
        spare: the third copy, which parity.json holds; it is looked for only where the two do not suffice.
        denied: why SHA256SUMS may not be read; ``None`` if it may.
    """

    directory: Path
    main: _Candidate
    copy: _Candidate
    sums: bytes | None
    unfinished: bool
    spare: _Candidate | None = None
    denied: str | None = None

    @property
    def is_lost(self) -> bool:
        """Whether neither of the two files makes sense."""
        return self.main.manifest is None and self.copy.manifest is None

    @property
    def is_undecided(self) -> bool:
        """Whether neither their being the same nor SHA256SUMS says what is right, and that is needed."""
        one, other = self.main.sum, self.copy.sum
        if one == other != "" or (sum_of_bundle_json(self.sums or b"") or "-") in (one, other):
            return False
        return self.unfinished or bool(one and other)


def open_manifest(directory: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[BundleManifest, list[Finding]]:
    """Read the table of contents in one directory, see :func:`open_manifests`."""
    return open_manifests([directory], limits)


def open_manifests(
    directories: Sequence[Path], limits: Limits = DEFAULT_LIMITS
) -> tuple[BundleManifest, list[Finding]]:
    """Read the table of contents of a bundle that lies in one directory or several, such as some sticks.

    SHA256SUMS, which names the sum of bundle.json, decides between two files where they differ, and where it does
    not, the table in parity.json; that one counts too if both are lost. A table that is damaged in one directory
    is found in the others. A directory that a copy was cut in has a table under another name; it counts if its
    copy is the same, or a sum or another directory proves it.

    Returns:
        The table, and what is wrong with the files that hold it (check 1) or with SHA256SUMS, or that a copy is
        unfinished (check 3). Each finding names its directory, if there are several.

    Raises:
        NotFound: there is no such directory.
        NotABundle: one holds no bundle. UnsupportedVersion: one in another format.
        IncompleteBundle: one holds a bundle whose packing was never finished, or whose copying was not and
            whose table nothing proves.
        DamagedBundle: both bundle.json and its copy are damaged, everywhere.
        UsageError: they hold different bundles.
    """
    if not directories:
        raise UsageError("no directory is named")
    tables = [_look(directory, limits) for directory in directories]
    listed = [told for one in tables if (told := sum_of_bundle_json(one.sums or b""))]
    listed += [one.spare.sum for one in tables if one.spare]
    chosen = [_choose(one, listed + (_sums_elsewhere(one, tables) if one.unfinished else [])) for one in tables]
    manifest = _common(directories, [candidate.manifest for candidate, _ in chosen])
    if manifest is None:
        raise _unusable(tables[0])
    findings: list[Finding] = []
    for one, (candidate, wrong) in zip(tables, chosen, strict=True):
        if candidate.manifest is None and not _is_mended_elsewhere(one):
            raise _unusable(one)
        said = wrong if candidate.manifest is not None else _both_are_damaged(one)
        said = said + _check_sums(one, manifest)
        if one.unfinished:
            # That files of it are not there yet follows from it.
            said = _UNFINISHED + [finding for finding in said if finding.code != "missing"]
        findings += [replace(one_of, directory=str(one.directory)) for one_of in said] if len(tables) > 1 else said
    return manifest, findings


def _look(directory: Path, limits: Limits) -> _Tables:
    with disk_errors(directory):
        if not directory.is_dir():
            raise NotFound(f"{directory}: there is no such directory")
    main, copy = (_read(directory / name, limits) for name in (BUNDLE_JSON, BUNDLE_JSON_COPY))
    unfinished = main.raw is None and os.path.lexists(partial(directory / BUNDLE_JSON))
    if unfinished:
        main = _read(partial(directory / BUNDLE_JSON), limits)
        is_pack = os.path.lexists(directory / PACK_JOURNAL) or (main.raw == b"" and copy.raw is None)
        if main.manifest is None and is_pack:
            raise main.error or IncompleteBundle(
                f"{directory} holds a bundle whose packing was not finished",
                advice="Run the same pack again, or name another directory.",
            )
    try:
        sums, denied = _read_sums(directory / CHECKSUMS, limits), None
    except NotReadable as error:
        sums, denied = b"", str(error)
    found = _Tables(directory, main, copy, sums, unfinished, denied=denied)
    if found.is_undecided or (found.is_lost and _is_mended_elsewhere(found)):
        found = replace(found, spare=_read_spare(directory, limits))
    if main.raw is None and copy.raw is None and found.spare is None:
        raise NotABundle(f"{directory} holds no {BUNDLE_JSON}")
    return found


def _choose(tables: _Tables, listed: Iterable[str]) -> tuple[_Candidate, list[Finding]]:
    """Return the candidate that counts, and what is wrong with the other one.

    Args:
        tables: Of one directory.
        listed: Sums of bundle.json, from this directory or from others that hold the same bundle.
    """
    main, copy = tables.main, tables.copy
    if tables.is_lost and tables.spare is not None:
        return tables.spare, _both_are_damaged(tables)
    if main.raw == copy.raw:
        return main, []
    if tables.unfinished and not ({main.sum, copy.sum} - {""}) & set(listed):
        # It was not finished, so nobody has looked at it since; and it may have been changed.
        unproven = _Candidate(main.file, main.raw, problem=main.problem or "a table that nothing proves")
        return (tables.spare, _both_are_damaged(tables)) if tables.spare else (unproven, [])
    own = sum_of_bundle_json(tables.sums or b"")
    known = {main.sum, copy.sum} - {""}
    told = next((one for one in (own, *listed) if one in known), None)
    chosen, other = (copy, main) if main.manifest is None or told == copy.sum else (main, copy)
    return chosen, [
        Finding(
            check=1,
            code=other.code,
            file=other.file,
            expected=f"the bytes of {chosen.file}",
            found=other.problem or "other bytes",
            # Two tables that both make sense, and no sum that says which is the bundle's: nobody can mend that.
            mendable=other.manifest is None or told is not None,
        )
    ]


def _sums_elsewhere(tables: _Tables, all_tables: Iterable[_Tables]) -> list[str]:
    """Return the sums of the tables in the other directories: that they are the same proves all of them."""
    others = [other for other in all_tables if other is not tables]
    return [found.sum for other in others for found in (other.main, other.copy) if found.sum]


def _common(directories: Sequence[Path], manifests: Sequence[BundleManifest | None]) -> BundleManifest | None:
    """Return the table that the directories agree on; ``None`` if none of them has one."""
    first: tuple[Path, BundleManifest] | None = None
    for directory, manifest in zip(directories, manifests, strict=True):
        if manifest is None:
            continue
        if first is None:
            first = directory, manifest
        elif manifest.id != first[1].id:
            raise UsageError(
                f"{first[0]} holds the bundle {first[1].id}, {directory} holds another one, {manifest.id}",
                advice="Name directories of one bundle only.",
            )
    return first[1] if first else None


def _check_sums(tables: _Tables, manifest: BundleManifest) -> list[Finding]:
    if tables.sums == write_checksums(manifest):
        return []
    code = "missing" if tables.sums is None else "wrong-checksums"
    found = "nothing" if tables.sums is None else "other sums"
    if tables.denied is not None:
        code, found = "denied", tables.denied
    return [Finding(3, code, CHECKSUMS, expected="the sums of bundle.json", found=found, mendable=True)]


def _both_are_damaged(tables: _Tables) -> list[Finding]:
    """Say so, where another directory, or parity.json, has what mends them."""
    return [
        Finding(
            1,
            one.code,
            one.file,
            expected="the table that is held elsewhere",
            found=one.problem,
            mendable=True,
        )
        for one in (tables.main, tables.copy)
    ]


def _is_mended_elsewhere(tables: _Tables) -> bool:
    """Tell whether a directory without a table is a damaged one: not of another version, and not locked."""
    kinds = (UnsupportedVersion, LimitExceeded, NotReadable)
    return not any(isinstance(one.error, kinds) for one in (tables.main, tables.copy))


def _unusable(tables: _Tables) -> AirbundleError:
    # What could not be read is not damaged, and what is of another version neither.
    for error in filter(None, (tables.main.error, tables.copy.error)):
        return error
    if tables.unfinished:
        return IncompleteBundle(
            f"{tables.directory} holds an unfinished copy, and nothing proves its table of contents",
            advice="Run the copy again to finish it; or name another directory of the same bundle as well.",
        )
    return DamagedBundle(
        f"{tables.directory}: neither {BUNDLE_JSON} nor its copy can be read: {tables.main.problem}",
        advice=f"Copy {BUNDLE_JSON} again from another copy of the bundle, or name a directory of it as well.",
    )


def _read(path: Path, limits: Limits) -> _Candidate:
    try:
        raw = read_small(path, limits.bundle_manifest_bytes)
    except NotFound:
        return _Candidate(path.name, None, problem="is not there")
    except LimitExceeded as error:
        return _Candidate(path.name, b"", problem=str(error), error=error)
    except DamagedContent as error:
        return _Candidate(path.name, b"", problem=str(error))
    except DiskError as error:
        # A bad sector under one of the two is what the other one is for.
        return _Candidate(path.name, b"", problem=str(error), error=error)
    try:
        return _Candidate(path.name, raw, parse_bundle_manifest(raw, limits))
    except (UnsupportedVersion, LimitExceeded) as error:
        # One flipped bit makes another version of a version; and with another limit all may be well.
        return _Candidate(path.name, raw, problem=str(error), error=error)
    except MalformedDocument as error:
        return _Candidate(path.name, raw, problem=str(error))


def _read_spare(directory: Path, limits: Limits) -> _Candidate | None:
    try:
        table = parse_parity_table(read_small(directory / PARITY_JSON, limits.parity_table_bytes), limits)
    except (NotFound, DamagedContent, DiskError, NotABundle):
        return None
    return _Candidate(PARITY_JSON, table.manifest.raw, table.manifest)


def _read_sums(path: Path, limits: Limits) -> bytes | None:
    try:
        return read_small(path, limits.bundle_manifest_bytes)
    except NotFound:
        return None
    except NotReadable:
        raise
    except (DamagedContent, DiskError):
        return b""


def read_small(path: Path, limit: int) -> bytes:
    """Read a regular file of a bundle whole.

    Raises:
        NotFound: it is not there.
        DamagedContent: it is no regular file, or (LimitExceeded) has more than ``limit`` bytes.
        DiskError: the disk refused.
    """
    descriptor = open_regular(path)
    with disk_errors(path), os.fdopen(descriptor, "rb") as file:
        raw = file.read(limit + 1)
    if len(raw) > limit:
        raise beyond(limit, f"{path} has too many bytes")
    return raw
