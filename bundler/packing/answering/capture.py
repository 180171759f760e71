"""Takes the wanted blocks out of the bytes of archives that go by."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.requests.block_ranges import BlockAt
from bundler.packing.writing.rehearsal import Witness

#: Is given a whole block.
Put = Callable[[BlockAt, memoryview], None]


class BlockCapture:
    """Collects blocks of all archives of a bundle; holds at most one block of each archive in memory."""

    def __init__(self, manifest: BundleManifest, wanted: set[BlockAt], put: Put) -> None:
        """Give each of the ``wanted`` blocks to ``put`` when its last byte has come.

        Args:
            manifest: Says where blocks lie: the names of archives and the sizes of their parts.
            wanted: The blocks.
            put: Is called from whichever thread brings the bytes, never from two at once.
        """
        self._manifest = manifest
        self._wanted = wanted
        self._put = put

    def witness(self, archive: str) -> Witness:
        """Return who must see all bytes of an archive; one that the bundle does not have has no blocks."""
        before = 0
        for one in self._manifest.archives:
            if one.name == archive:
                sizes = [part.size for part in one.parts]
                return _ArchiveCapture(before, sizes, self._manifest.block_bytes, self._wanted, self._put).see
            before += len(one.parts)
        return lambda offset, data: None


class _ArchiveCapture:
    """Follows one archive from block to block."""

    def __init__(
        self, first_part: int, part_sizes: list[int], block_bytes: int, wanted: set[BlockAt], put: Put
    ) -> None:
        self._first_part = first_part
        self._ends = list(accumulate(part_sizes))
        self._sizes = part_sizes
        self._block_bytes = block_bytes
        self._wanted = wanted
        self._put = put
        self._part = 0
        self._number = 0
        self._buffer = memoryview(bytearray(0))
        self._filled = 0

    def see(self, offset: int, data: memoryview) -> None:
        """Take the next bytes; what lies behind the last part is of no block."""
        while len(data) and self._part < len(self._sizes):
            length = min(self._block_bytes, self._sizes[self._part] - self._number * self._block_bytes)
            piece = data[: length - self._filled]
            block = (self._first_part + self._part, self._number)
            if block in self._wanted:
                if not self._filled:
                    self._buffer = memoryview(bytearray(length))
                self._buffer[self._filled : self._filled + len(piece)] = piece
            self._filled += len(piece)
            data = data[len(piece) :]
            if self._filled == length:
                if block in self._wanted:
                    self._put(block, self._buffer)
                self._turn()

    def _turn(self) -> None:
        self._filled = 0
        self._number += 1
        if self._number * self._block_bytes >= self._sizes[self._part]:
            self._part += 1
            self._number = 0
