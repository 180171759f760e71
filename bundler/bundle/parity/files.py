"""The parity files while they are made: one sequence of bytes, cut, each file ``*.partial`` until it is whole."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from bundler.bundle.block_reader import read_from
from bundler.bundle.manifest import Part
from bundler.bundle.names import is_parity_name, parity_files
from bundler.bundle.parity.geometry import Geometry
from bundler.content.files import (
    disk_errors,
    open_regular,
    partial,
    sync_directory,
    sync_file,
    whole_name,
    write_all,
)
from bundler.content.free_space import taken_bytes
from bundler.content.hashing import BlockSum, PartSums
from bundler.errors import DiskError, NotFound, OutputExists

_PIECE_BYTES = 1 << 20


def cut_sizes(geometry: Geometry, part_bytes: int) -> list[int]:
    """Return the sizes of the parity files of a bundle whose parts have at most ``part_bytes``; 0: no cut.

    No parity block is cut, unless parts are smaller than blocks.
    """
    block, rest = geometry.block_bytes, geometry.parity_bytes
    size = part_bytes - part_bytes % block if part_bytes >= block else part_bytes
    if not size:
        return [rest]
    whole, last = divmod(rest, size)
    return [size] * whole + [last] * bool(last)


class ParityFiles:
    """The files in one directory, whole or not. Used by one thread, except ``sync``."""

    def __init__(self, directory: Path, sizes: Sequence[int]) -> None:
        """Name the files; nothing is touched."""
        self._directory = directory
        self._names = parity_files(len(sizes))
        self._sizes = tuple(sizes)
        #: All but the last one have the same size.
        self._size = sizes[0]
        self._written: set[Path] = set()

    def prepare(self) -> None:
        """Refuse what cannot be written to, and cut what is too long.

        Raises:
            OutputExists: a link or a directory has the name of a parity file.
            DiskError: the disk refused.
        """
        sizes = dict(zip(self._names, self._sizes, strict=True))
        for path in lying_files(self._directory):
            size = sizes.get(whole_name(path.name))
            with disk_errors(path):
                if size is not None and path.stat().st_size > size:
                    os.truncate(path, size)

    @property
    def lacking_bytes(self) -> int:
        """Bytes that the disk still has to give."""
        pairs = zip(self._names, self._sizes, strict=True)
        return sum(size - min(taken_bytes(self._existing(name)), size) for name, size in pairs)

    def write(self, offset: int, data: memoryview) -> None:
        """Write bytes of the sequence; the files that take them are unfinished from now on.

        Raises:
            NoSpace, FileTooLarge, DiskError: the disk refused.
        """
        for name, inside, piece in self._pieces(offset, data):
            path = partial(self._directory / name)
            with disk_errors(path):
                if os.path.lexists(self._directory / name):
                    (self._directory / name).replace(path)
                flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
                file = os.open(path, flags, 0o644)
                try:
                    os.lseek(file, inside, os.SEEK_SET)
                    write_all(file, piece)
                finally:
                    os.close(file)
            self._written.add(path)

    def written(self) -> frozenset[Path]:
        """Return the files that were written to since the last call, to be given to ``sync``."""
        result = frozenset(self._written)
        self._written.clear()
        return result

    @staticmethod
    def sync(paths: frozenset[Path]) -> None:
        """Make durable what was written to some files.

        Raises:
            NoSpace, DiskError: the disk refused.
        """
        for path in sorted(paths):
            with disk_errors(path):
                sync_file(path)

    def sum_of(self, offset: int, length: int) -> str | None:
        """Return the xxh3-64 of a range of the sequence; ``None`` where it is not there or cannot be read."""
        total = BlockSum()
        buffer = memoryview(bytearray(min(length, _PIECE_BYTES)))
        for start in range(offset, offset + length, len(buffer)):
            for name, inside, piece in self._pieces(start, buffer[: offset + length - start]):
                if not self._read(self._existing(name), inside, piece):
                    return None
                total.update(piece)
        return total.value

    def describe(self, number: int, block_bytes: int) -> Part:
        """Read a file whole; return what parity.json says of it. ``number`` counts from 0.

        Raises:
            DiskError: it cannot be read, or is not as long as it should be.
        """
        name, size = self._names[number], self._sizes[number]
        path, sums = self._existing(name), PartSums(block_bytes)
        buffer = memoryview(bytearray(min(size, _PIECE_BYTES)))
        while sums.size < size:
            piece = buffer[: size - sums.size]
            if not self._read(path, sums.size, piece):
                raise DiskError(f"{path} does not hold what was written to it")
            sums.update(piece)
        return Part(file=name, size=size, sha256=sums.sha256, xxh3_128=sums.xxh3_128, blocks=sums.blocks)

    def seal(self, number: int) -> None:
        """Give a file that is whole its final name, durably.

        Raises:
            DiskError: the disk refused.
        """
        path = self._directory / self._names[number]
        unfinished = partial(path)
        with disk_errors(path):
            if os.path.lexists(path):
                unfinished.unlink(missing_ok=True)
            else:
                sync_file(unfinished)
                unfinished.replace(path)
            sync_directory(self._directory)

    def remove(self, *, surplus_only: bool = False) -> None:
        """Remove every file that is named like a parity file, whole or not; or only those that are none of these.

        Raises:
            DiskError: the disk refused.
        """
        kept = set(self._names) if surplus_only else set()
        for path in lying_files(self._directory):
            if path.name not in kept:
                with disk_errors(path):
                    path.unlink(missing_ok=True)

    def _existing(self, name: str) -> Path:
        path = self._directory / name
        return path if os.path.lexists(path) else partial(path)

    def _pieces(self, offset: int, data: memoryview) -> Iterator[tuple[str, int, memoryview]]:
        while data:
            number, inside = divmod(offset, self._size)
            piece = data[: self._sizes[number] - inside]
            yield self._names[number], inside, piece
            offset, data = offset + len(piece), data[len(piece) :]

    @staticmethod
    def _read(path: Path, offset: int, buffer: memoryview) -> bool:
        """Fill a buffer; tell whether that could be done."""
        try:
            file = open_regular(path)
        except (NotFound, DiskError):
            return False
        try:
            os.lseek(file, offset, os.SEEK_SET)
            return read_from(file, buffer) == len(buffer)
        except OSError:
            return False
        finally:
            os.close(file)


def lying_files(directory: Path) -> list[Path]:
    """Return what lies in a directory and is named like a parity file, whole or not.

    Raises:
        OutputExists: one is a link or a directory.
        DiskError: the disk refused.
    """
    with disk_errors(directory):
        found = sorted(path for path in directory.iterdir() if is_parity_name(whole_name(path.name)))
        for path in found:
            if not stat.S_ISREG(path.lstat().st_mode):
                raise OutputExists(f"{path} is a link or a directory, not a parity file", advice="Remove it.")
    return found
