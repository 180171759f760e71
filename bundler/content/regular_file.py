"""Opens files on media that are not trusted: only regular ones, so that a link or a pipe leads nowhere."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from bundler.content.files import disk_errors
from bundler.errors import DamagedContent


class RegularFileStream:
    """A stream over a local file that is proven to be a regular one: no link, device, pipe or directory."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        """Open the file at an offset in bytes.

        Raises:
            NotFound: it is not there.
            DamagedContent: it is something else than a regular file.
            DiskError: the disk refused.
        """
        self._path = path
        # NONBLOCK: opening a pipe that nobody writes to would wait for ever. Both are absent on Windows.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        with disk_errors(path):
            try:
                descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENXIO):
                    raise DamagedContent(f"{path} is no regular file") from error
                raise
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise DamagedContent(f"{path} is no regular file")
            self._file = os.fdopen(descriptor, "rb", buffering=0)
            self._file.seek(offset)

    def readinto(self, buffer: memoryview) -> int:
        """Read on.

        Raises:
            DiskError: the disk refused.
        """
        with disk_errors(self._path):
            return self._file.readinto(buffer) or 0

    def close(self) -> None:
        """Close the file."""
        self._file.close()
