"""Mends blocks while a bundle is copied: what no source has right is made from the parity that lies with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from bundler.bundle.manifest import Part
from bundler.bundle.parity.table import ParityTable
from bundler.bundle.repair.stripe_cutter import Sink
from bundler.bundle.repair.stripe_maker import StripeMaker
from bundler.bundle.repair.stripe_map import StripeBlock, StripeMap, blocks_of
from bundler.bundle.repair.whereabouts import Whereabouts


class SourceMender:
    """Used by one thread. Of the parity and the parts it reads the damaged stripes, and only those."""

    def __init__(self, table: ParityTable, directories: Sequence[Path]) -> None:
        """Mend with this parity, from what lies in the directories; ``close`` ends a thread."""
        self._stripes = StripeMap(table)
        self._where = Whereabouts(directories, table.geometry.block_bytes)
        self._maker: StripeMaker | None = None

    def can_make(self, file: Part, numbers: Collection[int]) -> list[int]:
        """Return those of some blocks that can be made again, ascending; none of them counts as right."""
        if file.file not in self._stripes.files:
            return []
        lost: dict[int, set[int]] = {}
        for number in numbers:
            for block in self._stripes.touched(file, number):
                lost.setdefault(block.stripe, set()).add(block.index)
        fine = {stripe for stripe, indexes in lost.items() if self._is_mendable(stripe, indexes)}
        return [
            number
            for number in sorted(numbers)
            if all(block.stripe in fine for block in self._stripes.touched(file, number))
        ]

    def make(self, file: Part, numbers: Collection[int], sink: Sink) -> None:
        """Make blocks that can be made; that they are right is for the caller to prove.

        Raises:
            DamagedBundle: they cannot, after all.
        """
        if self._maker is None:
            self._maker = StripeMaker(self._stripes, self._where)
        self._maker.make(file, numbers, sink, lambda count: None)

    def close(self) -> None:
        """Close all files, and end the thread."""
        self._where.close()
        if self._maker is not None:
            self._maker.close()

    def _is_mendable(self, stripe: int, lost: Collection[int]) -> bool:
        # Files that are not there at all are counted first: on one stick of several nothing is read for that.
        return all(
            self._count(stripe, lost, is_right) <= self._stripes.geometry.m
            for is_right in (self._where.is_there, self._where.has)
        )

    def _count(self, stripe: int, lost: Collection[int], is_right: Callable[[Part, int], bool]) -> int:
        """Count lost blocks of a stripe, up to one more than can be mended."""
        geometry, found = self._stripes.geometry, len(lost)
        for index in range(geometry.k + geometry.m):
            if index not in lost and found <= geometry.m:
                found += not self._is_right(StripeBlock(stripe, index), is_right)
        return found

    def _is_right(self, block: StripeBlock, is_right: Callable[[Part, int], bool]) -> bool:
        return all(
            is_right(piece.part, number)
            for piece in self._stripes.pieces(block)
            for number in blocks_of(piece, self._stripes.geometry.block_bytes)
        )
