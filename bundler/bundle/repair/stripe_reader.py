"""Reads the blocks of a stripe one after the other, or columns of them, the next one while one is worked on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from bundler.bundle.manifest import Part
from bundler.bundle.repair.stripe_map import StripeBlock, StripeMap, blocks_of
from bundler.bundle.repair.whereabouts import Whereabouts
from bundler.coding.geometry import Run
from bundler.errors import DamagedBundle


class Segment(NamedTuple):
    """A range of a stripe's block.

    Attributes:
        part, number: the file's block that it is taken from.
        start: where it begins in that block.
        length: in bytes, 1 or more.
        at: where it begins in the stripe's block.
    """

    part: Part
    number: int
    start: int
    length: int
    at: int


class SourceLostError(Exception):
    """A block that was right a moment ago cannot be read any more."""

    def __init__(self, part: Part, number: int) -> None:
        super().__init__(part.file, number)
        self.part = part
        self.number = number


class StripeReader:
    """Used by one thread; it reads in another one."""

    def __init__(self, stripes: StripeMap, where: Whereabouts) -> None:
        """Read the blocks that ``where`` finds; ``close`` ends the thread."""
        self._stripes = stripes
        self._where = where
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="stripe-read")

    def sources(self, stripe: int, wanted: Collection[int]) -> dict[int, list[Segment]]:
        """Return k blocks of a stripe that are right, none of them wanted; data comes before parity.

        A block that is all padding has no segments.

        Raises:
            DamagedBundle: there are not so many.
        """
        geometry = self._stripes.geometry
        sources: dict[int, list[Segment]] = {}
        for index in range(geometry.k + geometry.m):
            if index not in wanted and len(sources) < geometry.k:
                segments = self._segments(StripeBlock(stripe, index))
                if segments is not None:
                    sources[index] = segments
        if len(sources) < geometry.k:
            raise DamagedBundle(
                f"stripe {stripe} of the parity has {len(sources)} right blocks, {geometry.k} are needed",
                advice="Bring right blocks from another copy of the bundle.",
            )
        return sources

    def read(
        self,
        order: Sequence[int],
        sources: Mapping[int, Sequence[Segment]],
        runs: Sequence[Run],
        buffers: tuple[memoryview, memoryview],
    ) -> Iterator[tuple[int, memoryview | None]]:
        """Yield each source with its bytes in these runs, side by side; ``None`` for one that is all zeros.

        Args:
            order: Of the sources; those that are all zeros come first.
            sources: As ``sources`` returned them.
            runs: A column of the blocks.
            buffers: Of the size of all runs; what was yielded is overwritten when the next but one is read.

        Raises:
            SourceLostError: a block cannot be read.
        """
        yield from ((index, None) for index in order if not sources[index])
        coming = [index for index in order if sources[index]]
        if not coming:
            return
        waiting = self._thread.submit(self._fill, sources[coming[0]], runs, buffers[0])
        for turn, index in enumerate(coming):
            waiting.result()
            if turn + 1 < len(coming):
                following = sources[coming[turn + 1]]
                waiting = self._thread.submit(self._fill, following, runs, buffers[(turn + 1) % 2])
            yield index, buffers[turn % 2]

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _segments(self, block: StripeBlock) -> list[Segment] | None:
        size = self._stripes.geometry.block_bytes
        segments = []
        for piece in self._stripes.pieces(block):
            for number in blocks_of(piece, size):
                if not self._where.has(piece.part, number):
                    return None
                start = max(piece.offset, number * size)
                end = min(piece.offset + piece.length, (number + 1) * size)
                at = piece.at + start - piece.offset
                segments.append(Segment(piece.part, number, start - number * size, end - start, at))
        return segments

    def _fill(self, segments: Sequence[Segment], runs: Sequence[Run], buffer: memoryview) -> None:
        at = 0
        for run in runs:
            stop, filled = run.offset + run.length, run.offset
            for segment in segments:
                start, end = max(segment.at, run.offset), min(segment.at + segment.length, stop)
                if start >= end:
                    continue
                target = buffer[at + start - run.offset : at + end - run.offset]
                inside = segment.start + start - segment.at
                if not self._where.read_range(segment.part, segment.number, inside, target):
                    raise SourceLostError(segment.part, segment.number)
                filled = end
            # The last block of the data may end early, with zeros behind.
            buffer[at + filled - run.offset : at + run.length] = bytes(stop - filled)
            at += run.length
