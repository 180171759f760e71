"""Random access to an archive through its parts; no byte is handed on before its block's sum was found right."""

from __future__ import annotations

import os
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

from bundler.bundle.block_reader import read_from
from bundler.bundle.manifest import Archive, Part
from bundler.content.files import disk_errors, open_regular
from bundler.content.hashing import block_sum
from bundler.errors import DamagedBundle, DamagedContent, IncompleteBundle, NotFound


class ArchiveParts:
    """Where each byte of an archive lies. A value: safe to share between threads."""

    def __init__(self, directory: Path, archive: Archive, block_bytes: int) -> None:
        self.archive = archive
        self.block_bytes = block_bytes
        self._directory = directory
        self._starts = [0, *accumulate(part.size for part in archive.parts)]

    def locate(self, offset: int) -> tuple[int, int]:
        """Return the index of the part that holds a byte of the archive, and the byte's place in it.

        The end of the archive, where a blob without bytes may lie, is the end of its last part.
        """
        index = min(bisect_right(self._starts, offset), len(self.archive.parts)) - 1
        return index, offset - self._starts[index]

    def start_of(self, index: int) -> int:
        """Return the offset in the archive at which a part begins."""
        return self._starts[index]

    def path_of(self, part: Part) -> Path:
        """Return where a part lies."""
        return self._directory / part.file


class ArchiveStream:
    """A byte stream over a range of an archive. Holds one block and one open file."""

    def __init__(self, parts: ArchiveParts, offset: int, length: int) -> None:
        """Read ``length`` bytes from ``offset`` on; nothing is opened before the first read."""
        self._parts = parts
        self._position = offset
        self._end = offset + length
        self._block = memoryview(bytearray(0))
        self._block_at: tuple[int, int] | None = None
        self._file: int | None = None
        self._file_index = -1

    def readinto(self, buffer: memoryview) -> int:
        """Read on, across blocks and parts.

        Raises:
            IncompleteBundle: a part is not there.
            DamagedBundle: a block is damaged, or a part too short or no regular file.
            DiskError: the medium refused.
        """
        if self._position >= self._end or not len(buffer):
            return 0
        index, inside = self._parts.locate(self._position)
        number, within = divmod(inside, self._parts.block_bytes)
        if self._block_at != (index, number):
            self._load(index, number)
        count = min(len(buffer), len(self._block) - within, self._end - self._position)
        buffer[:count] = self._block[within : within + count]
        self._position += count
        return count

    def close(self) -> None:
        """Close the part that is open."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
            self._file_index = -1

    def _load(self, index: int, number: int) -> None:
        part = self._parts.archive.parts[index]
        path = self._parts.path_of(part)
        start = number * self._parts.block_bytes
        block = memoryview(bytearray(min(self._parts.block_bytes, part.size - start)))
        self._block_at = None
        with disk_errors(path):
            file = self._open(index, part, path)
            os.lseek(file, start, os.SEEK_SET)
            filled = read_from(file, block)
        if filled < len(block) or block_sum(block) != part.blocks[number]:
            what = "is too short" if filled < len(block) else "is damaged"
            raise DamagedBundle(f"{part.file} {what} in block {number}, at byte {start}")
        self._block, self._block_at = block, (index, number)

    def _open(self, index: int, part: Part, path: Path) -> int:
        if self._file is None or self._file_index != index:
            self.close()
            try:
                self._file, self._file_index = open_regular(path), index
            except NotFound as error:
                raise IncompleteBundle(f"the part {part.file} is not there") from error
            except DamagedContent as error:
                raise DamagedBundle(str(error)) from error
        return self._file
