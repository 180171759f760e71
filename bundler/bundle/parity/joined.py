"""The parts of a bundle as one sequence of bytes, and where each byte of it lies."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from bundler.bundle.manifest import Part


@dataclass(frozen=True)
class Piece:
    """A range of one part.

    Attributes:
        part: the part.
        offset: of the range in the part, in bytes.
        length: of the range in bytes, 1 or more.
        at: where the range begins in what was asked for, in bytes.
    """

    part: Part
    offset: int
    length: int
    at: int


class JoinedParts:
    """A value: safe to share between threads."""

    def __init__(self, parts: Sequence[Part]) -> None:
        """Join parts in this order, that of bundle.json; those without bytes take no place."""
        self.parts = tuple(part for part in parts if part.size)
        self._starts = [0, *accumulate(part.size for part in self.parts)]
        self._index = {part.file: number for number, part in enumerate(self.parts)}

    @property
    def size(self) -> int:
        """Bytes of all parts."""
        return self._starts[-1]

    def start_of(self, part: Part) -> int:
        """Return where a part begins in the sequence."""
        return self._starts[self._index[part.file]]

    def pieces(self, start: int, end: int) -> Iterator[Piece]:
        """Yield the ranges of parts that hold the bytes ``start`` to ``end``; behind the last part is nothing."""
        position = start
        end = min(end, self.size)
        number = bisect_right(self._starts, start) - 1
        while position < end:
            inside = position - self._starts[number]
            length = min(self.parts[number].size - inside, end - position)
            yield Piece(self.parts[number], inside, length, position - start)
            position += length
            number += 1
