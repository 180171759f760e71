"""Ranges of many files, each opened when it is first read; a refusal is an answer, not an error."""

from __future__ import annotations

import os
from pathlib import Path

from bundler.bundle.block_reader import read_from
from bundler.content.files import disk_errors, open_regular
from bundler.content.read_back import drop_cache
from bundler.errors import DiskError, NotFound, NotReadable, NotRegular

#: A stripe touches as many files as it has blocks; so many stay open.
_MOST_OPEN = 64


class FileRanges:
    """Reads ranges of regular files. Used by one thread at a time.

    Attributes:
        denied: the first refusal because this user may not read a file: nobody knows what that holds.
    """

    def __init__(self) -> None:
        self.denied: NotReadable | None = None
        self._open: dict[Path, int] = {}

    def read(self, path: Path, offset: int, buffer: memoryview) -> bool:
        """Fill a buffer from a file; tell whether the file has all of it and the disk gave it."""
        try:
            file = self._opened(path)
            with disk_errors(path):
                os.lseek(file, offset, os.SEEK_SET)
                return read_from(file, buffer) == len(buffer)
        except NotReadable as error:
            self.denied = self.denied or error
            return False
        except (NotFound, NotRegular, DiskError):
            return False

    def refresh(self, path: Path, offset: int, length: int) -> None:
        """Have the next read of a range ask the medium, and not the system's memory of it."""
        if path in self._open:
            drop_cache(self._open[path], offset, length)

    def forget(self, path: Path) -> None:
        """Close a file: there is another one under its name now."""
        if path in self._open:
            os.close(self._open.pop(path))

    def close(self) -> None:
        """Close all files; may be called more than once, and more be read."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _opened(self, path: Path) -> int:
        if path in self._open:
            # The last one in the order is the one that was used last.
            self._open[path] = self._open.pop(path)
            return self._open[path]
        if len(self._open) >= _MOST_OPEN:
            os.close(self._open.pop(next(iter(self._open))))
        self._open[path] = open_regular(path)
        return self._open[path]
