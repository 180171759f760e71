"""Makes the parity blocks of some stripes, and writes them: reading, XORs and the disk each in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from bundler.bundle.parity.feed import Feed
from bundler.bundle.parity.files import ParityFiles
from bundler.bundle.parity.geometry import Geometry
from bundler.bundle.parity.proven_bytes import PartBytes
from bundler.bundle.parity.strips import Strip, shape_of
from bundler.coding.codec import Codec
from bundler.coding.integers import Integers
from bundler.content.hashing import block_sum
from bundler.errors import DiskError
from bundler.progress import Task

#: Is told of a stripe and the sums of its parity blocks, once they are durable and the data behind them proven.
Record = Callable[[int, Sequence[str]], None]


class ParityEncoder:
    """Makes parity in one directory. Used by one thread, once."""

    def __init__(self, codec: Codec, geometry: Geometry, files: ParityFiles, record: Record, task: Task) -> None:
        """Prepare.

        Args:
            codec: Of this geometry's k and m.
            geometry: The layout.
            files: Get the parity blocks.
            record: Is told what is done.
            task: Is told the bytes of data that were used.
        """
        self._geometry = geometry
        self._files = files
        self._record = record
        self._task = task
        # Integers are kept beside the buffers that get their bytes in the end.
        self._shape = shape_of(geometry, copies=2 if isinstance(codec.engine, Integers) else 1)
        k, m = geometry.k, geometry.m
        self._combination = codec.combination(range(k), range(k, k + m))
        self._parity = memoryview(bytearray(m * self._shape.stripes * self._shape.unit_bytes))
        self._written: list[tuple[int, Sequence[str]]] = []
        self._syncing: Future[None] | None = None

    def run(self, source: PartBytes, stripes: Iterable[int]) -> None:
        """Make the parity of some stripes, ascending; what ``record`` was told counts also when it raises.

        Raises:
            IncompleteBundle, DamagedBundle, NotWritable: a part cannot be read, or a block is wrong.
            NoSpace, FileTooLarge, DiskError: the disk refused.
        """
        ranges = list(_ranges(stripes))
        feed = Feed(source, self._geometry, self._shape, ranges)
        try:
            with ThreadPoolExecutor(max_workers=1, thread_name_prefix="parity-sync") as syncer:
                for first, end in ranges:
                    for strip in self._shape.strips(self._geometry.block_bytes, first, end):
                        made = self._make(feed, strip)
                        # With this strip everything is proven that the one before was made of.
                        self._settle()
                        self._written += made
                        self._syncing = syncer.submit(self._files.sync, self._files.written())
                    assert feed.take() is None, "blocks behind the last strip"
                    self._settle()
        finally:
            feed.close()

    def _make(self, feed: Feed, strip: Strip) -> list[tuple[int, Sequence[str]]]:
        """Make and write what a strip covers of its parity blocks; return the stripes that are whole with it."""
        k, m, unit = self._geometry.k, self._geometry.m, strip.unit_bytes
        rows = [self._row(row, strip) for row in range(m)]
        running = {
            stripe: self._combination.start(
                {k + row: rows[row][at : at + unit] for row in range(m)},
            )
            for stripe, at in zip(range(strip.first, strip.end), range(0, len(rows[0]), unit), strict=True)
        }
        for _ in range(k * self._readings(strip)):
            blocks = feed.take()
            assert blocks is not None, "a strip without all its blocks"
            for stripe, block in blocks.each(unit):
                running[stripe].add(blocks.slice_number, block)
                if block is not None and strip.is_last:
                    self._task.advance(self._data_bytes(stripe, blocks.slice_number))
            feed.give_back(blocks)
        for one in running.values():
            one.finish()
        for row in range(m):
            self._write(row, strip, rows[row])
        return [(stripe, self._sums(stripe, strip, rows)) for stripe in running] if strip.is_last else []

    def _readings(self, strip: Strip) -> int:
        return -(-(strip.end - strip.first) // self._shape.at_once)

    def _row(self, row: int, strip: Strip) -> memoryview:
        """Return the buffer for the parity blocks of one row, one after the other."""
        length = (strip.end - strip.first) * strip.unit_bytes
        return self._parity[row * length : (row + 1) * length]

    def _write(self, row: int, strip: Strip, data: memoryview) -> None:
        start = self._geometry.parity_offset(strip.first, row)
        if len(strip.runs) == 1:
            self._files.write(start, data)
            return
        at = 0
        for run in strip.runs:
            self._files.write(start + run.offset, data[at : at + run.length])
            at += run.length

    def _sums(self, stripe: int, strip: Strip, rows: Sequence[memoryview]) -> Sequence[str]:
        if len(strip.runs) == 1:
            at = (stripe - strip.first) * strip.unit_bytes
            return [block_sum(row[at : at + strip.unit_bytes]) for row in rows]
        return [self._sum_of_columns(stripe, row) for row in range(len(rows))]

    def _sum_of_columns(self, stripe: int, row: int) -> str:
        found = self._files.sum_of(self._geometry.parity_offset(stripe, row), self._geometry.block_bytes)
        if found is None:
            raise DiskError("a parity block cannot be read that was written a moment ago")
        return found

    def _data_bytes(self, stripe: int, slice_number: int) -> int:
        block = self._geometry.block(stripe, slice_number)
        if block is None:
            return 0
        return min(self._geometry.block_bytes, self._geometry.size - block * self._geometry.block_bytes)

    def _settle(self) -> None:
        """Wait until the strip before is durable, and tell of it."""
        if self._syncing is not None:
            self._syncing.result()
            self._syncing = None
        for stripe, sums in self._written:
            self._record(stripe, sums)
        self._written = []


def _ranges(stripes: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Yield first and end of the stripes that follow each other."""
    first = end = -1
    for stripe in stripes:
        if stripe != end:
            if end > first:
                yield first, end
            first = stripe
        end = stripe + 1
    if end > first:
        yield first, end
