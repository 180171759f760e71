"""Locks on files that a crash does not leave behind."""

from __future__ import annotations

import os
from pathlib import Path

from bundler.content.files import disk_errors
from bundler.errors import OutputExists


class _OpenLock:
    """A file that is open to be locked. Where system or file system know no locks, nobody is kept apart."""

    def __init__(self, path: Path, *, create: bool, mode: int) -> None:
        flags = os.O_RDWR | (os.O_CREAT if create else 0) | getattr(os, "O_NOFOLLOW", 0)
        with disk_errors(path):
            self._file: int | None = os.open(path, flags, mode)

    def _lock(self, *, shared: bool) -> bool | None:
        """Lock the file, together with others or at once alone; ``False`` where somebody is in the way.

        Returns:
            ``None`` where there are no such locks.
        """
        if os.name != "posix" or self._file is None:
            return None
        import fcntl

        try:
            fcntl.flock(self._file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return None  # a file system without locks, as some network and FUSE ones are
        return True

    def release(self) -> None:
        """Give the lock back; may be called more than once."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


class FileLock(_OpenLock):
    """Held alone from its making until ``release``, or until the process ends in whatever way."""

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
        super().__init__(path, create=create, mode=mode)
        locked = self._lock(shared=False)
        if locked is False or (locked and not self._is_named(path)):
            self.release()
            raise OutputExists(f"another run is writing to {path.parent}", advice="Wait until it has ended.")

    def _is_named(self, path: Path) -> bool:
        """Between opening and locking the holder before may have finished, and the name be another file's."""
        assert self._file is not None, "it was just opened"
        try:
            return os.path.samestat(os.fstat(self._file), path.stat())
        except FileNotFoundError:
            return False
        except OSError:
            return True  # what cannot be asked for is not known to have changed


class SharedLock(_OpenLock):
    """Held together with others from its making until ``release``, or alone after ``upgrade``."""

    def __init__(self, path: Path, *, mode: int = 0o600) -> None:
        """Lock a file, which is created where it is missing; waits for one who holds it alone.

        Raises:
            DiskError: the disk refused.
        """
        super().__init__(path, create=True, mode=mode)
        self._lock(shared=True)

    def upgrade(self) -> bool:
        """Try to hold the lock alone; tell whether that worked. If not, it may be held no more."""
        return self._file is not None and self._lock(shared=False) is not False
