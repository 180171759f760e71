"""With parity: the fewest blocks that must come, so that the rest can be made again.

Stripes are cut from the joined parts, and blocks of parts need not begin where blocks of stripes do: one bad block
of a part makes one or two blocks of stripes bad, and one of these is good again when all that lie in it have come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from bundler.bundle.block_reader import BlockReader, PartLocations
from bundler.bundle.parity.table import ParityTable
from bundler.bundle.repair.stripe_map import StripeBlock, StripeMap, blocks_of
from bundler.bundle.requests.block_ranges import BlockAt, BlockRanges
from bundler.bundle.requests.survey import is_right

#: Says how many parity blocks of a stripe are right.
Spare = Callable[[int], int]


def fewest(table: ParityTable, missing: BlockRanges, spare: Spare) -> BlockRanges:
    """Return blocks that, once they have come, leave no more bad blocks in any stripe than parity can mend.

    No block of the answer can be left out. Where blocks of parts and of stripes begin together no smaller answer
    exists; elsewhere one is chosen that is nearly always as small as any.

    Args:
        table: The parity; its bundle is the one of the blocks.
        missing: All blocks that cannot be had.
        spare: Is asked for stripes that have bad blocks.
    """
    choice = _Choice(table, missing, spare)
    choice.choose()
    choice.prune()
    return BlockRanges.of(choice.asked)


def without_hope(table: ParityTable, lost: Iterable[BlockAt], spare: Spare) -> Spare:
    """Return a count of parity that is 0 in stripes of blocks that are lost and will not come.

    How many of their blocks stay bad is not looked into: whatever is asked for in them comes itself.
    """
    stripes, parts = StripeMap(table), table.manifest.parts
    hopeless = {cell.stripe for index, number in lost for cell in stripes.touched(parts[index], number)}
    return lambda stripe: 0 if stripe in hopeless else spare(stripe)


class SpareParity:
    """Counts the right parity blocks of stripes; reads each block of a parity file at most once."""

    def __init__(self, locations: PartLocations, table: ParityTable) -> None:
        self._geometry = table.geometry
        self._stripes = StripeMap(table)
        self._reader = BlockReader(locations, table.geometry.block_bytes)
        self._buffer = memoryview(bytearray(table.geometry.block_bytes))
        self._known: dict[tuple[str, int], bool] = {}

    def __call__(self, stripe: int) -> int:
        """Return how many of the parity blocks of a stripe are right.

        Raises:
            NotReadable: this user may not read a parity file.
        """
        first = self._geometry.k
        return sum(self._is_right(StripeBlock(stripe, index)) for index in range(first, first + self._geometry.m))

    def close(self) -> None:
        """Close the files."""
        self._reader.close()

    def _is_right(self, block: StripeBlock) -> bool:
        for piece in self._stripes.pieces(block):
            for number in blocks_of(piece, self._geometry.block_bytes):
                key = (piece.part.file, number)
                if key not in self._known:
                    self._known[key] = is_right(self._reader.read(piece.part, number, self._buffer))
                if not self._known[key]:
                    return False
        return True


class _Choice:
    """Blocks of parts are called blocks here, blocks of stripes cells."""

    def __init__(self, table: ParityTable, missing: BlockRanges, spare: Spare) -> None:
        self.asked: set[BlockAt] = set()
        self._cells: dict[BlockAt, tuple[StripeBlock, ...]] = {}
        #: What of a cell is missing, and how much of that is not asked for yet.
        self._blocks: dict[StripeBlock, list[BlockAt]] = defaultdict(list)
        self._open: dict[StripeBlock, int] = {}
        #: How many cells of a stripe must become good again; what is less than 0 is to spare.
        self._needed: dict[int, int] = {}
        self._bad: dict[int, list[StripeBlock]] = defaultdict(list)
        self._join(table, missing)
        for cell, blocks in self._blocks.items():
            self._open[cell] = len(blocks)
            self._bad[cell.stripe].append(cell)
        for stripe, cells in self._bad.items():
            self._needed[stripe] = len(cells) - spare(stripe)
        self._reach = self._reaches()

    def choose(self) -> None:
        """Ask stripe by stripe for what costs least there, and of equals for what helps most stripes behind it."""
        for stripe in sorted(self._needed):
            while self._needed[stripe] > 0:
                bad = (cell for cell in self._bad[stripe] if self._open[cell])
                best = min(bad, key=lambda cell: (self._open[cell], -self._reach[cell], cell.index))
                for block in self._blocks[best]:
                    if block not in self.asked:
                        self._ask(block)

    def prune(self) -> None:
        """Take back what later choices made needless."""
        for block in sorted(self.asked, reverse=True):
            lost: dict[int, int] = defaultdict(int)
            for cell in self._cells[block]:
                lost[cell.stripe] += self._open[cell] == 0
            if all(self._needed[stripe] + count <= 0 for stripe, count in lost.items()):
                self.asked.remove(block)
                for cell in self._cells[block]:
                    self._needed[cell.stripe] += self._open[cell] == 0
                    self._open[cell] += 1

    def _join(self, table: ParityTable, missing: BlockRanges) -> None:
        stripes, parts = StripeMap(table), table.manifest.parts
        for index, number in missing:
            cells = tuple(stripes.touched(parts[index], number))
            self._cells[index, number] = cells
            for cell in cells:
                self._blocks[cell].append((index, number))

    def _reaches(self) -> dict[StripeBlock, int]:
        """Return for each bad cell how many in a row, from it on, are bad and in stripes that need some."""
        result: dict[StripeBlock, int] = {}
        for stripe in sorted(self._bad, reverse=True):
            for cell in self._bad[stripe]:
                behind = result.get(StripeBlock(stripe + 1, cell.index), 0)
                result[cell] = 1 + behind if self._needed[stripe] > 0 else 0
        return result

    def _ask(self, block: BlockAt) -> None:
        self.asked.add(block)
        for cell in self._cells[block]:
            self._open[cell] -= 1
            if not self._open[cell]:
                self._needed[cell.stripe] -= 1
