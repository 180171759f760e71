"""Sets of blocks, kept and written as ranges: a lost part is one range, whatever its size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from bundler.bundle.manifest import Part
from bundler.errors import MalformedDocument, UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond

#: A block: the index of its part in the order of bundle.json, and its number in the part, both from 0.
BlockAt = tuple[int, int]
#: No honest number is larger, and every reader of JSON keeps such a one exactly.
_LARGEST = 1 << 53


class PartBlocks(msgspec.Struct, frozen=True, kw_only=True):
    """Some blocks of one part.

    Attributes:
        part: index of the part among all parts, in the order of bundle.json, from 0.
        blocks: ranges, each the number of its first block and how many they are; ascending, with gaps between.
    """

    part: int
    blocks: tuple[tuple[int, int], ...]

    @property
    def count(self) -> int:
        """How many blocks they are."""
        return sum(count for _, count in self.blocks)


@dataclass(frozen=True)
class BlockRanges:
    """A set of blocks of a bundle; iterating gives each, ascending by part and number.

    Attributes:
        rows: for each part that has any, its blocks; ascending by part.
    """

    rows: tuple[PartBlocks, ...] = ()

    @classmethod
    def of(cls, blocks: Iterable[BlockAt]) -> BlockRanges:
        """Make the set of these blocks, which may come in any order and repeat."""
        runs: dict[int, list[list[int]]] = {}
        for part, number in sorted(set(blocks)):
            of_part = runs.setdefault(part, [])
            if of_part and sum(of_part[-1]) == number:
                of_part[-1][1] += 1
            else:
                of_part.append([number, 1])
        return cls(
            tuple(
                PartBlocks(part=part, blocks=tuple((first, count) for first, count in of_part))
                for part, of_part in runs.items()
            )
        )

    def __iter__(self) -> Iterator[BlockAt]:
        for row in self.rows:
            for first, count in row.blocks:
                yield from ((row.part, number) for number in range(first, first + count))

    def __bool__(self) -> bool:
        return bool(self.rows)

    @property
    def count(self) -> int:
        """How many blocks they are."""
        return sum(row.count for row in self.rows)

    def size(self, parts: Sequence[Part], block_bytes: int) -> int:
        """Return how many bytes they have in a bundle of these parts; only the last one of a part may be short."""
        return sum(
            min((first + count) * block_bytes, parts[row.part].size) - first * block_bytes
            for row in self.rows
            for first, count in row.blocks
        )

    def check_form(self, what: str, limits: Limits = DEFAULT_LIMITS) -> None:
        """Refuse rows from outside that are not as they would be written here.

        Raises:
            MalformedDocument: a number out of bounds, an empty row or range, or ranges out of order.
        """
        if len(self.rows) > limits.parts:
            raise beyond(limits.parts, f"{what} names blocks of {len(self.rows)} parts")
        before = -1
        for row in self.rows:
            if not before < row.part < _LARGEST or not row.blocks:
                raise MalformedDocument(f"{what}: the parts are not in order, or one has no blocks")
            before = row.part
            end = -1
            for first, count in row.blocks:
                if first <= end or first < 0 or count < 1 or first + count > _LARGEST:
                    raise MalformedDocument(f"{what}: the ranges of blocks of part {row.part} are not in order")
                end = first + count

    def check_within(self, parts: Sequence[Part], what: str) -> None:
        """Refuse blocks that a bundle of these parts does not have.

        Raises:
            UsageError: there is no such part, or it has fewer blocks.
        """
        for row in self.rows:
            if row.part >= len(parts):
                raise UsageError(f"{what} names part {row.part}; the bundle has {len(parts)} parts, from 0 on")
            first, count = row.blocks[-1]
            there = len(parts[row.part].blocks)
            if first + count > there:
                raise UsageError(
                    f"{what} names block {first + count - 1} of part {row.part}, which has {there}, from 0 on"
                )


NO_BLOCKS = BlockRanges()


def without(blocks: BlockRanges, excluded: Iterable[BlockAt]) -> BlockRanges:
    """Return the blocks that are not among ``excluded``."""
    dropped = set(excluded)
    return BlockRanges.of(block for block in blocks if block not in dropped) if dropped else blocks
