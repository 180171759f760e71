"""A directory that is held, whatever becomes of its path: a stick that is pulled out leaves an empty one behind.

Names are looked up in the directory itself where the system can do that, so that nothing is ever written to what
is mounted at its path meanwhile. Elsewhere it is compared with what it was, before each file is opened.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from bundler.content.files import disk_errors, open_regular, partial, write_all
from bundler.errors import DamagedContent, DiskError, NotFound

_CAN_HOLD = {os.open, os.stat, os.unlink, os.rename} <= os.supports_dir_fd and os.scandir in os.supports_fd


class PinnedDirectory:
    """Files of one directory, by their names. Held from its making until ``close``.

    Attributes:
        path: where it was found.
        descriptor: names are looked up in it; ``None`` where the system cannot do that.
    """

    def __init__(self, path: Path) -> None:
        """Hold the directory that is there now.

        Raises:
            NotFound: there is none. DiskError: the disk refused.
        """
        self.path = path
        self.descriptor: int | None = None
        with disk_errors(path):
            if _CAN_HOLD:
                self.descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
            facts = path.stat() if self.descriptor is None else os.fstat(self.descriptor)
        self._identity = facts.st_dev, facts.st_ino

    def require(self) -> None:
        """Do nothing if the directory is still the one at its path.

        Raises:
            DiskError: it is gone, or something else is there.
        """
        if (found := identity(self.path)) == self._identity:
            return
        instead = "" if found is None else ": another one, or an empty directory, is in its place"
        raise DiskError(
            f"the medium at {self.path} is gone{instead}",
            advice="Put it back in its place and run the same command again: what it holds is kept.",
        )

    def names(self) -> list[str]:
        """Return the names of everything in it.

        Raises:
            DiskError: the disk refused.
        """
        where = self.path if self.descriptor is None else self.descriptor
        with disk_errors(self.path), os.scandir(where) as entries:
            return [entry.name for entry in entries]

    def holds_name(self, name: str) -> bool:
        """Tell whether there is anything of this name, be it a link to nowhere."""
        try:
            os.stat(self._where(name), dir_fd=self.descriptor, follow_symlinks=False)
        except OSError:
            return False
        return True

    def open(self, name: str, flags: int) -> int:
        """Open a file to write to it; links are not followed.

        Raises:
            DiskError: the directory is gone, or the disk refused.
        """
        self.require()
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with disk_errors(self.path / name):
            return os.open(self._where(name), flags, 0o644, dir_fd=self.descriptor)

    def rename(self, name: str, new: str) -> None:
        """Give a file another name, under which there may be one already; that is not durable before ``sync``.

        Raises:
            NotFound: there is no such file. DiskError: the disk refused.
        """
        here = self.descriptor
        with disk_errors(self.path / name):
            os.replace(self._where(name), self._where(new), src_dir_fd=here, dst_dir_fd=here)

    def unlink(self, name: str) -> None:
        """Remove a file, if there is one.

        Raises:
            DiskError: the disk refused.
        """
        if self.holds_name(name):
            with disk_errors(self.path / name):
                os.unlink(self._where(name), dir_fd=self.descriptor)

    def sync(self) -> None:
        """Make what has become of names durable, where the system can do that.

        Raises:
            DiskError: the disk refused.
        """
        if self.descriptor is None:
            return
        with disk_errors(self.path):
            try:
                os.fsync(self.descriptor)
            except OSError as error:
                # Some FUSE file systems refuse to sync a directory; there is no other way to ask them.
                if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                    raise

    def holds(self, name: str, content: bytes) -> bool:
        """Tell whether a regular file of this name has exactly this content, as far as it can be read."""
        try:
            file = open_regular(self.path / name, directory=self.descriptor)
            with disk_errors(self.path / name), os.fdopen(file, "rb") as opened:
                return opened.read(len(content) + 1) == content
        except (NotFound, DamagedContent, DiskError):
            # What a bad sector hides is written again, to another place.
            return False

    def write_file(self, name: str, content: bytes) -> None:
        """Write a whole small file so that it is either as before or complete, also after a loss of power.

        Raises:
            DiskError: the directory is gone, or the disk refused.
        """
        beside = partial(Path(name)).name
        file = self.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            with disk_errors(self.path / name):
                write_all(file, content)
                os.fsync(file)
        finally:
            os.close(file)
        self.rename(beside, name)
        self.sync()

    def close(self) -> None:
        """Let it go; may be called more than once."""
        descriptor, self.descriptor = self.descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _where(self, name: str) -> str | Path:
        return self.path / name if self.descriptor is None else name


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a directory from every other one that may be at its path; ``None`` if nothing is."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
