"""Makes blocks of a file again from the stripes that they belong to; only those stripes are read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from bundler.bundle.manifest import Part
from bundler.bundle.repair.stripe_cutter import Sink, StripeCutter
from bundler.bundle.repair.stripe_map import StripeBlock, StripeMap, blocks_of
from bundler.bundle.repair.stripe_reader import Segment, SourceLostError, StripeReader
from bundler.bundle.repair.whereabouts import Whereabouts
from bundler.coding.codec import Codec
from bundler.coding.combination import Combination
from bundler.coding.engines import Engine
from bundler.coding.geometry import SUB_BLOCKS, column_runs
from bundler.errors import DamagedBundle

#: What the blocks in the making may take of memory; more of them are made a column at a time.
_TARGET_BYTES = 8 << 20
#: How often a stripe is begun anew because a block that was right cannot be read any more.
_TRIES = 16


class StripeMaker:
    """Used by one thread; it reads ahead in another one."""

    def __init__(self, stripes: StripeMap, where: Whereabouts, engine: Engine | None = None) -> None:
        """Make blocks from what ``where`` finds; ``close`` ends the thread."""
        self._stripes = stripes
        self._where = where
        geometry = stripes.geometry
        self._codec = Codec(geometry.k, geometry.m, engine=engine)
        self._reader = StripeReader(stripes, where)
        self._buffers: list[memoryview] = []

    def make(self, file: Part, numbers: Collection[int], sink: Sink, advance: Callable[[int], None]) -> None:
        """Make blocks of a file, in the order of the stripes, and give their bytes to ``sink`` in pieces.

        That they are right is for the caller to prove: a source may give other bytes than before.

        Args:
            file: A part or a parity file.
            numbers: Of its blocks, as they are not to be had anywhere.
            sink: Gets each byte of them once, or again where a source failed meanwhile.
            advance: Is told these bytes as they are made.

        Raises:
            DamagedBundle: of a stripe too few blocks are right.
        """
        wanted = set(numbers)
        cutter = StripeCutter(self._stripes, file, wanted, sink, advance)
        for stripe, indexes in sorted(self._touched(file, wanted).items()):
            self._make_stripe(stripe, indexes, cutter)

    def suspects(self, file: Part, numbers: Collection[int]) -> Iterator[tuple[Part, set[int]]]:
        """Yield, by file, all blocks that have bytes in the stripes of some blocks."""
        found: dict[str, set[int]] = defaultdict(set)
        geometry = self._stripes.geometry
        for stripe in self._touched(file, numbers):
            for index in range(geometry.k + geometry.m):
                for piece in self._stripes.pieces(StripeBlock(stripe, index)):
                    found[piece.part.file].update(blocks_of(piece, geometry.block_bytes))
        return ((self._stripes.files[name], blocks) for name, blocks in found.items())

    def close(self) -> None:
        """End the thread."""
        self._reader.close()

    def _touched(self, file: Part, numbers: Collection[int]) -> dict[int, set[int]]:
        stripes: dict[int, set[int]] = defaultdict(set)
        for number in numbers:
            for block in self._stripes.touched(file, number):
                stripes[block.stripe].add(block.index)
        return stripes

    def _make_stripe(self, stripe: int, wanted: Collection[int], cutter: StripeCutter) -> None:
        for _ in range(_TRIES):
            sources = self._reader.sources(stripe, wanted)
            try:
                self._combine(stripe, self._codec.combination(sources, wanted), sources, cutter)
            except SourceLostError as lost:
                self._where.forget(lost.part, [lost.number])
            else:
                return
        raise DamagedBundle(f"stripe {stripe} of the parity cannot be read: other blocks fail each time")

    def _combine(
        self,
        stripe: int,
        combination: Combination,
        sources: Mapping[int, Sequence[Segment]],
        cutter: StripeCutter,
    ) -> None:
        block_bytes = self._stripes.geometry.block_bytes
        height = block_bytes // SUB_BLOCKS
        width = min(height, max(_TARGET_BYTES // (SUB_BLOCKS * len(combination.targets)), 1))
        self._reserve(len(combination.targets) + 2, SUB_BLOCKS * width)
        for start in range(0, height, width):
            runs = column_runs(block_bytes, start, min(start + width, height))
            first, second, *others = (buffer[: sum(run.length for run in runs)] for buffer in self._buffers)
            targets = dict(zip(combination.targets, others, strict=False))
            running = combination.start(targets)
            for index, block in self._reader.read(combination.sources, sources, runs, (first, second)):
                running.add(index, block)
            running.finish()
            for index, target in targets.items():
                cutter.cut(StripeBlock(stripe, index), runs, target)

    def _reserve(self, count: int, size: int) -> None:
        if len(self._buffers) < count or len(self._buffers[0]) < size:
            self._buffers = []
            self._buffers = [memoryview(bytearray(size)) for _ in range(count)]
