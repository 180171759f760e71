"""What every form of a tar on a disk has in common: files found by name, never by path."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from bundler.content.streams import ByteStream, read_all
from bundler.content.tar import TarEntry
from bundler.errors import DamagedContent, NotFound
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond


class TarFiles(ABC):
    """The files of a tar, found by name. Safe to use from several threads.

    Names are looked up, never used as paths. Links are followed inside the archive, also to entries that
    come later, as engines do; of several entries with one name the last one counts, as engines have it.

    Attributes:
        path: of the archive.
    """

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        self.path = path
        self._limits = limits
        self._entries: dict[str, TarEntry] = {}

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

    @abstractmethod
    def start(self, name: str) -> bytes:
        """Return the first ``MAGIC_BYTES`` of a file, or all that it has.

        Raises:
            NotFound, MalformedDocument: as ``resolve``.
            DamagedContent: the archive has become shorter meanwhile.
        """

    @abstractmethod
    def open(self, name: str, offset: int = 0) -> ByteStream:
        """Open a file at an offset in bytes, 0 ≤ offset ≤ size; the caller closes the stream.

        The stream raises ``DamagedContent`` if the archive has become shorter meanwhile. What it gives is
        not verified.

        Raises:
            NotFound, MalformedDocument: as ``resolve``.
            ValueError: the offset is not within the file.
            DiskError: the disk refused.
        """

    @abstractmethod
    def walk(self, names: Sequence[str]) -> Generator[ByteStream | None, None, None]:
        """Open files one after the other, in this order; ``None`` for one that is not there.

        A stream is valid until the next one is asked for, and is closed here. See ``open`` for what it gives.
        """

    def read(self, name: str, limit: int) -> bytes:
        """Read a whole file of at most ``limit`` bytes; what it gives is not verified.

        Raises:
            NotFound, MalformedDocument: as ``resolve``; the file has more than ``limit`` bytes.
            DamagedContent: the archive has become shorter meanwhile.
            DiskError: the disk refused.
        """
        size = self._file(name).size
        if size > limit:
            raise beyond(limit, f"{self.path}: {name!r:.200} has {size} bytes")
        stream = self.open(name)
        try:
            return read_all(stream, limit, name)
        finally:
            stream.close()

    @abstractmethod
    def close(self) -> None:
        """Release what is held; may be called more than once."""

    def _file(self, name: str) -> TarEntry:
        entry = self._find(name)
        if entry is None:
            raise NotFound(f"{self.path} holds no file {name!r:.200}")
        return entry

    def _file_at(self, name: str, offset: int) -> TarEntry:
        entry = self._file(name)
        if not 0 <= offset <= entry.size:
            raise ValueError(f"offset {offset} is not within the {entry.size} bytes of {name!r}")
        return entry

    def _find(self, name: str) -> TarEntry | None:
        for _ in range(self._limits.archive_links + 1):
            entry = self._entries.get(name)
            if entry is None or entry.link is None:
                return entry if entry is not None and entry.is_file else None
            name = entry.link
        raise beyond(
            self._limits.archive_links, f"{self.path}: the links at {name!r:.200} lead in a circle or too far"
        )


class Payload:
    """A file inside an archive: never shorter than its header said without saying so."""

    def __init__(self, path: Path, entry: TarEntry, stream: ByteStream, offset: int = 0) -> None:
        """Read the rest of a file from ``offset`` on, where ``stream`` stands; it is closed with this one."""
        self._left = entry.size - offset
        self._name = f"{path}: {entry.name!r:.200}"
        self._stream = stream

    def readinto(self, buffer: memoryview) -> int:
        """Read on.

        Raises:
            DamagedContent: the archive ends within the file.
            DiskError: the disk refused.
        """
        wanted = min(len(buffer), self._left)
        count = self._stream.readinto(buffer[:wanted]) if wanted else 0
        if wanted and not count:
            raise DamagedContent(f"{self._name} is truncated: {self._left} bytes are missing")
        self._left -= count
        return count

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()
