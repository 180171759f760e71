"""Tars: headers as we write them, and a reader for those of others.

POSIX.1-1988 ustar with GNU's base-256 for sizes over 8 GiB when writing; ustar, PAX and GNU long names when
reading. The standard library's module is not used for reading because it bounds neither PAX records nor names
and copies every byte twice; entries here have no path on any disk, their names are only looked up.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass

from bundler.content.streams import BUFFER_BYTES, ByteStream, read_exactly
from bundler.errors import DamagedContent, MalformedDocument
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond

BLOCK_BYTES = 512
END_OF_ARCHIVE = bytes(2 * BLOCK_BYTES)
_LARGEST_OCTAL = 8**11 - 1
_LARGEST_SIZE = 1 << 62
_FILES, _LINKS = b"0\x007", b"12"


def file_header(name: str, size: int) -> bytes:
    """Return the 512 bytes that stand before a regular file: mode 0644, owner 0, time 0.

    Args:
        name: ASCII, at most 100 characters.
        size: Bytes; from 8 GiB on it is written as base-256, which all readers take.
    """
    encoded = name.encode("ascii")
    if not 0 < len(encoded) <= 100:
        raise ValueError(f"not a name for a tar header: {name!r}")
    size_field = b"%011o\0" % size if size <= _LARGEST_OCTAL else b"\x80" + size.to_bytes(11, "big")
    header = bytearray(BLOCK_BYTES)
    header[0 : len(encoded)] = encoded
    header[100:136] = b"0000644\x000000000\x000000000\x00" + size_field
    header[136:148] = b"00000000000\0"
    header[148:157] = b" " * 8 + b"0"
    header[257:265] = b"ustar\x0000"
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def padding(size: int) -> int:
    """Return how many zero bytes follow a file of this size, 0 to 511."""
    return -size % BLOCK_BYTES


@dataclass(frozen=True)
class TarEntry:
    """One entry of a tar.

    Attributes:
        name: as in the archive, without a leading ``./`` and trailing ``/``; never to be used as a path.
        size: bytes of payload; 0 for links and directories.
        offset: of the payload, from the start of the archive, in bytes.
        link: for a link, the name in the archive that it leads to, else ``None``.
        is_file: whether it is a regular file.
    """

    name: str
    size: int
    offset: int
    link: str | None
    is_file: bool


class TarReader:
    """Walks the entries of a tar from front to back, over any stream."""

    def __init__(
        self, stream: ByteStream, skip: Callable[[int], None] | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        """Read ``stream``; ``skip`` moves it on by a number of bytes where that is quicker than reading."""
        self._stream = stream
        self._skip_bytes = skip or self._read_away
        self._limits = limits
        self._position = 0
        self._payload_end = 0
        self._payload_left = 0
        self._entries = 0
        self._ended = False
        self._scratch = memoryview(bytearray(BUFFER_BYTES))

    def next(self) -> TarEntry | None:
        """Move on to the next entry, past what was not read of the current one; ``None`` at the end.

        An archive may end with its marker or without; what stands behind the marker is not looked at.

        Raises:
            MalformedDocument: a header is broken or a bound is exceeded.
            DamagedContent: the archive is truncated.
        """
        extra: dict[str, bytes] = {}
        allowed = self._limits.header_record_bytes
        while not self._ended:
            self._skip(self._payload_end - self._position)
            header = self._read_header()
            if header is None:
                self._ended = True
                break
            kind = header[156:157]
            size = _number(header[124:136])
            if kind not in (b"x", b"g", b"L", b"K"):
                return self._entry(header, kind, size, extra)
            record = self._read_record(size, allowed)
            allowed -= size
            if kind == b"x":
                extra.update(_pax_records(record))
            elif kind != b"g":
                extra["path" if kind == b"L" else "linkpath"] = record.rstrip(b"\0")
        if extra:
            raise DamagedContent(f"the archive is truncated: it ends at byte {self._position}, before a file")
        return None

    def readinto(self, buffer: memoryview) -> int:
        """Read the payload of the current entry; the reader itself is its stream.

        Raises:
            DamagedContent: the archive ends within the payload.
        """
        wanted = min(len(buffer), self._payload_left)
        if wanted <= 0:
            return 0
        count = self._stream.readinto(buffer[:wanted])
        if count == 0:
            raise DamagedContent(f"the archive is truncated: it ends at byte {self._position}, inside a file")
        self._position += count
        self._payload_left -= count
        return count

    def close(self) -> None:
        """Leave the rest of the payload unread; the stream below stays open for the next entry."""

    def _entry(self, header: bytes, kind: bytes, size: int, extra: dict[str, bytes]) -> TarEntry:
        if kind == b"S" or any(key.startswith("GNU.sparse") for key in extra):
            raise MalformedDocument("the archive holds sparse entries, which image archives never do")
        if "size" in extra:
            size = _decimal(extra["size"])
        is_file = kind in _FILES and len(kind) == 1
        if kind in _LINKS or kind == b"5":
            size = 0
        name = _text(extra["path"] if "path" in extra else _header_name(header), self._limits)
        link = None
        if kind in _LINKS:
            target = _text(extra["linkpath"] if "linkpath" in extra else _field(header[157:257]), self._limits)
            # A symbolic link is relative to its own place, a hard link to the root of the archive.
            link = _normal(posixpath.join(posixpath.dirname(name), target) if kind == b"2" else target)
        self._payload_left = size
        self._payload_end = self._position + size + padding(size)
        return TarEntry(_normal(name), size, self._position, link, is_file)

    def _read_header(self) -> bytes | None:
        block = memoryview(bytearray(BLOCK_BYTES))
        count = read_exactly(self._stream, block)
        if count == 0 or (count == BLOCK_BYTES and not any(block)):
            return None
        if count < BLOCK_BYTES:
            raise DamagedContent(f"the archive is truncated: it ends at byte {self._position + count}")
        header = bytes(block)
        checksum = sum(header) - sum(header[148:156]) + 8 * 0x20
        if header[148:156].strip(b" \0").lstrip(b"0") != b"%o" % checksum:
            raise MalformedDocument(f"not a tar, or damaged: wrong header checksum at byte {self._position}")
        self._entries += 1
        if self._entries > self._limits.archive_entries:
            raise beyond(self._limits.archive_entries, "the archive has too many entries")
        self._position += BLOCK_BYTES
        self._payload_left = self._payload_end = 0
        return header

    def _read_record(self, size: int, allowed: int) -> bytes:
        if size > allowed:
            raise beyond(self._limits.header_record_bytes, "the header records of one file are too long")
        self._payload_left, self._payload_end = size, self._position + size + padding(size)
        record = memoryview(bytearray(size))
        read_exactly(self, record)
        return bytes(record)

    def _skip(self, count: int) -> None:
        if count > 0:
            self._skip_bytes(count)
            self._position += count

    def _read_away(self, count: int) -> None:
        while count:
            got = self._stream.readinto(self._scratch[: min(count, len(self._scratch))])
            if got == 0:
                raise DamagedContent(f"the archive is truncated: {count} bytes of a file are missing")
            count -= got


def _number(field: bytes) -> int:
    if field[0] == 0x80:
        value = int.from_bytes(field[1:], "big")
    elif field[0] & 0x80:
        raise MalformedDocument("a tar header holds a negative number")
    else:
        digits = field.strip(b" \0")
        if digits.strip(b"01234567"):
            raise MalformedDocument("a number in a tar header is not octal")
        value = int(digits or b"0", 8)
    return _bounded(value)


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise MalformedDocument("a size in a PAX record is not a number")
    return _bounded(int(text))


def _bounded(value: int) -> int:
    if value > _LARGEST_SIZE:
        raise MalformedDocument(f"a tar header holds an impossible number: {value}")
    return value


def _field(raw: bytes) -> bytes:
    return raw.split(b"\0", 1)[0]


def _header_name(header: bytes) -> bytes:
    name = _field(header[0:100])
    prefix = _field(header[345:500]) if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _text(raw: bytes, limits: Limits) -> str:
    if len(raw) > limits.name_chars:
        raise beyond(limits.name_chars, f"a name in the archive has {len(raw)} bytes")
    return raw.decode("utf-8", "backslashreplace")


def _normal(name: str) -> str:
    return posixpath.normpath(name).lstrip("/") if name else name


def _pax_records(data: bytes) -> dict[str, bytes]:
    records: dict[str, bytes] = {}
    position, data = 0, data.rstrip(b"\0")
    while position < len(data):
        space = data.find(b" ", position, position + 8)
        if space < 0 or not data[position:space].isdigit():
            raise MalformedDocument("a PAX record has no length")
        end = position + int(data[position:space])
        record = data[space + 1 : end]
        if end <= space or end > len(data) or record[-1:] != b"\n" or b"=" not in record:
            raise MalformedDocument("a PAX record is broken")
        key, _, value = record[:-1].partition(b"=")
        records[key.decode("utf-8", "backslashreplace")] = value
        position = end
    return records
