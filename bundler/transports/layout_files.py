"""The files of an OCI layout, wherever they lie: what a layout in a directory and one in a tar have in common."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Protocol

from bundler.content.regular_file import RegularFileStream
from bundler.content.streams import ByteStream, read_all
from bundler.errors import DamagedContent, NotFound


class LayoutFiles(Protocol):
    """The files of a layout by their names in it. Safe to use from several threads."""

    def read(self, name: str, limit: int) -> bytes:
        """Return a whole file of at most ``limit`` bytes.

        Raises:
            NotFound: there is no such file.
            DamagedContent: it is larger, or no regular file.
        """

    def open(self, name: str, offset: int = 0) -> ByteStream:
        """Open a file at an offset in bytes; the caller closes the stream.

        Raises:
            NotFound: there is no such file.
            DamagedContent: it is no regular file.
            ValueError: the offset lies behind its end, where that is known before reading.
        """

    def walk(self, names: Sequence[str]) -> Generator[ByteStream | None, None, None]:
        """Open files one after the other, in this order; ``None`` for one that is not there.

        A stream is valid until the next one is asked for, and is closed here.

        Raises:
            DamagedContent: one is no regular file.
        """

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a regular file of this name."""

    def close(self) -> None:
        """Release the files; may be called more than once."""


class DirectoryFiles:
    """The files of a layout that is a directory."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, name: str, limit: int) -> bytes:
        """Return a whole small file; see :class:`LayoutFiles`."""
        stream = self.open(name)
        try:
            return read_all(stream, limit, str(self._path / name))
        finally:
            stream.close()

    def open(self, name: str, offset: int = 0) -> ByteStream:
        """Open a regular file; see :class:`LayoutFiles`."""
        return RegularFileStream(self._path / name, offset)

    def walk(self, names: Sequence[str]) -> Generator[ByteStream | None, None, None]:
        """Open files one after the other; see :class:`LayoutFiles`."""
        for name in names:
            try:
                stream = self.open(name)
            except NotFound:
                yield None
                continue
            try:
                yield stream
            finally:
                stream.close()

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a regular file of this name."""
        try:
            self.open(name).close()
        except (NotFound, DamagedContent):
            return False
        return True

    def close(self) -> None:
        """Nothing stays open."""
