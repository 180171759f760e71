"""From blocks of stripes to bytes of one file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from bundler.bundle.manifest import Part
from bundler.bundle.repair.stripe_map import StripeBlock, StripeMap, blocks_of
from bundler.coding.geometry import Run

#: Is given an offset in the file and bytes for it; it does not keep the buffer.
Sink = Callable[[int, memoryview], None]


class StripeCutter:
    """Hands on, of blocks of stripes, the bytes of wanted blocks of one file."""

    def __init__(
        self, stripes: StripeMap, file: Part, wanted: Collection[int], sink: Sink, advance: Callable[[int], None]
    ) -> None:
        self._stripes = stripes
        self._file = file
        self._wanted = wanted
        self._sink = sink
        self._advance = advance

    def cut(self, block: StripeBlock, runs: Sequence[Run], content: memoryview) -> None:
        """Hand on what a column of a block, its runs side by side in ``content``, has of them."""
        at = 0
        for run in runs:
            for start, end, offset in self._ranges(block):
                first, last = max(start, run.offset), min(end, run.offset + run.length)
                if first < last:
                    self._sink(offset + first - start, content[at + first - run.offset : at + last - run.offset])
                    self._advance(last - first)
            at += run.length

    def _ranges(self, block: StripeBlock) -> Iterator[tuple[int, int, int]]:
        """Yield start and end in the stripe's block, and the offset in the file, of each wanted range."""
        size = self._stripes.geometry.block_bytes
        for piece in self._stripes.pieces(block):
            if piece.part.file != self._file.file:
                continue
            for number in blocks_of(piece, size):
                if number in self._wanted:
                    start = max(piece.offset, number * size)
                    end = min(piece.offset + piece.length, (number + 1) * size)
                    yield piece.at + start - piece.offset, piece.at + end - piece.offset, start
