"""Brings the data blocks of stripes, in the order in which parity is made of them: a thread reads ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bundler.bundle.parity.geometry import Geometry
from bundler.bundle.parity.proven_bytes import PartBytes, Place, ProvenBytes
from bundler.bundle.parity.strips import BUFFERS, Shape, Strip
from bundler.coding.geometry import Run
from bundler.content.channel import Channel, ChannelClosed
from bundler.errors import DamagedBundle


@dataclass(frozen=True)
class Blocks:
    """Blocks of one slice, of stripes that follow each other.

    Attributes:
        slice_number: which slice.
        first, end: the stripes.
        buffer: begins with what a strip covers of each block, one after the other; ``None``: only padding, zeros.
    """

    slice_number: int
    first: int
    end: int
    buffer: memoryview | None

    def each(self, unit_bytes: int) -> Iterator[tuple[int, memoryview | None]]:
        """Yield each stripe with its block, of which the strip covers ``unit_bytes``."""
        for number, stripe in enumerate(range(self.first, self.end)):
            at = number * unit_bytes
            yield stripe, None if self.buffer is None else self.buffer[at : at + unit_bytes]


class Feed:
    """Reads all strips of some ranges of stripes in a thread of its own; one other thread takes what it reads."""

    def __init__(
        self, source: PartBytes, geometry: Geometry, shape: Shape, ranges: Iterable[tuple[int, int]]
    ) -> None:
        """Begin to read.

        Args:
            source: The parts; nobody else reads them until ``close``, which does not close them.
            geometry: Of the stripes.
            shape: How they are cut into strips.
            ranges: First and end of stripes that follow each other.
        """
        self._source = source
        self._geometry = geometry
        self._shape = shape
        self._ranges = tuple(ranges)
        self._buffers: Channel[memoryview] = Channel(BUFFERS)
        for _ in range(BUFFERS):
            self._buffers.put(memoryview(bytearray(shape.at_once * shape.unit_bytes)))
        self._filled: Channel[Blocks | None] = Channel(BUFFERS)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="parity-read", daemon=True)
        self._thread.start()

    def take(self) -> Blocks | None:
        """Return the next blocks: of one strip after the other, in a strip of one slice after the other.

        ``None`` comes behind the last of each range. All bytes are proven then; before that, when a strip is
        complete, those of all strips before it are.

        Raises:
            IncompleteBundle, DamagedBundle, NotWritable: a part cannot be read, or a block is wrong.
        """
        try:
            return self._filled.get()
        except ChannelClosed:
            self._thread.join()
            assert self._error is not None, "broken off without a reason"
            raise self._error from None

    def give_back(self, blocks: Blocks) -> None:
        """Let the buffer of blocks that are not needed any more be filled again."""
        if blocks.buffer is not None:
            try:
                self._buffers.put(blocks.buffer)
            except ChannelClosed:
                return  # the next ``take`` says why

    def close(self) -> None:
        """Stop; may be called more than once."""
        self._break_off()
        self._thread.join()

    def _break_off(self) -> None:
        self._filled.break_off()
        self._buffers.break_off()

    def _run(self) -> None:
        try:
            for first, end in self._ranges:
                for blocks in self._read_range(first, end):
                    self._filled.put(blocks)
                self._filled.put(None)
        except ChannelClosed:
            return
        except Exception as error:  # noqa: BLE001  # raised again in the thread that takes
            self._error = error
            self._break_off()

    def _read_range(self, first: int, end: int) -> Iterator[Blocks]:
        slices = [_Slice(self._source, self._geometry, number, first, end) for number in range(self._geometry.k)]
        for strip in self._shape.strips(self._geometry.block_bytes, first, end):
            before: _Slice | None = None
            for one, following in zip(slices, [*slices[1:], None], strict=True):
                one.enter(strip, before)
                for start in range(strip.first, strip.end, self._shape.at_once):
                    yield self._read(one, strip, start, min(start + self._shape.at_once, strip.end))
                one.leave(strip, following)
                before = one

    def _read(self, one: _Slice, strip: Strip, first: int, end: int) -> Blocks:
        if first >= one.filled_to:
            return Blocks(one.number, first, end, None)
        buffer = self._buffers.get()
        assert buffer is not None, "the buffers never end"
        one.read(strip, end - first, buffer)
        return Blocks(one.number, first, end, buffer)


class _Slice:
    """One slice, read strip by strip for a range of stripes."""

    def __init__(self, source: PartBytes, geometry: Geometry, number: int, first: int, end: int) -> None:
        self.number = number
        #: Stripes from here on have only padding in this slice.
        self.filled_to = min(max(geometry.blocks - number * geometry.stripes, 0), geometry.stripes)
        self._has_data = first < self.filled_to
        self._end = end
        self._block_bytes = geometry.block_bytes
        start = min((number * geometry.stripes + first) * geometry.block_bytes, geometry.size)
        self._reader = ProvenBytes(source, start)
        self._entered: Place | None = None
        self._left: Place | None = None

    def enter(self, strip: Strip, before: _Slice | None) -> None:
        """Get ready for a strip; ``before`` is the slice that was read last."""
        if before is not None and self._goes_on_behind(before):
            self._reader.place = before._reader.place.copy()
        if strip.runs[0].offset == 0:
            self._entered, self._left = self._reader.place.copy(), None
        elif self._entered is not None:
            # Another column of the same blocks.
            self._left, self._reader.place = self._reader.place, self._entered.copy()

    def read(self, strip: Strip, count: int, buffer: memoryview) -> None:
        runs = (Run(0, count * self._block_bytes),) if count > 1 else strip.runs
        self._reader.take(runs, count * self._block_bytes, buffer[: sum(run.length for run in runs)])

    def leave(self, strip: Strip, following: _Slice | None) -> None:
        """Prove what is left to be proven behind a strip."""
        if self._left is not None and not self._reader.place.is_like(self._left):
            raise DamagedBundle("a part gives other bytes when it is read again", advice="Check the medium.")
        if strip.is_last and strip.end == self._end and not (following and following._goes_on_behind(self)):
            self._reader.finish()

    def _goes_on_behind(self, before: _Slice) -> bool:
        """Tell whether this slice is read next: the strip is as long as the slices, and a block may span two."""
        mine, other = self._reader.place, before._reader.place
        return self._has_data and mine.sum is None and mine.position == other.position
