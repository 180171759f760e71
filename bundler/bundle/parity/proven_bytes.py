"""Reads a bundle's parts as one sequence of bytes, each once, and proves every block of them that goes by.

Unlike a ``BlockReader``, which proves a block before it gives it, this gives the bytes first: the blocks of the
sequence and those of the parts begin at different places, and to read whole ones of both would be to read many
twice. Who uses the bytes must not publish what was made of them before the last block is proven.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.bundle.block_reader import read_from
from bundler.bundle.manifest import Part
from bundler.bundle.parity.joined import JoinedParts, Piece
from bundler.coding.geometry import Run
from bundler.content.files import disk_errors, open_regular
from bundler.content.hashing import BlockSum
from bundler.errors import DamagedBundle, DiskError, IncompleteBundle, NotFound, NotRegular, NotWritable

_SCRATCH_BYTES = 1 << 20
_ADVICE = (
    "Run `airbundle repair`, or `airbundle verify` to see everything that is wrong; then make the parity again."
)


class PartBytes:
    """Bytes of parts in one directory, not proven. Used by one thread; one file stays open."""

    def __init__(self, directory: Path, joined: JoinedParts, block_bytes: int) -> None:
        self.joined = joined
        self.block_bytes = block_bytes
        self.scratch = memoryview(bytearray(_SCRATCH_BYTES))
        self._directory = directory
        self._file: int | None = None
        self._part: Part | None = None

    def read(self, part: Part, offset: int, buffer: memoryview) -> None:
        """Fill a buffer.

        Raises:
            IncompleteBundle: the part is not there.
            DamagedBundle: it is too short, unreadable there, or no regular file.
            NotWritable: this user may not read it.
        """
        path = self._directory / part.file
        file = self._opened(part, path)
        try:
            with disk_errors(path):
                os.lseek(file, offset, os.SEEK_SET)
                filled = read_from(file, buffer)
        except DiskError as error:
            raise DamagedBundle(f"{error}, at byte {offset}", advice=_ADVICE) from error
        if filled < len(buffer):
            raise DamagedBundle(f"{part.file} is too short: it has {offset + filled} bytes", advice=_ADVICE)

    def close(self) -> None:
        """Close the file; may be called more than once."""
        file, self._file, self._part = self._file, None, None
        if file is not None:
            os.close(file)

    def _opened(self, part: Part, path: Path) -> int:
        if self._file is None or self._part is not part:
            self.close()
            try:
                self._file = open_regular(path)
            except NotFound as error:
                raise IncompleteBundle(f"the part {part.file} is not there", parts=(part.file,)) from error
            except NotRegular as error:
                raise DamagedBundle(str(error), advice=_ADVICE) from error
            except NotWritable:
                raise
            except DiskError as error:
                raise DamagedBundle(str(error), advice=_ADVICE) from error
            self._part = part
        return self._file


@dataclass
class Place:
    """How far somebody has read, and the sum of the block that is being read so far; ``None``: nobody began."""

    position: int
    sum: BlockSum | None = None

    def copy(self) -> Place:
        """Return the same place, from which somebody else may go on."""
        return replace(self, sum=self.sum.copy() if self.sum else None)

    def is_like(self, other: Place) -> bool:
        """Tell whether somebody else read the same bytes of the last block."""
        sums = [place.sum.value if place.sum else None for place in (self, other)]
        return self.position == other.position and sums[0] == sums[1]


class ProvenBytes:
    """Reads on from one place of the sequence. Those that share ``PartBytes`` belong to one thread."""

    def __init__(self, source: PartBytes, start: int) -> None:
        """Begin at an offset; if that lies within a block, its beginning will be read first, to prove it."""
        self._source = source
        self.place = Place(start)

    def take(self, runs: tuple[Run, ...], length: int, target: memoryview) -> None:
        """Read the next ``length`` bytes and keep some of them; behind the last part are zeros.

        Args:
            runs: What to keep, ascending ranges within these bytes.
            length: Bytes, 1 or more.
            target: Gets the runs side by side.

        Raises:
            As :meth:`PartBytes.read`; DamagedBundle also for a block whose sum is wrong.
        """
        begin, at, size = self.place.position, 0, self._source.joined.size
        for run in runs:
            self._pass_to(min(begin + run.offset, size))
            count = min(run.length, size - self.place.position)
            self._read(target[at : at + count])
            target[at + count : at + run.length] = bytes(run.length - count)
            at += run.length
        self._pass_to(min(begin + length, size))

    def finish(self) -> None:
        """Prove the last block that was read: read what is left of it.

        Raises:
            As :meth:`take`.
        """
        if self.place.sum is not None:
            piece = next(self._source.joined.pieces(self.place.position, self.place.position + 1), None)
            if piece is not None and (over := piece.offset % self._source.block_bytes):
                rest = min(self._source.block_bytes - over, piece.part.size - piece.offset)
                self._pass_to(self.place.position + rest)

    def _pass_to(self, position: int) -> None:
        while self.place.position < position:
            self._read(self._source.scratch[: position - self.place.position])

    def _read(self, buffer: memoryview) -> None:
        start = self.place.position
        for piece in self._source.joined.pieces(start, start + len(buffer)):
            if self.place.sum is None:
                self.place.sum = self._sum_before(piece)
            data = buffer[piece.at : piece.at + piece.length]
            self._source.read(piece.part, piece.offset, data)
            self._prove(piece, data)
        self.place.position = start + len(buffer)

    def _sum_before(self, piece: Piece) -> BlockSum:
        """Return the sum of what lies in a block before the first byte that is wanted of it."""
        result = BlockSum()
        at = piece.offset - piece.offset % self._source.block_bytes
        while at < piece.offset:
            data = self._source.scratch[: piece.offset - at]
            self._source.read(piece.part, at, data)
            result.update(data)
            at += len(data)
        return result

    def _prove(self, piece: Piece, data: memoryview) -> None:
        offset, part, block = piece.offset, piece.part, self._source.block_bytes
        while data:
            assert self.place.sum is not None, "read before it began"
            number = offset // block
            end = min((number + 1) * block, part.size)
            self.place.sum.update(data[: end - offset])
            if offset + len(data) < end:
                return
            if self.place.sum.value != part.blocks[number]:
                raise DamagedBundle(
                    f"{part.file} is damaged in block {number}, at byte {number * block}", advice=_ADVICE
                )
            self.place.sum = BlockSum()
            data, offset = data[end - offset :], end
