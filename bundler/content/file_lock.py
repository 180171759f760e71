"""A lock on a file that a crash does not leave behind."""

from __future__ import annotations

import os
from pathlib import Path

from bundler.content.files import disk_errors
from bundler.errors import OutputExists


class FileLock:
    """Held from its making until ``release``, or until the process ends in whatever way."""

    def __init__(self, path: Path, *, create: bool = True, mode: int = 0o644) -> None:
        """Lock a file, which is created where it is missing; it may get another name while it is locked.

        Args:
            path: Of the file.
            create: Whether it may be created.
            mode: Permissions of a file that is created.

        Raises:
            OutputExists: another process or object holds the lock, or the file was renamed at this moment.
            NotFound: it is missing and was not to be created.
            DiskError: the disk refused.
        """
        flags = os.O_RDWR | (os.O_CREAT if create else 0) | getattr(os, "O_NOFOLLOW", 0)
        with disk_errors(path):
            self._file: int | None = os.open(path, flags, mode)
        if os.name != "posix":
            return  # there two runs are not kept apart
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between opening and locking the holder before may have finished, and the name be another file's.
            is_named = path.exists() and os.path.samestat(os.fstat(self._file), path.stat())
        except BlockingIOError:
            is_named = False
        except OSError:
            return  # a file system without locks, as some network and FUSE ones are
        if not is_named:
            self.release()
            raise OutputExists(f"another run is writing to {path.parent}", advice="Wait until it has ended.")

    def release(self) -> None:
        """Give the lock back; may be called more than once."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
