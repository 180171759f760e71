"""The files that an unfinished pack left of one archive, as one sequence of bytes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from bundler.bundle.manifest import Blob, Part
from bundler.bundle.names import part_file, part_number
from bundler.content.files import FileStream, disk_errors, is_regular, partial, whole_name
from bundler.content.hashing import Sha256
from bundler.content.streams import BUFFER_BYTES
from bundler.content.tar import padding
from bundler.errors import DiskError, NotFound


class ArchiveLeftovers:
    """Parts by number, from 1: sealed ones under final names, behind them such with partial names."""

    def __init__(self, directory: Path, archive: str, part_bytes: int) -> None:
        """Look at the files of an archive; ``part_bytes`` 0 means that it was not cut."""
        self.directory = directory
        self.archive = archive
        self._part_bytes = part_bytes
        self._sealed: dict[int, Path] = {}

    def has_sealed(self, part: Part) -> bool:
        """Tell whether a part lies under its final name with its size."""
        path = self.directory / part.file
        return is_regular(path) and path.stat().st_size == part.size

    def keep_sealed(self, parts: Iterable[Part]) -> None:
        """Leave these, the first ones, under their names; everything behind them is partial from now on.

        Raises:
            DiskError: the disk refused.
        """
        self._sealed = {number: self.directory / part.file for number, part in enumerate(parts, 1)}
        for path, number in list(self._files()):
            if number not in self._sealed and path != self._partial(number):
                with disk_errors(path):
                    path.replace(self._partial(number))

    def end_of(self, number: int) -> int:
        """Return where a sealed part that is not the last one ends in the archive."""
        return number * self._part_bytes

    def holds(self, start: int, before: bytes, blob: Blob) -> bool:
        """Tell whether from ``start`` on there is what stands before a blob, the blob, and its padding."""
        expected, found, left = before, Sha256(), blob.size
        try:
            for data in self._read(start, len(before) + blob.size + padding(blob.size)):
                rest = data
                if expected:
                    head, rest = rest[: len(expected)], rest[len(expected) :]
                    if head != expected[: len(head)]:
                        return False
                    expected = expected[len(head) :]
                body, rest = rest[:left], rest[left:]
                found.update(body)
                left -= len(body)
                if any(rest):
                    return False
        except (DiskError, NotFound):
            # A file that ends too early, or a sector that cannot be read: what is not proven is made again.
            return False
        return found.digest == blob.digest

    def cut(self, end: int) -> None:
        """Let the archive end at ``end``, which lies behind all that is sealed.

        Raises:
            DiskError: the disk refused.
        """
        last, inside = self._locate(end)
        self.remove_beyond(last if inside else last - 1)
        for path, number in list(self._files()):
            size = inside if number == last else self._part_bytes
            if number not in self._sealed and path.stat().st_size > size:
                with disk_errors(path):
                    os.truncate(path, size)

    def remove_beyond(self, count: int) -> None:
        """Remove all files of the archive but those of its first ``count`` parts.

        Raises:
            DiskError: the disk refused.
        """
        for path, number in list(self._files()):
            if number > count:
                with disk_errors(path):
                    path.unlink()

    def _files(self) -> Iterator[tuple[Path, int]]:
        with disk_errors(self.directory):
            names = sorted(entry.name for entry in self.directory.iterdir())
        for name in names:
            number = part_number(whole_name(name), self.archive)
            if number is not None and is_regular(self.directory / name):
                yield self.directory / name, number

    def _read(self, start: int, length: int) -> Iterator[memoryview]:
        """Yield the bytes of a range; raise ``NotFound`` where they end too early."""
        buffer = memoryview(bytearray(BUFFER_BYTES))
        while length:
            number, inside = self._locate(start)
            in_part = min(length, self._part_bytes - inside) if self._part_bytes else length
            stream = FileStream(self._sealed.get(number) or self._partial(number), inside, in_part)
            try:
                while in_part:
                    count = stream.readinto(buffer)
                    if not count:
                        raise NotFound(f"{self.archive} ends at byte {start}")
                    yield buffer[:count]
                    start, length, in_part = start + count, length - count, in_part - count
            finally:
                stream.close()

    def _locate(self, offset: int) -> tuple[int, int]:
        if not self._part_bytes:
            return 1, offset
        index, inside = divmod(offset, self._part_bytes)
        return index + 1, inside

    def _partial(self, number: int) -> Path:
        return partial(self.directory / part_file(self.archive, number, number))
