"""A part's file at the destination: ``*.partial`` while it is written, its own name when it is whole."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

from bundler.bundle.block_reader import read_from
from bundler.bundle.copying.destination import CopyDestination
from bundler.bundle.manifest import Part
from bundler.content.files import disk_errors, partial, write_all
from bundler.content.read_back import MediumReader, drop_cache
from bundler.errors import FileTooLarge


class PartFile:
    """One part's file. It may be written to by one thread and mended by another."""

    def __init__(self, destination: CopyDestination, part: Part) -> None:
        """Name the file; nothing is touched before ``open``."""
        self._destination = destination
        self._directory = destination.directory
        self.part = part
        self.path = destination.path / part.file
        self.unfinished_path = partial(self.path)
        self._file: int | None = None
        self._place = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether the file is being written, and so lies under its unfinished name."""
        return self._file is not None

    def existing(self) -> Path | None:
        """Return where the file lies now, ``None`` if nowhere. A whole one counts before an unfinished one."""
        for path in (self.path, self.unfinished_path):
            if self._directory.holds_name(path.name):
                return path
        return None

    def open(self) -> None:
        """Begin to write: what is there gets the unfinished name, and what is too long is cut.

        From now on no ``bundle.json`` stands beside it. If the file is open already nothing happens.

        Raises:
            FileTooLarge: the file system holds no file of the part's size.
            DiskError: the disk refused.
        """
        if self._file is not None:
            return
        self._destination.unseal()
        self._directory.require()
        if self._directory.holds_name(self.path.name):
            self._directory.rename(self.path.name, self.unfinished_path.name)
        self._file = self._directory.open(self.unfinished_path.name, os.O_RDWR | os.O_CREAT)
        with disk_errors(self.unfinished_path):
            self._refuse_too_large(self._file)
            if os.fstat(self._file).st_size > self.part.size:
                os.ftruncate(self._file, self.part.size)
        self._directory.sync()

    def write(self, offset: int, data: memoryview) -> None:
        """Write bytes at an offset. The system begins at once to bring them to the medium, and goes on beside.

        Raises:
            NoSpace, FileTooLarge, DiskError: the disk refused.
        """
        file = self._opened()
        with self._place, disk_errors(self.unfinished_path):
            os.lseek(file, offset, os.SEEK_SET)
            write_all(file, data)
            # Otherwise the medium would idle until the next sync, which would then take all the longer.
            drop_cache(file, offset, len(data))

    def read(self, offset: int, buffer: memoryview) -> bool:
        """Fill a buffer from what was written; tell whether there was so much.

        Raises:
            DiskError: the disk refused.
        """
        file = self._opened()
        with self._place, disk_errors(self.unfinished_path):
            os.lseek(file, offset, os.SEEK_SET)
            return read_from(file, buffer) == len(buffer)

    def sync(self) -> None:
        """Make everything durable that was written.

        Raises:
            NoSpace, DiskError: the disk refused, or is gone: a file that is open hides that for long.
        """
        with disk_errors(self.unfinished_path):
            os.fsync(self._opened())
        self._directory.require()

    def seal(self) -> None:
        """Close the file and give it its final name, durably: it is whole.

        Raises:
            DiskError: the disk refused.
        """
        with disk_errors(self.path):
            # Some file systems tell only now that something could not be written.
            self.close()
        self._directory.require()
        self._directory.rename(self.unfinished_path.name, self.path.name)
        self._directory.sync()

    def discard_leftover(self) -> None:
        """Remove an unfinished file beside the whole one.

        Raises:
            DiskError: the disk refused.
        """
        self._directory.require()
        self._directory.unlink(self.unfinished_path.name)

    def show(self, reader: MediumReader, path: Path) -> int:
        """Open one of the file's two paths to read from the medium; return its size in bytes.

        Raises:
            NotFound, NotRegular, DiskError: it cannot be opened.
        """
        return reader.open(path, directory=self._directory.descriptor)

    def close(self) -> None:
        """Close the file; may be called more than once."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _opened(self) -> int:
        assert self._file is not None, "not open"
        return self._file

    def _refuse_too_large(self, file: int) -> None:
        """Find out before gigabytes are written: on FAT no place beyond 4 GiB can even be named."""
        try:
            os.lseek(file, self.part.size - 1, os.SEEK_SET)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EFBIG, errno.EOVERFLOW):
                raise
            raise FileTooLarge(f"{self.path}: the file system holds no file of {self.part.size} bytes") from error
