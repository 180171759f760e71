"""A lock that many may hold at once, or one alone; a crash does not leave it behind."""

from __future__ import annotations

import os
from pathlib import Path

from bundler.content.files import disk_errors


class SharedLock:
    """Held together with others, from its making until ``release``.

    Systems and file systems without such locks keep nobody apart.
    """

    def __init__(self, path: Path) -> None:
        """Lock a file, which is created where it is missing; waits for one who holds it alone.

        Raises:
            DiskError: the disk refused.
        """
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        with disk_errors(path):
            self._file: int | None = os.open(path, flags, 0o600)
        self._lock(alone=False)

    def upgrade(self) -> bool:
        """Try to hold the lock alone; tell whether that worked. If not, it may be held no more."""
        return self._file is not None and self._lock(alone=True)

    def release(self) -> None:
        """Give the lock back; may be called more than once."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _lock(self, *, alone: bool) -> bool:
        if os.name != "posix" or self._file is None:
            return True
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
        except BlockingIOError:
            return False
        except OSError:
            return True  # a file system without locks, as some network and FUSE ones are
        return True
