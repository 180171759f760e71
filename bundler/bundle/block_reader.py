"""Blocks of parts, each from the first place where it is right: several directories may hold a bundle's parts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bundler.bundle.manifest import Part
from bundler.content.files import disk_errors, open_regular, partial
from bundler.content.hashing import block_sum
from bundler.content.read_back import drop_cache
from bundler.errors import DiskError, NotFound, NotReadable, NotRegular

#: Of two files that are both wrong, the one that is further from being right says less about what to do; and one
#: that this user may not read can be right.
_CLOSENESS = ("missing", "not-regular", "too-short", "unreadable", "damaged-block", "denied")


@dataclass(frozen=True)
class BlockFailure:
    """Why a block cannot be had from any place.

    Attributes:
        code: ``missing``, ``not-regular``, ``denied``, ``too-short``, ``unreadable`` or ``damaged-block``: the
            most hopeful of all places.
        path: where that is; for a missing part where it would lie.
        found: what is there, for people.
    """

    code: str
    path: Path
    found: str


class PartLocations:
    """Where the files of a bundle may lie. A value: it holds nothing open."""

    def __init__(self, directories: Sequence[Path]) -> None:
        """Look into these directories, in this order; at least one."""
        self.directories = tuple(directories)

    def candidates(self, file: str) -> list[Path]:
        """Return where a part lies, whole files before unfinished ones; ``[]`` if nowhere."""
        whole = [directory / file for directory in self.directories]
        return [path for path in (*whole, *map(partial, whole)) if os.path.lexists(path)]


class BlockReader:
    """Reads blocks of parts, checked against their sums. Used by one thread; one file per place stays open."""

    def __init__(self, locations: PartLocations, block_bytes: int, *, tries: int = 1) -> None:
        """Read from ``locations``; a block that is refused or wrong is asked for ``tries`` times, 1 or more."""
        self.locations = locations
        self.block_bytes = block_bytes
        self._tries = max(tries, 1)
        self._file = ""
        self._candidates: list[Path] = []
        self._open: dict[Path, int] = {}

    def read(self, part: Part, number: int, buffer: memoryview) -> BlockFailure | None:
        """Fill the beginning of ``buffer`` with block ``number`` (from 0) of a part.

        Args:
            part: The part, as the table of contents says.
            number: 0 ≤ number < the part's number of blocks.
            buffer: At least as long as the block, :meth:`length` bytes of which are written.

        Returns:
            ``None`` if the bytes are right. Otherwise the buffer's content means nothing.
        """
        self._turn_to(part.file)
        block = buffer[: self.length(part, number)]
        failures: list[BlockFailure] = []
        for path in self._candidates:
            failure = self._read_from(path, part, number, block)
            if failure is None:
                return None
            failures.append(failure)
        if not failures:
            return BlockFailure("missing", self.locations.directories[0] / part.file, "nothing")
        return max(failures, key=lambda failure: _CLOSENESS.index(failure.code))

    def length(self, part: Part, number: int) -> int:
        """Return the bytes of a block; only the last one of a part may have fewer than the others."""
        return min(self.block_bytes, part.size - number * self.block_bytes)

    def close(self) -> None:
        """Close all files; may be called more than once, and the reader be used again."""
        while self._open:
            os.close(self._open.popitem()[1])
        self._file = ""

    def _turn_to(self, file: str) -> None:
        if self._file != file:
            self.close()
            self._file = file
            self._candidates = self.locations.candidates(file)

    def _read_from(self, path: Path, part: Part, number: int, block: memoryview) -> BlockFailure | None:
        try:
            file = self._opened(path)
        except NotFound:
            return BlockFailure("missing", path, "nothing")
        except NotRegular as error:
            return BlockFailure("not-regular", path, str(error))
        except NotReadable as error:
            return BlockFailure("denied", path, str(error))
        except DiskError as error:
            return BlockFailure("unreadable", path, str(error))
        for turn in range(self._tries):
            if turn:
                # The next try may be luckier, with a bad sector as with a bad cable: memory would repeat itself.
                drop_cache(file, number * self.block_bytes, len(block))
            failure = self._try(file, path, part, number, block)
            if failure is None or failure.code == "too-short":
                break
        return failure

    def _try(self, file: int, path: Path, part: Part, number: int, block: memoryview) -> BlockFailure | None:
        try:
            with disk_errors(path):
                os.lseek(file, number * self.block_bytes, os.SEEK_SET)
                filled = read_from(file, block)
        except DiskError as error:
            return BlockFailure("unreadable", path, str(error))
        if filled < len(block):
            size = number * self.block_bytes + filled
            return BlockFailure("too-short", path, f"{size} bytes")
        found = block_sum(block)
        return None if found == part.blocks[number] else BlockFailure("damaged-block", path, found)

    def _opened(self, path: Path) -> int:
        if path not in self._open:
            self._open[path] = open_regular(path)
        return self._open[path]


def read_from(file: int, buffer: memoryview) -> int:
    """Fill the buffer from an open file as far as it goes; return the number of bytes."""
    filled = 0
    while filled < len(buffer):
        count = os.readv(file, [buffer[filled:]]) if hasattr(os, "readv") else _read_copy(file, buffer[filled:])
        if not count:
            break
        filled += count
    return filled


def _read_copy(file: int, buffer: memoryview) -> int:
    data = os.read(file, len(buffer))
    buffer[: len(data)] = data
    return len(data)
