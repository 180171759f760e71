"""Local files: written under ``*.partial``, made durable, then renamed. Errors of the disk become ours."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from bundler.errors import (
    DamagedContent,
    DiskError,
    FileTooLarge,
    NoSpace,
    NotFound,
    NotReadable,
    NotRegular,
    NotWritable,
)

PARTIAL_SUFFIX = ".partial"

_KINDS: dict[int, type[DiskError]] = {
    errno.ENOSPC: NoSpace,
    errno.EDQUOT: NoSpace,
    errno.EFBIG: FileTooLarge,
    errno.EACCES: NotWritable,
    errno.EPERM: NotWritable,
    errno.EROFS: NotWritable,
}


class disk_errors:  # noqa: N801  # used like a function; as a generator it would cost more than what it guards
    """Turn an ``OSError`` inside the block into a declared error that names the path.

    Raises:
        NotFound: a file or directory is not there.
        DiskError: or one of its subclasses, for everything else.
    """

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, OSError):
            return
        if isinstance(error, (FileNotFoundError, NotADirectoryError)):
            raise NotFound(f"{self._path}: {os.strerror(error.errno or errno.ENOENT)}") from error
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise _KINDS.get(error.errno or 0, DiskError)(f"{self._path}: {reason}") from error


def open_regular(path: Path, *, directory: int | None = None) -> int:
    """Open a regular file for reading; return its descriptor. A link, pipe or device is not opened.

    Args:
        path: The file.
        directory: An open directory, in which its name is looked up instead.

    Raises:
        NotFound: there is nothing.
        NotRegular: there is something else than a regular file.
        NotReadable: this user may not read it. DiskError: the disk refused something else.
    """
    # O_NONBLOCK: opening a pipe must not wait for a writer. Not every system has these flags.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with disk_errors(path):
        try:
            descriptor = _open_no_link(path, flags, directory)
        except PermissionError as error:
            raise NotReadable(f"{path}: {os.strerror(error.errno or errno.EACCES)}") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise NotRegular(f"{path} is not a regular file")
        return descriptor


def _open_no_link(path: Path, flags: int, directory: int | None) -> int:
    if directory is None:
        if path.is_symlink():
            raise NotRegular(f"{path} is a link, not a file")
        return os.open(path, flags)
    if stat.S_ISLNK(os.stat(path.name, dir_fd=directory, follow_symlinks=False).st_mode):
        raise NotRegular(f"{path} is a link, not a file")
    return os.open(path.name, flags, dir_fd=directory)


def partial(path: Path) -> Path:
    """Return the name that a file has until it is whole."""
    return path.with_name(path.name + PARTIAL_SUFFIX)


def whole_name(name: str) -> str:
    """Return the name that a file has when it is whole."""
    return name.removesuffix(PARTIAL_SUFFIX)


def is_regular(path: Path) -> bool:
    """Tell whether there is a regular file, which a link is not."""
    return path.is_file() and not path.is_symlink()


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write every byte; a short write, as a full disk gives, is followed by the error that explains it."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_file(path: Path, data: bytes) -> None:
    """Write a whole small file so that it is either as before or complete, also after a loss of power.

    Raises:
        DiskError: the disk refused.
    """
    with disk_errors(path):
        beside = partial(path)
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_directory(path.parent)


def rewrite_file(path: Path, data: bytes) -> None:
    """Write a file of the user's own as :func:`write_file` does; a link stays a link, and its mode stays.

    Raises:
        DiskError: the disk refused.
    """
    with disk_errors(path):
        file = path.resolve()
        mode = file.stat().st_mode & 0o777 if file.exists() else None
        write_file(file, data)
        if mode is not None:
            file.chmod(mode)


def sync_file(path: Path) -> None:
    """Make the bytes of a closed file durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Make renames in a directory durable, where the system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some FUSE file systems refuse to sync a directory; there is no other way to ask them.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def read_range(path: Path, offset: int, length: int) -> bytes:
    """Return a few bytes of a file, exactly ``length``.

    Raises:
        DamagedContent: the file ends before that.
        NotFound, DiskError: it cannot be read.
    """
    with disk_errors(path):
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            os.lseek(descriptor, offset, os.SEEK_SET)
            data = os.read(descriptor, length)
        finally:
            os.close(descriptor)
    if len(data) < length:
        raise DamagedContent(f"{path} is truncated: {length} bytes at {offset} are needed")
    return data


class FileStream:
    """A stream over a range of a local file, which it opens and owns."""

    def __init__(self, path: Path, offset: int = 0, length: int | None = None) -> None:
        """Open ``length`` bytes from ``offset``, or all to the end of the file.

        Raises:
            NotFound, DiskError: the file cannot be opened.
        """
        self._path = path
        self._left = length
        with disk_errors(path):
            self._file = path.open("rb", buffering=0)
            self._file.seek(offset)

    def readinto(self, buffer: memoryview) -> int:
        """Read on; short of ``length`` only if the file is.

        Raises:
            DiskError: the disk refused.
        """
        with disk_errors(self._path):
            count = self._file.readinto(buffer if self._left is None else buffer[: self._left])
        if self._left is not None:
            self._left -= count
        return count

    def skip(self, count: int) -> None:
        """Move on without reading.

        Raises:
            DamagedContent: the file ends before that.
        """
        with disk_errors(self._path):
            position = self._file.tell() + count
            size = os.fstat(self._file.fileno()).st_size
            # No file system takes every number that an archive can claim.
            self._file.seek(min(position, size))
        if position > size:
            raise DamagedContent(f"{self._path} is truncated: it has {size} bytes, {position} are needed")
        if self._left is not None:
            self._left = max(self._left - count, 0)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
