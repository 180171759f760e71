"""Finds the table of contents of a bundle, in bundle.json or, where that is damaged, in its copy or elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bundler.bundle.checksums import sum_of_bundle_json, write_checksums
from bundler.bundle.findings import Finding
from bundler.bundle.manifest import BundleManifest, parse_bundle_manifest
from bundler.bundle.names import BUNDLE_JSON, BUNDLE_JSON_COPY, CHECKSUMS, PACK_JOURNAL, PARITY_JSON
from bundler.bundle.parity.table import parse_parity_table
from bundler.bundle.table_choice import Candidate, DirectoryTables, choose
from bundler.content.files import disk_errors, open_regular, partial
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
    UndecidedTable,
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


def open_manifest(directory: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[BundleManifest, list[Finding]]:
    """Read the table of contents in one directory, see :func:`open_manifests`."""
    return open_manifests([directory], limits)


def open_manifests(
    directories: Sequence[Path], limits: Limits = DEFAULT_LIMITS
) -> tuple[BundleManifest, list[Finding]]:
    """Read the table of contents of a bundle that lies in one directory or several, such as some sticks.

    The table counts that most files speak for: bundle.json and its copy by holding it, SHA256SUMS by naming its
    sum, parity.json by both. A table that is damaged in one directory is found in the others. A directory that a
    copy was cut in has a table under another name; it counts if a second file, or another directory, proves it.

    Returns:
        The table, and what is wrong with the files that hold it (check 1) or with SHA256SUMS, or that a copy is
        unfinished (check 3). Each finding names its directory, if there are several.

    Raises:
        NotFound: there is no such directory.
        NotABundle: one holds no bundle. UnsupportedVersion: one in another format.
        IncompleteBundle: one holds a bundle whose packing was never finished, or whose copying was not and
            whose table nothing proves.
        DamagedBundle: both bundle.json and its copy are damaged, everywhere.
        UndecidedTable: files speak for different tables, and none of them has more for it than the others.
        UsageError: they hold different bundles.
    """
    if not directories:
        raise UsageError("no directory is named")
    read: dict[bytes, Candidate] = {}
    tables = [_look(directory, limits, read) for directory in directories]
    told = [choose(one, tables) for one in tables]
    held = [one.holder(said) if said else None for one, said in zip(tables, told, strict=True)]
    manifest = _common(directories, [candidate.manifest if candidate else None for candidate in held])
    if manifest is None:
        raise _unusable(tables[0])
    findings: list[Finding] = []
    for one, said, candidate in zip(tables, told, held, strict=True):
        if candidate is None:
            _check_loss(one, said, manifest)
        found = one.wrong(candidate) + _check_sums(one, manifest)
        if one.unfinished:
            # That files of it are not there yet follows from it.
            found = _UNFINISHED + [finding for finding in found if finding.code != "missing"]
        findings += (
            [replace(one_of, directory=str(one.directory)) for one_of in found] if len(tables) > 1 else found
        )
    return manifest, findings


def _look(directory: Path, limits: Limits, read: dict[bytes, Candidate]) -> DirectoryTables:
    with disk_errors(directory):
        if not directory.is_dir():
            raise NotFound(f"{directory}: there is no such directory")
    main, copy = (_read(directory / name, limits, read) for name in (BUNDLE_JSON, BUNDLE_JSON_COPY))
    unfinished = main.raw is None and os.path.lexists(partial(directory / BUNDLE_JSON))
    if unfinished:
        main = _read(partial(directory / BUNDLE_JSON), limits, read)
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
    found = DirectoryTables(directory, main, copy, sums, unfinished, denied=denied)
    if not found.is_unanimous and (found.is_mended_elsewhere or not found.is_lost):
        found = replace(found, spare=_read_spare(directory, limits))
    if main.raw is None and copy.raw is None and found.spare is None:
        raise NotABundle(f"{directory} holds no {BUNDLE_JSON}")
    return found


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


def _check_sums(tables: DirectoryTables, manifest: BundleManifest) -> list[Finding]:
    if tables.sums == write_checksums(manifest):
        return []
    code = "missing" if tables.sums is None else "wrong-checksums"
    found = "nothing" if tables.sums is None else "other sums"
    if tables.denied is not None:
        code, found = "denied", tables.denied
    return [Finding(3, code, CHECKSUMS, expected="the sums of bundle.json", found=found, mendable=True)]


def _check_loss(tables: DirectoryTables, said: str | None, manifest: BundleManifest) -> None:
    """Refuse a directory without the table that counts in it, unless that lies in another one.

    Raises:
        UsageError: what is left of it speaks for another bundle.
        AirbundleError: see :func:`_unusable`.
    """
    if tables.is_lost and not tables.is_mended_elsewhere:
        raise _unusable(tables)
    _check_listed(tables.directory, said, manifest)
    if said is None and not (tables.is_lost or tables.unfinished):
        raise _unusable(tables)


def refuse_other_sums(directory: Path, manifest: BundleManifest, limits: Limits = DEFAULT_LIMITS) -> None:
    """Refuse to take a directory without a table for a bundle that its SHA256SUMS contradicts.

    Raises:
        UsageError: SHA256SUMS names another sum of bundle.json. NotReadable: this user may not read it.
    """
    _check_listed(directory, sum_of_bundle_json(_read_sums(directory / CHECKSUMS, limits) or b""), manifest)


def _check_listed(directory: Path, said: str | None, manifest: BundleManifest) -> None:
    if said and said != manifest.id.hex:
        raise UsageError(
            f"{directory}: {CHECKSUMS} is of the bundle sha256:{said}, not of {manifest.id}",
            advice=f"Name directories of one bundle only; if it is {CHECKSUMS} that is damaged, remove it.",
        )


def _unusable(tables: DirectoryTables) -> AirbundleError:
    # What could not be read is not damaged, and what is of another version neither.
    for error in filter(None, (tables.main.error, tables.copy.error) if tables.is_lost else ()):
        return error
    if tables.unfinished:
        return IncompleteBundle(
            f"{tables.directory} holds an unfinished copy, and nothing proves its table of contents",
            advice="Run the copy again to finish it; or name another directory of the same bundle as well.",
        )
    if not tables.is_lost:
        return UndecidedTable(
            f"{tables.directory}: nobody can say which table of contents is the bundle's: {tables.claims}"
        )
    return DamagedBundle(
        f"{tables.directory}: neither {BUNDLE_JSON} nor its copy can be read: {tables.main.problem}",
        advice=f"Copy {BUNDLE_JSON} again from another copy of the bundle, or name a directory of it as well.",
    )


def _read(path: Path, limits: Limits, read: dict[bytes, Candidate]) -> Candidate:
    """Read one file; ``read`` holds what was made of bytes so far, for most files hold the same ones."""
    try:
        raw = read_small(path, limits.bundle_manifest_bytes)
    except NotFound:
        return Candidate(path.name, None, problem="is not there")
    except LimitExceeded as error:
        return Candidate(path.name, b"", problem=str(error), error=error)
    except DamagedContent as error:
        return Candidate(path.name, b"", problem=str(error))
    except DiskError as error:
        # A bad sector under one of the two is what the other one is for.
        return Candidate(path.name, b"", problem=str(error), error=error)
    if raw not in read:
        read[raw] = _parse(path.name, raw, limits)
    return replace(read[raw], file=path.name)


def _parse(file: str, raw: bytes, limits: Limits) -> Candidate:
    try:
        return Candidate(file, raw, parse_bundle_manifest(raw, limits))
    except (UnsupportedVersion, LimitExceeded) as error:
        # One flipped bit makes another version of a version; and with another limit all may be well.
        return Candidate(file, raw, problem=str(error), error=error)
    except MalformedDocument as error:
        return Candidate(file, raw, problem=str(error))


def _read_spare(directory: Path, limits: Limits) -> Candidate | None:
    try:
        table = parse_parity_table(read_small(directory / PARITY_JSON, limits.parity_table_bytes), limits)
    except (NotFound, DamagedContent, DiskError, NotABundle):
        return None
    return Candidate(PARITY_JSON, table.manifest.raw, table.manifest)


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
