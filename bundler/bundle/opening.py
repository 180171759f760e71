"""Finds the table of contents of a bundle, in bundle.json or, where that is damaged, in its copy."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bundler.bundle.checksums import sum_of_bundle_json, write_checksums
from bundler.bundle.findings import Finding
from bundler.bundle.manifest import BundleManifest, parse_bundle_manifest
from bundler.bundle.names import BUNDLE_JSON, BUNDLE_JSON_COPY, CHECKSUMS
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
    UnsupportedVersion,
)
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond

_MENDED_BY_COPY = {BUNDLE_JSON: BUNDLE_JSON_COPY, BUNDLE_JSON_COPY: BUNDLE_JSON}


@dataclass(frozen=True)
class _Candidate:
    """One of the two files: its bytes if it could be read, and what they hold if that makes sense."""

    file: str
    raw: bytes | None
    manifest: BundleManifest | None = None
    problem: str = ""
    error: AirbundleError | None = None


def open_manifest(directory: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[BundleManifest, list[Finding]]:
    """Read a bundle's table of contents.

    SHA256SUMS, which names the sum of bundle.json, decides between the two files where they differ.

    Returns:
        The table, and what is wrong with the files that hold it (check 1) or with SHA256SUMS (check 3).

    Raises:
        NotFound: there is no such directory.
        NotABundle: it holds no bundle. UnsupportedVersion: one in another format.
        IncompleteBundle: it holds a bundle whose packing or copying was never finished.
        DamagedBundle: both bundle.json and its copy are damaged.
    """
    with disk_errors(directory):
        if not directory.is_dir():
            raise NotFound(f"{directory}: there is no such directory")
    main, copy = (_read(directory / name, limits) for name in (BUNDLE_JSON, BUNDLE_JSON_COPY))
    sums = _read_sums(directory / CHECKSUMS, limits)
    if main.raw is None and partial(directory / BUNDLE_JSON).exists():
        raise IncompleteBundle(f"{directory} holds an unfinished bundle")
    if main.raw is None and copy.raw is None:
        raise NotABundle(f"{directory} holds no {BUNDLE_JSON}")
    chosen, findings = _choose(main, copy, sum_of_bundle_json(sums or b""))
    if chosen.manifest is None:
        # What could not be read is not damaged, and what is of another version neither.
        for error in filter(None, (main.error, copy.error)):
            raise error
        raise DamagedBundle(f"{directory}: neither {BUNDLE_JSON} nor its copy can be read: {main.problem}")
    if sums != write_checksums(chosen.manifest):
        code = "missing" if sums is None else "wrong-checksums"
        found = "nothing" if sums is None else "other sums"
        findings.append(
            Finding(3, code, CHECKSUMS, expected="the sums of bundle.json", found=found, mendable=True)
        )
    return chosen.manifest, findings


def _choose(main: _Candidate, copy: _Candidate, listed: str | None) -> tuple[_Candidate, list[Finding]]:
    if main.raw == copy.raw:
        return main, []
    if main.manifest is None or (copy.raw is not None and copy.manifest and sha256(copy.raw).hex == listed):
        chosen, other = copy, main
    else:
        chosen, other = main, copy
    # Two tables that both make sense, and no sum that says which is the bundle's: nobody can mend that.
    disputed = other.manifest is not None and chosen.raw is not None and sha256(chosen.raw).hex != listed
    return chosen, [
        Finding(
            check=1,
            code="missing" if other.raw is None else "damaged-table",
            file=other.file,
            expected=f"the bytes of {_MENDED_BY_COPY[other.file]}",
            found=other.problem or "other bytes",
            mendable=not disputed,
        )
    ]


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


def _read_sums(path: Path, limits: Limits) -> bytes | None:
    try:
        return read_small(path, limits.bundle_manifest_bytes)
    except NotFound:
        return None
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
