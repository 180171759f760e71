"""Some blocks of a stripe as sums of others: one form for making parity and for mending."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bundler.coding.engines import Engine, Sums
from bundler.coding.geometry import SUB_BLOCKS, check_block_bytes, cut
from bundler.coding.steps import Steps
from bundler.errors import UsageError

Block: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True)
class Combination:
    """How target blocks follow from source blocks. It never changes: threads may share one.

    Attributes:
        sources: Indexes of the blocks that are needed, ascending. Those from k on are parity.
        targets: Indexes of the blocks that are made of them.
    """

    sources: tuple[int, ...]
    targets: tuple[int, ...]
    _steps: tuple[Steps, ...]
    _engine: Engine

    def apply(self, blocks: Mapping[int, Block | None], targets: Mapping[int, Block]) -> None:
        """Fill the targets from blocks that are all at hand: the fastest way.

        Args:
            blocks: Every source by its index, others are passed over; ``None`` is a block of zeros.
            targets: A writable buffer for every target by its index, none of which overlaps another or a source.

        Raises:
            UsageError: a block is missing, cannot be written to, or has not the size of the others.
        """
        outputs = _outputs(self.targets, targets)
        size = len(outputs[0])
        sources = [
            (steps, _input(index, block, size))
            for index, steps in zip(self.sources, self._steps, strict=True)
            if (block := _of(blocks, index)) is not None
        ]
        for start, end in cut(0, size // SUB_BLOCKS, self._engine.piece_bytes):
            sums = self._engine.start(outputs, start, end)
            for steps, source in sources:
                sums.add(steps, source)
            sums.finish()

    def start(self, targets: Mapping[int, Block]) -> RunningCombination:
        """Begin to fill the targets from sources that come one after the other, each read once and then let go.

        It takes the memory of the targets and of one source, however many sources there are; without numpy that of
        the targets twice.

        Args:
            targets: A writable buffer for every target by its index; see ``apply``.

        Raises:
            UsageError: a target is missing, cannot be written to, or has not the size of the others.
        """
        outputs = _outputs(self.targets, targets)
        size = len(outputs[0])
        sums = self._engine.start(outputs, 0, size // SUB_BLOCKS)
        return RunningCombination(dict(zip(self.sources, self._steps, strict=True)), size, sums)


class RunningCombination:
    """Targets in the making. Used by one thread at a time."""

    def __init__(self, waiting: dict[int, Steps], size: int, sums: Sums) -> None:
        """Wait for these sources, blocks of ``size`` bytes."""
        self._waiting = waiting
        self._size = size
        self._sums = sums

    def add(self, index: int, block: Block | None) -> None:
        """Add a source, in any order; ``None`` is a block of zeros. The block is not needed any more afterwards.

        Raises:
            UsageError: it is no source, was added before, or has another size than the targets.
        """
        view = None if block is None else _input(index, block, self._size)
        steps = self._waiting.pop(index, None)
        if steps is None:
            raise UsageError(f"block {index} is none that is waited for")
        if view is not None:
            self._sums.add(steps, view)

    def finish(self) -> None:
        """Leave the finished blocks in the targets.

        Raises:
            UsageError: not every source was added.
        """
        if self._waiting:
            raise UsageError(f"block {min(self._waiting)} and {len(self._waiting) - 1} others were not added")
        self._sums.finish()


def _of(blocks: Mapping[int, Block | None], index: int) -> Block | None:
    if index not in blocks:
        raise UsageError(f"block {index} is needed and not given")
    return blocks[index]


def _input(index: int, block: Block, size: int) -> memoryview:
    view = _bytes(index, block)
    if len(view) != size:
        raise UsageError(f"block {index} has {len(view)} bytes, others of its stripe {size}")
    return view


def _outputs(indexes: Sequence[int], targets: Mapping[int, Block]) -> list[memoryview]:
    views: list[memoryview] = []
    for index in indexes:
        target = _of(targets, index)
        if target is None:
            raise UsageError(f"block {index} is to be made and has no buffer")
        view = _input(index, target, len(views[0])) if views else _bytes(index, target)
        if view.readonly:
            raise UsageError(f"the buffer for block {index} cannot be written to")
        views.append(view)
    check_block_bytes(len(views[0]))
    return views


def _bytes(index: int, block: Block) -> memoryview:
    try:
        return memoryview(block).cast("B")
    except TypeError as error:
        raise UsageError(f"block {index} is no buffer of bytes that lie side by side: {error}") from error
