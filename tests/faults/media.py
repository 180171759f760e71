"""Media that fail at given places: sectors that cannot be read, and memory cells that keep something else."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def path_of(file: int) -> Path:
    """Return the path of an open file."""
    return Path(f"/proc/self/fd/{file}").readlink()


class BadSectors:
    """Ranges of files that give EIO, for ever or for some reads.

    Attributes:
        failed: how many reads did.
    """

    def __init__(self) -> None:
        self._ranges: list[tuple[Path, int, int, list[int]]] = []
        self.failed = 0

    def add(self, path: Path, start: int, end: int, *, times: int = 1 << 30) -> None:
        """Let reads of the bytes ``start`` to ``end`` of a file fail, so many times."""
        self._ranges.append((path, start, end, [times]))

    def check(self, path: Path, start: int, length: int) -> None:
        """Raise ``OSError`` if a read meets a bad sector."""
        for bad, begin, end, times in self._ranges:
            if bad == path and start < end and begin < start + length and times[0]:
                times[0] -= 1
                self.failed += 1
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))


@contextmanager
def bad_sectors() -> Iterator[BadSectors]:
    """Read through a medium that may have bad sectors, inside the block."""
    bad, readv = BadSectors(), os.readv

    def read(file: int, buffers: Any) -> int:
        bad.check(path_of(file), os.lseek(file, 0, os.SEEK_CUR), sum(map(len, buffers)))
        return readv(file, buffers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "readv", read)
        yield bad


class WornMedium:
    """Changes a byte of a file behind the back of whoever has just made it durable.

    Attributes:
        left: how many times it will.
        done: how many times it did.
    """

    def __init__(self, name: str, offset: int, times: int) -> None:
        self._name, self._offset = name, offset
        self.left, self.done = times, 0

    def synced(self, file: int) -> None:
        """A file was made durable."""
        path = path_of(file)
        if path.name != self._name or not self.left or os.fstat(file).st_size <= self._offset:
            return
        self.left -= 1
        self.done += 1
        with path.open("r+b") as medium:
            medium.seek(self._offset)
            (byte,) = medium.read(1)
            medium.seek(self._offset)
            medium.write(bytes([byte ^ 0x10]))


@contextmanager
def worn_medium(name: str, offset: int, times: int = 1 << 30) -> Iterator[WornMedium]:
    """Let the byte of a file be wrong after each of so many syncs, inside the block."""
    medium, sync = WornMedium(name, offset, times), os.fsync

    def sync_file(file: int) -> None:
        sync(file)
        medium.synced(file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", sync_file)
        yield medium
