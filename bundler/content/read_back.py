"""Reads what lies on a medium, and not what the system still remembers of it.

Memory answers for what was just written, also where the medium kept something else: a broken stick, or one that
claims to be larger than it is. So reads go around the cache (``O_DIRECT``, with aligned buffers); where a file
system refuses that, what is cached is dropped before each read; and where that cannot be asked for either, the
read is an ordinary one. Through FUSE the driver is a program with memory of its own: what is proven there is what
that program holds, not what the medium does.
"""

from __future__ import annotations

import contextlib
import errno
import io
import mmap
import os
from pathlib import Path
from typing import Literal

from bundler.content.files import disk_errors, open_regular

Way = Literal["direct", "uncached", "plain"]
#: No medium has larger sectors: offsets, lengths and addresses of direct reads are multiples of it.
_GRID = 4096
#: How a file system says that it has no direct reads; some only when it is read.
_NO_DIRECT_READS = (errno.EINVAL, errno.ENOTSUP)


class MediumReader:
    """Reads ranges of files from the medium. One file at a time; for one thread; its buffer is made once."""

    def __init__(self, longest: int, *, around_cache: bool = True) -> None:
        """Make a reader for ranges of at most ``longest`` bytes.

        Args:
            longest: Bytes, 1 or more.
            around_cache: Whether the medium itself is asked; otherwise all reads are plain.
        """
        # A mapping begins at a page, and the grid around a range is wider than the range.
        self._buffer = memoryview(mmap.mmap(-1, _grid_up(longest) + _GRID))
        self._around_cache = around_cache
        self._path = Path()
        self._file: io.FileIO | None = None
        self._way: Way = "plain"

    @property
    def way(self) -> Way:
        """How the file is read: ``direct``, ``uncached`` (what was cached is dropped) or ``plain``."""
        return self._way

    def open(self, path: Path, *, directory: int | None = None) -> int:
        """Turn to a regular file; return its size in bytes. The one before is closed.

        With ``directory``, an open one, the name of the file is looked up in that.

        Raises:
            NotFound: there is nothing.
            NotRegular: there is something else than a regular file.
            DiskError: the disk refused.
        """
        self.close()
        self._path = path
        self._file = io.FileIO(open_regular(path, directory=directory))
        self._way = "plain"
        if self._around_cache and not self._ask_for_direct_reads(True):
            self._drop_the_cache_instead()
        with disk_errors(path):
            return os.fstat(self._file.fileno()).st_size

    def read(self, offset: int, length: int) -> memoryview:
        """Return a range of the open file; it is shorter where the file ends. The next read overwrites it.

        Raises:
            DiskError: the medium refused.
        """
        start = offset - offset % _GRID
        wanted = self._buffer[: _grid_up(offset + length) - start]
        with disk_errors(self._path):
            try:
                filled = self._fill(start, wanted)
            except OSError as error:
                if self._way != "direct" or error.errno not in _NO_DIRECT_READS:
                    raise
                self._ask_for_direct_reads(False)
                self._drop_the_cache_instead()
                filled = self._fill(start, wanted)
        begin = offset - start
        return self._buffer[begin : max(begin, min(filled, begin + length))]

    def close(self) -> None:
        """Close the file; may be called more than once, and another one be opened."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> io.FileIO:
        assert self._file is not None, "read before open"
        return self._file

    def _fill(self, start: int, wanted: memoryview) -> int:
        """Read from ``start``, a point of the grid, until ``wanted`` is full or the file ends."""
        file = self._opened()
        if self._way == "uncached":
            drop_cache(file.fileno(), start, len(wanted))
        file.seek(start)
        filled = 0
        while filled < len(wanted):
            count = file.readinto(wanted[filled:]) or 0
            filled += count
            # A direct read that ends beside the grid has met the end of the file, and could not go on from there.
            if not count or (self._way == "direct" and filled % _GRID):
                break
        return filled

    def _ask_for_direct_reads(self, wanted: bool) -> bool:
        if not hasattr(os, "O_DIRECT"):
            return False
        import fcntl

        number = self._opened().fileno()
        flags = fcntl.fcntl(number, fcntl.F_GETFL)
        try:
            fcntl.fcntl(number, fcntl.F_SETFL, flags | os.O_DIRECT if wanted else flags & ~os.O_DIRECT)
        except OSError:
            return False
        self._way = "direct" if wanted else "plain"
        return True

    def _drop_the_cache_instead(self) -> None:
        if not hasattr(os, "posix_fadvise"):
            return
        # What is not on the medium yet cannot be dropped; whoever wrote it learns of errors by a sync of its own.
        with contextlib.suppress(OSError):
            os.fsync(self._opened().fileno())
        self._way = "uncached"


def drop_cache(file: int, offset: int, length: int) -> None:
    """Ask the system to forget a range of an open file, so that the next read asks the medium.

    Bytes that are not on the medium yet are not forgotten; the system begins to write them. Whatever the system
    answers, the file's content stays the same; where it does not know the question, nothing happens.
    """
    if not hasattr(os, "posix_fadvise"):
        return
    start = offset - offset % _GRID
    with contextlib.suppress(OSError):
        os.posix_fadvise(file, start, _grid_up(offset + length) - start, os.POSIX_FADV_DONTNEED)


def _grid_up(number: int) -> int:
    return -(-number // _GRID) * _GRID
