"""The journal of an unfinished pack: what it is, and every blob, part and archive that it has finished.

Lines of JSON, each behind its own sum, appended as things are done and never synced: a line may be lost, or stand
there although its bytes never reached the disk. So whoever goes on compares everything with the files.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bundler.bundle.manifest import Blob, Part
from bundler.content.files import disk_errors, open_regular, write_all
from bundler.content.hashing import block_sum, sha256
from bundler.errors import MalformedDocument, NotFound, NotRegular
from bundler.model.digest import Digest
from bundler.model.json_documents import canonical_json, convert, parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.packing.resume.identity import Identity

_WHAT = "the journal of the pack"
_SUM_CHARS = 16


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line; exactly one of the first four says what was done."""

    identity: dict[str, str] | None = None
    blob: Blob | None = None
    config: str | None = None
    part: Part | None = None
    archive: str | None = None
    number: int = 0
    size: int = 0


@dataclass
class Records:
    """What a journal says was done; of what was said twice the last.

    Attributes:
        identity: of the pack.
        blobs: rows of the blob table, by digest.
        configs: bytes of image configs, by digest, not verified.
        parts: sealed parts by archive and number.
        archives: sizes in bytes of complete archives, by name.
        length: bytes of the journal that are right; what stands behind them was torn.
    """

    identity: Identity
    blobs: dict[Digest, Blob] = field(default_factory=dict)
    configs: dict[Digest, bytes] = field(default_factory=dict)
    parts: dict[tuple[str, int], Part] = field(default_factory=dict)
    archives: dict[str, int] = field(default_factory=dict)
    length: int = 0


class Journal:
    """An open journal: a ``Recorder``."""

    def __init__(self, path: Path, length: int) -> None:
        """Go on behind ``length`` bytes, cutting off what follows.

        Raises:
            DiskError: the disk refused.
        """
        self._path = path
        self._lock = threading.Lock()
        with disk_errors(path):
            flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            self._file: int | None = os.open(path, flags, 0o644)
            os.ftruncate(self._file, length)
            os.lseek(self._file, length, os.SEEK_SET)

    @classmethod
    def begin(cls, path: Path, identity: Identity) -> Journal:
        """Begin the journal of a pack that begins.

        Raises:
            DiskError: the disk refused.
        """
        journal = cls(path, 0)
        journal._write(_Line(identity=dict(identity)))
        return journal

    def blob(self, row: Blob) -> None:
        """Note a blob that is written."""
        self._write(_Line(blob=row))

    def config(self, digest: Digest, raw: bytes) -> None:
        """Note a config that was read."""
        # Latin-1 keeps every byte, whatever the config holds.
        self._write(_Line(config=raw.decode("latin-1")))

    def part(self, archive: str, number: int, row: Part) -> None:
        """Note a part that is sealed."""
        self._write(_Line(part=row, archive=archive, number=number))

    def archive(self, name: str, size: int) -> None:
        """Note an archive that is complete."""
        self._write(_Line(archive=name, size=size))

    def close(self) -> None:
        """Close the file; may be called more than once. What is noted afterwards is lost."""
        with self._lock:
            file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _write(self, line: _Line) -> None:
        raw = canonical_json(line)
        with self._lock, disk_errors(self._path):
            if self._file is not None:
                write_all(self._file, block_sum(raw).encode("ascii") + raw + b"\n")


def read_journal(path: Path, limits: Limits = DEFAULT_LIMITS) -> Records | None:
    """Read a journal as far as it is right; ``None`` where there is none that begins as one.

    Raises:
        LimitExceeded: it has more bytes than a bundle.json may have.
        DiskError: the disk refused.
    """
    try:
        descriptor = open_regular(path)
    except (NotFound, NotRegular):
        return None
    with disk_errors(path), os.fdopen(descriptor, "rb") as file:
        raw = file.read(limits.bundle_manifest_bytes + 1)
    if len(raw) > limits.bundle_manifest_bytes:
        raise beyond(limits.bundle_manifest_bytes, f"{path} has too many bytes")
    return parse_journal(raw, limits)


def parse_journal(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> Records | None:
    """Read lines up to the first that is torn or wrong; ``None`` if that is the first one."""
    records: Records | None = None
    position = 0
    while (end := raw.find(b"\n", position)) >= 0:
        line = _parse_line(raw[position:end], limits)
        if line is None or (records is None) != (line.identity is not None):
            break
        records = records or Records(identity=line.identity or {})
        _take(records, line)
        position = end + 1
        records.length = position
    return records


def _parse_line(raw: bytes, limits: Limits) -> _Line | None:
    body = raw[_SUM_CHARS:]
    if raw[:_SUM_CHARS] != block_sum(body).encode("ascii"):
        return None
    try:
        return convert(parse_json(body, _WHAT, limit=len(body), limits=limits), _Line, _WHAT)
    except MalformedDocument:
        return None


def _take(records: Records, line: _Line) -> None:
    if line.blob is not None:
        records.blobs[line.blob.digest] = line.blob
    elif line.config is not None:
        raw = line.config.encode("latin-1", "replace")
        records.configs[sha256(raw)] = raw
    elif line.part is not None and line.archive is not None:
        records.parts[line.archive, line.number] = line.part
    elif line.archive is not None:
        records.archives[line.archive] = line.size
