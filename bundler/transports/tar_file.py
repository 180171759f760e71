"""A tar on a disk, read in any order by the names of its entries."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from bundler.content.files import FileStream, disk_errors
from bundler.content.streams import ByteStream, read_all
from bundler.content.tar import TarEntry, TarReader
from bundler.errors import DamagedContent, MalformedDocument, NotFound, UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits

_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
}
_MOST_LINKS = 16


class TarFile:
    """The entries of a plain tar in a seekable file, found by name. Safe to use from several threads.

    Names are looked up, never used as paths. Links are followed inside the archive, also to entries that
    come later, as engines do; of several entries with one name the last one counts, as engines have it.
    """

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        """Walk over all headers of the file; no payload is read.

        Raises:
            NotFound: there is no such file.
            UsageError: it is compressed, or no regular file (a pipe cannot be read in any order).
            DamagedContent: it is empty or truncated.
            MalformedDocument: it is no tar, or exceeds a bound.
            DiskError: the disk refused.
        """
        self.path = path
        _require_plain_file(path)
        self._entries: dict[str, TarEntry] = {}
        stream = FileStream(path)
        try:
            reader = TarReader(stream, stream.skip, limits)
            while (entry := reader.next()) is not None:
                self._entries[entry.name] = entry
        except DamagedContent as error:
            what = "" if self._entries else "not a tar, or damaged: "
            raise type(error)(f"{path}: {what}{error}", advice=error.advice) from error
        finally:
            stream.close()

    def __contains__(self, name: str) -> bool:
        """Tell whether the name is that of a file, or of a link that leads to one."""
        return self._find(name) is not None

    def __iter__(self) -> Iterator[str]:
        """Yield the names of all entries, directories too, as they were first met."""
        return iter(self._entries)

    def resolve(self, name: str) -> str:
        """Return the name of the file that a name leads to when all links are followed.

        Raises:
            NotFound: it leads to no file.
            MalformedDocument: links lead in a circle.
        """
        return self._file(name).name

    def size(self, name: str) -> int:
        """Return the bytes that the file has by its header.

        Raises:
            NotFound, MalformedDocument: as ``resolve``.
        """
        return self._file(name).size

    def open(self, name: str, offset: int = 0) -> ByteStream:
        """Open a file at an offset in bytes, 0 ≤ offset ≤ size; the caller closes the stream.

        The stream raises ``DamagedContent`` if the archive has become shorter meanwhile. What it gives is
        not verified.

        Raises:
            NotFound, MalformedDocument: as ``resolve``.
            DiskError: the disk refused.
        """
        entry = self._file(name)
        if not 0 <= offset <= entry.size:
            raise ValueError(f"offset {offset} is not within the {entry.size} bytes of {name!r}")
        return _Payload(self.path, entry, offset)

    def read(self, name: str, limit: int) -> bytes:
        """Read a whole file of at most ``limit`` bytes; what it gives is not verified.

        Raises:
            NotFound, MalformedDocument: as ``resolve``; the file has more than ``limit`` bytes.
            DamagedContent: the archive has become shorter meanwhile.
            DiskError: the disk refused.
        """
        size = self._file(name).size
        if size > limit:
            raise MalformedDocument(f"{self.path}: {name!r:.200} has {size} bytes, more than the {limit} allowed")
        stream = self.open(name)
        try:
            return read_all(stream, limit, name)
        finally:
            stream.close()

    def close(self) -> None:
        """Nothing stays open between two calls; here so that other forms of archives may hold files."""

    def _file(self, name: str) -> TarEntry:
        entry = self._find(name)
        if entry is None:
            raise NotFound(f"{self.path} holds no file {name!r:.200}")
        return entry

    def _find(self, name: str) -> TarEntry | None:
        for _ in range(_MOST_LINKS):
            entry = self._entries.get(name)
            if entry is None or entry.link is None:
                return entry if entry is not None and entry.is_file else None
            name = entry.link
        raise MalformedDocument(f"{self.path}: the links at {name!r:.200} lead in a circle or too far")


class _Payload:
    """A file inside the archive: never shorter than its header said without saying so."""

    def __init__(self, path: Path, entry: TarEntry, offset: int) -> None:
        self._left = entry.size - offset
        self._name = f"{path}: {entry.name!r:.200}"
        self._stream = FileStream(path, entry.offset + offset, self._left)

    def readinto(self, buffer: memoryview) -> int:
        count = self._stream.readinto(buffer)
        if count == 0 and self._left and len(buffer):
            raise DamagedContent(f"{self._name} is truncated: {self._left} bytes are missing")
        self._left -= count
        return count

    def close(self) -> None:
        self._stream.close()


def _require_plain_file(path: Path) -> None:
    # Compressed files and pipes need a reader of another kind; it would stand beside this one, with the
    # same methods, and be chosen here.
    with disk_errors(path):
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UsageError(f"{path} is a directory, not an archive", advice="Name a file, or use oci:DIR.")
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(
                f"{path} is a pipe or device: archives are read in any order, which it cannot do",
                advice="Write the archive to a file first.",
            )
        with path.open("rb") as file:
            start = file.read(6)
    if not start:
        raise DamagedContent(f"{path} is empty")
    for magic, name in _COMPRESSIONS.items():
        if start.startswith(magic):
            raise UsageError(
                f"{path} is compressed with {name}; only plain archives are read",
                advice=f"Decompress it first ({name} -dk), then name the plain file.",
            )
