"""The journal of parity in the making: the sums of every stripe's parity blocks that are written.

Lines of JSON, each behind its own sum. A line comes when its blocks were synced and the data that they were made
of are proven, but is itself never synced: it may be lost, or stand there although blocks were lost since. So
whoever goes on compares the blocks with it, and makes again what it does not tell.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bundler.bundle.opening import read_small
from bundler.content.files import disk_errors, write_all
from bundler.content.hashing import block_sum
from bundler.errors import DamagedContent, MalformedDocument, NotFound
from bundler.model.digest import Digest
from bundler.model.json_documents import canonical_json, convert, parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits

_WHAT = "the journal of parity"
_SUM_CHARS = 16
_SUM = re.compile(r"[0-9a-f]{16}", re.ASCII)


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What parity is made of, and how."""

    bundle: Digest
    k: int
    m: int


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line; the first one is the identity, every other one a stripe."""

    identity: Identity | None = None
    stripe: int = -1
    sums: tuple[str, ...] = ()


@dataclass
class Records:
    """What a journal says.

    Attributes:
        identity: of the parity.
        sums: of each stripe that is written, the xxh3-64 of its parity blocks; of what was said twice the last.
        length: bytes of the journal that are right; what stands behind them was torn.
    """

    identity: Identity
    sums: dict[int, tuple[str, ...]] = field(default_factory=dict)
    length: int = 0


def identity_of(bundle: Digest, k: int, m: int) -> Identity:
    """Return what tells one making of parity from another; with the bundle's sizes it decides every byte."""
    return Identity(bundle=bundle, k=k, m=m)


class Journal:
    """An open journal."""

    def __init__(self, path: Path, identity: Identity, length: int = 0) -> None:
        """Go on behind ``length`` bytes, cutting off what follows; 0: begin.

        Raises:
            DiskError: the disk refused.
        """
        self._path = path
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with disk_errors(path):
            self._file: int | None = os.open(path, flags, 0o644)
            os.ftruncate(self._file, length)
            os.lseek(self._file, length, os.SEEK_SET)
        if not length:
            self._write(_Line(identity=identity))

    def stripe(self, number: int, sums: Sequence[str]) -> None:
        """Note a stripe whose parity blocks are written.

        Raises:
            DiskError: the disk refused.
        """
        self._write(_Line(stripe=number, sums=tuple(sums)))

    def close(self) -> None:
        """Close the file; may be called more than once."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _write(self, line: _Line) -> None:
        assert self._file is not None, "written to when closed"
        raw = canonical_json(line)
        with disk_errors(self._path):
            write_all(self._file, block_sum(raw).encode("ascii") + raw + b"\n")


def read_journal(path: Path, limits: Limits = DEFAULT_LIMITS) -> Records | None:
    """Read a journal as far as it is right; ``None`` where there is none, or none that begins as one.

    Raises:
        DiskError: the disk refused.
    """
    try:
        return parse_parity_journal(read_small(path, limits.parity_table_bytes), limits)
    except (NotFound, DamagedContent):
        return None


def parse_parity_journal(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> Records | None:
    """Read lines up to the first that is torn or wrong; ``None`` if that is the first one."""
    records: Records | None = None
    position = 0
    while (end := raw.find(b"\n", position)) >= 0:
        line = _parse_line(raw[position:end], limits)
        if line is None or (records is None) != (line.identity is not None):
            break
        if records is None:
            assert line.identity is not None
            records = Records(line.identity)
        else:
            records.sums[line.stripe] = line.sums
        position = end + 1
        records.length = position
    return records


def _parse_line(raw: bytes, limits: Limits) -> _Line | None:
    body = raw[_SUM_CHARS:]
    if raw[:_SUM_CHARS] != block_sum(body).encode("ascii"):
        return None
    try:
        line = convert(parse_json(body, _WHAT, limit=len(body), limits=limits), _Line, _WHAT)
    except MalformedDocument:
        return None
    return line if all(map(_SUM.fullmatch, line.sums)) else None
