"""Where the blocks of files lie in stripes, and where a stripe's blocks lie in files. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bundler.bundle.manifest import Part
from bundler.bundle.parity.joined import JoinedParts, Piece
from bundler.bundle.parity.table import ParityTable


@dataclass(frozen=True)
class StripeBlock:
    """A block of a stripe: ``index`` is from 0 on data, from k on parity."""

    stripe: int
    index: int


class StripeMap:
    """A value. Parts and parity files are alike here: blocks of both belong to stripes."""

    def __init__(self, table: ParityTable) -> None:
        """Describe the parity of one bundle."""
        self.geometry = table.geometry
        self.files = {file.file: file for file in (*table.data.parts, *table.files)}
        self._data = table.data
        self._parity = table.parity
        self._is_parity = {file.file for file in table.files}

    @property
    def data_files(self) -> Sequence[Part]:
        """The parts that have bytes."""
        return self._data.parts

    def touched(self, file: Part, number: int) -> Iterator[StripeBlock]:
        """Yield the blocks of stripes that hold bytes of block ``number`` of a file.

        Files are not aligned with stripes: mostly there are one or two.
        """
        geometry, size = self.geometry, self.geometry.block_bytes
        joined = self._joined(file)
        start = joined.start_of(file) + number * size
        end = joined.start_of(file) + min((number + 1) * size, file.size)
        for block in range(start // size, -(-end // size)):
            if file.file in self._is_parity:
                row, stripe = divmod(block, geometry.stripes)
                yield StripeBlock(stripe, geometry.k + row)
            else:
                yield StripeBlock(*geometry.place(block))

    def pieces(self, block: StripeBlock) -> Iterator[Piece]:
        """Yield the ranges of files that a block of a stripe consists of; behind them it is all zeros."""
        geometry, size = self.geometry, self.geometry.block_bytes
        if block.index >= geometry.k:
            start = geometry.parity_offset(block.stripe, block.index - geometry.k)
            yield from self._parity.pieces(start, start + size)
            return
        number = geometry.block(block.stripe, block.index)
        if number is not None:
            yield from self._data.pieces(number * size, (number + 1) * size)

    def _joined(self, file: Part) -> JoinedParts:
        return self._parity if file.file in self._is_parity else self._data


def blocks_of(piece: Piece, block_bytes: int) -> range:
    """Return the numbers of a file's blocks that a piece of it has bytes of."""
    return range(piece.offset // block_bytes, -(-(piece.offset + piece.length) // block_bytes))
