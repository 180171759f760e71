"""A file that is made beside the one under its name: ``*.partial`` until it is proven."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from bundler.bundle.manifest import Part
from bundler.bundle.repair.aside import check_place, set_aside
from bundler.content.files import disk_errors, partial, sync_directory, write_all
from bundler.content.hashing import Sha256, block_sum
from bundler.content.read_back import MediumReader, drop_cache
from bundler.errors import DiskError

#: A sync cannot be interrupted: it comes so often that a slow medium needs few seconds for it.
_SYNC_BYTES = 32 << 20


class NewFile:
    """What is there of ``*.partial`` is kept: an earlier run may have begun it, or a copy. For one thread."""

    def __init__(self, directory: Path, part: Part, block_bytes: int) -> None:
        """Name a file; nothing is touched before ``open``."""
        self.part = part
        self.path = directory / part.file
        self.unfinished_path = partial(self.path)
        self._block_bytes = block_bytes
        self._file: int | None = None
        self._unsynced = 0

    def check_place(self) -> None:
        """Find out whether the file can be made, as far as names tell; directories in its place are set aside.

        Raises:
            OutputExists: a directory that has its name cannot be. DiskError: the disk refused.
        """
        for path in (self.path, self.unfinished_path):
            check_place(path)

    def open(self) -> None:
        """Begin to write.

        Raises:
            DiskError: the disk refused.
        """
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        set_aside(self.unfinished_path)
        with disk_errors(self.unfinished_path):
            self._remove_what_is_no_file()
            self._file = os.open(self.unfinished_path, flags, 0o644)
            if os.fstat(self._file).st_size > self.part.size:
                os.ftruncate(self._file, self.part.size)

    def write(self, offset: int, data: memoryview) -> None:
        """Write bytes at an offset; every now and then they are made durable.

        Raises:
            NoSpace, FileTooLarge, DiskError: the disk refused.
        """
        file = self._opened()
        with disk_errors(self.unfinished_path):
            os.lseek(file, offset, os.SEEK_SET)
            write_all(file, data)
            # The system begins at once to write, and does not only with the next sync.
            drop_cache(file, offset, len(data))
        self._unsynced += len(data)
        if self._unsynced >= _SYNC_BYTES:
            self.sync()

    def sync(self) -> None:
        """Make durable what was written.

        Raises:
            NoSpace, DiskError: the disk refused.
        """
        with disk_errors(self.unfinished_path):
            os.fsync(self._opened())
        self._unsynced = 0

    def prove(self, numbers: list[int]) -> tuple[list[int], bool]:
        """Read blocks back from the medium.

        Args:
            numbers: Of the blocks, ascending.

        Returns:
            Those that are wrong; and whether these blocks, joined, have the sha256 of the file.

        Raises:
            DiskError: the file cannot be opened any more.
        """
        wrong: list[int] = []
        whole = Sha256()
        medium = MediumReader(self._block_bytes)
        try:
            medium.open(self.unfinished_path)
            for number in numbers:
                offset = number * self._block_bytes
                length = min(self._block_bytes, self.part.size - offset)
                try:
                    found = medium.read(offset, length)
                except DiskError:
                    found = memoryview(b"")
                whole.update(found)
                if len(found) != length or block_sum(found) != self.part.blocks[number]:
                    wrong.append(number)
        finally:
            medium.close()
        return wrong, whole.digest.hex == self.part.sha256

    def seal(self) -> None:
        """Close the file and give it its name, durably; what had that name is gone.

        Raises:
            DiskError: the disk refused.
        """
        with disk_errors(self.path):
            # Some file systems tell only now that something could not be written.
            self.close()
        set_aside(self.path)
        with disk_errors(self.path):
            self.unfinished_path.replace(self.path)
            sync_directory(self.path.parent)

    def discard(self) -> None:
        """Close and remove what was made.

        Raises:
            DiskError: the disk refused.
        """
        self.close()
        with disk_errors(self.unfinished_path):
            self.unfinished_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; may be called more than once."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _opened(self) -> int:
        assert self._file is not None, "not open"
        return self._file

    def _remove_what_is_no_file(self) -> None:
        """A link or a pipe under an unfinished name leads nowhere that anybody needs."""
        try:
            mode = self.unfinished_path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISREG(mode):
            self.unfinished_path.unlink()
