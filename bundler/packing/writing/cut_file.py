"""A sequence of bytes written to consecutive files of at most part-size bytes each."""

from __future__ import annotations

import os
from pathlib import Path

from bundler.bundle.names import part_file
from bundler.content.files import disk_errors, partial, write_all


class CutFile:
    """Writes one archive under the partial names of its parts. Used by one thread at a time.

    No file stays open but the last one, however many parts a single blob spans.
    """

    def __init__(self, directory: Path, archive: str, part_bytes: int, position: int = 0) -> None:
        """Begin to write at ``position``, behind bytes that are there; ``part_bytes`` 0: nothing is cut."""
        self._directory = directory
        self._archive = archive
        self._part_bytes = part_bytes
        self._count = 0
        self._room = 0
        self._file: int | None = None
        self.position = position

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes; a new part begins only when there is a byte for it.

        Raises:
            DiskError: the disk refused.
        """
        rest = memoryview(data)
        while rest:
            if self._file is None or self._room == 0:
                self._open_part()
            piece = rest if not self._part_bytes else rest[: self._room]
            assert self._file is not None
            with disk_errors(self.partial_path(self._count)):
                write_all(self._file, piece)
            self._room -= len(piece)
            self.position += len(piece)
            rest = rest[len(piece) :]

    def patch(self, offset: int, data: bytes) -> None:
        """Write over bytes from ``offset`` on that lie before the position; they may span parts.

        Raises:
            DiskError: the disk refused.
        """
        rest = memoryview(data)
        while rest:
            number, inside = self.locate(offset)
            piece = rest if not self._part_bytes else rest[: self._part_bytes - inside]
            path = self.partial_path(number)
            with disk_errors(path):
                descriptor = os.open(path, os.O_WRONLY | getattr(os, "O_BINARY", 0))
                try:
                    os.lseek(descriptor, inside, os.SEEK_SET)
                    write_all(descriptor, piece)
                finally:
                    os.close(descriptor)
            offset += len(piece)
            rest = rest[len(piece) :]

    def locate(self, offset: int) -> tuple[int, int]:
        """Return the number of the part (from 1) that holds this byte, and the byte's place in it."""
        if not self._part_bytes:
            return 1, offset
        index, inside = divmod(offset, self._part_bytes)
        return index + 1, inside

    def partial_path(self, number: int) -> Path:
        """Return where a part lies until it is whole."""
        return partial(self._directory / part_file(self._archive, number, number))

    def close(self) -> None:
        """Close the last file; may be called more than once.

        Raises:
            DiskError: the disk refused what it had taken before, as network file systems do.
        """
        if self._file is not None:
            descriptor, self._file, self._room = self._file, None, 0
            with disk_errors(self.partial_path(self._count)):
                os.close(descriptor)

    def _open_part(self) -> None:
        """Open the part that takes the next byte: a new one, or at the start one that is there in part."""
        self.close()
        self._count, inside = self.locate(self.position)
        path = self.partial_path(self._count)
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)
        with disk_errors(path):
            self._file = os.open(path, flags if inside else flags | os.O_TRUNC, 0o644)
            os.lseek(self._file, inside, os.SEEK_SET)
        self._room = self._part_bytes - inside
