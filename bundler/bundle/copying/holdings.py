"""Whose a directory is: what lies there is judged before anything is written."""

from __future__ import annotations

import stat
from enum import Enum
from pathlib import Path

from bundler.bundle.checksums import sum_of_bundle_json
from bundler.bundle.copying.part_proof import prove_parts
from bundler.bundle.manifest import BundleManifest, parse_bundle_manifest
from bundler.bundle.names import (
    BUNDLE_JSON,
    BUNDLE_JSON_COPY,
    CHECKSUMS,
    PACK_JOURNAL,
    PARITY_JOURNAL,
    PARITY_JSON,
    README,
    SIGNATURE,
    is_parity_name,
    is_part_name,
    is_system_file,
)
from bundler.bundle.opening import read_small
from bundler.content.files import disk_errors, partial, whole_name
from bundler.content.hashing import sha256
from bundler.errors import (
    DamagedContent,
    DiskError,
    NotFound,
    NotReadable,
    OutputExists,
    UnsupportedVersion,
)
from bundler.model.limits import DEFAULT_LIMITS
from bundler.model.listing import first_of

#: The table of contents until all is there; also what a copy or a pack locks.
UNFINISHED = partial(Path(BUNDLE_JSON)).name
TABLES = (BUNDLE_JSON, BUNDLE_JSON_COPY, SIGNATURE, CHECKSUMS, README, PARITY_JSON)
_NAMED_AT_MOST = 3


class Holding(Enum):
    """What a directory holds of one bundle."""

    NOTHING = "nothing"
    #: Its copy was begun, or its table of contents is damaged.
    UNFINISHED = "unfinished"
    #: bundle.json stands there.
    WHOLE = "whole"


class _Table(Enum):
    ABSENT = "absent"
    SAME = "same"
    #: Beginning of the bytes, as a crash leaves it.
    TORN = "torn"
    DAMAGED = "damaged"
    #: It makes sense as the table of another bundle, or of another version.
    OTHER = "other"


def examine(directory: Path, manifest: BundleManifest) -> Holding:
    """Tell what a directory holds of a bundle. Files that have nothing to do with bundles are not looked at.

    It holds the bundle if a table of contents says so, or the parts themselves do: then neither a damaged table
    nor one that differs and that its SHA256SUMS does not prove says otherwise.

    Raises:
        OutputExists: it holds another bundle, an unfinished pack, or files that are named like those of a
            bundle and belong to none; the message names them.
        NotReadable: this user may not read what would tell. DiskError: the disk refused.
    """
    files = _files_like_ours(directory)
    if PACK_JOURNAL in files:
        raise _occupied(directory, [PACK_JOURNAL], "which belongs to a pack that is not finished")
    found = [_read_table(directory, name, manifest) for name in (BUNDLE_JSON, UNFINISHED, BUNDLE_JSON_COPY)]
    parts = [file for file in files if is_part_name(whole_name(file))]
    tables = [table for table, _ in found]
    # The copy of the table tells where no other one says something else, or SHA256SUMS agrees with it.
    is_told = _Table.OTHER not in tables or _listed(directory) == manifest.id.hex
    is_proven = _Table.SAME in (tables if is_told else tables[:2])
    if not is_proven and not prove_parts(directory, parts, manifest):
        for _, said in found:
            if said:
                raise OutputExists(said)
        # The table comes before the first part: a torn one without parts was begun by a copy, or by nobody.
        strangers = [file for file in files if file != UNFINISHED or tables[1] is not _Table.TORN]
        if strangers:
            raise _occupied(directory, strangers, "which is no copy of this bundle")
        return Holding.NOTHING
    ours = {part.file for part in manifest.parts}
    if others := [file for file in parts if whole_name(file) not in ours]:
        raise _occupied(directory, others, "which is no part of this bundle")
    return Holding.WHOLE if tables[0] is _Table.SAME else Holding.UNFINISHED


def _files_like_ours(directory: Path) -> list[str]:
    """Return the names of all files that are called as those of a bundle are; refuse what is no file."""
    with disk_errors(directory):
        entries = sorted(directory.iterdir())
    ours = [path for path in entries if not is_system_file(path.name) and is_like_ours(path.name)]
    there = []
    for path in ours:
        try:
            with disk_errors(path):
                mode = path.lstat().st_mode
        except NotFound:
            # Another copy gave it its own name since, or removed it: who of the two may write the lock decides.
            continue
        if not stat.S_ISREG(mode):
            raise _occupied(directory, [path.name], "which is a link or a directory, not a file")
        there.append(path.name)
    return there


def is_like_ours(file: str) -> bool:
    """Tell whether a file is named as those of a bundle are, finished or not."""
    # Many media do not tell names apart that differ in case only.
    whole = whole_name(file).lower()
    tables = (*TABLES, whole_name(PACK_JOURNAL), whole_name(PARITY_JOURNAL))
    return is_part_name(whole) or is_parity_name(whole) or whole in {table.lower() for table in tables}


def _read_table(directory: Path, file: str, manifest: BundleManifest) -> tuple[_Table, str]:
    """Compare a table of contents with the bundle's; return with one of another bundle which that is.

    Raises:
        OutputExists: it is that of another bundle, and SHA256SUMS proves it.
        NotReadable: this user may not read it.
    """
    raw: bytes | None = None
    try:
        raw = read_small(directory / file, DEFAULT_LIMITS.bundle_manifest_bytes)
        if raw == manifest.raw:
            return _Table.SAME, ""
        other = parse_bundle_manifest(raw)
    except NotFound:
        return _Table.ABSENT, ""
    except UnsupportedVersion as error:
        said = f"{directory} holds another bundle: {error}"
    except DamagedContent:
        is_torn = raw is not None and manifest.raw.startswith(raw.rstrip(b"\0"))
        return (_Table.TORN if is_torn else _Table.DAMAGED), ""
    except NotReadable:
        raise
    except DiskError:
        return _Table.DAMAGED, ""
    else:
        said = f"{directory} holds another bundle, {other.name} {other.version} ({other.id})"
    if raw is not None and _listed(directory) == sha256(raw).hex:
        raise OutputExists(said)
    return _Table.OTHER, said


def _listed(directory: Path) -> str | None:
    """Return the sum that the directory's SHA256SUMS gives for the table."""
    try:
        return sum_of_bundle_json(read_small(directory / CHECKSUMS, DEFAULT_LIMITS.bundle_manifest_bytes))
    except (NotFound, DamagedContent, DiskError):
        return None


def _occupied(directory: Path, files: list[str], what: str) -> OutputExists:
    return OutputExists(f"{directory} holds {first_of(files, _NAMED_AT_MOST)}, {what}")
