"""What parity can make again, given the blocks that are right nowhere. Pure: it is told, and reads nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from bundler.bundle.manifest import Part
from bundler.bundle.repair.stripe_map import StripeMap


class Erasures:
    """The lost blocks of all stripes that have some. A value."""

    def __init__(self, stripes: StripeMap, absent: Mapping[str, Collection[int]]) -> None:
        """Count.

        Args:
            stripes: How the files lie in stripes.
            absent: Numbers of the blocks that are right nowhere, by file, of parts and parity files. Files that
                have none may be left out.
        """
        self._stripes = stripes
        self._lost: dict[int, set[int]] = defaultdict(set)
        for file, numbers in absent.items():
            for number in numbers:
                for block in stripes.touched(stripes.files[file], number):
                    self._lost[block.stripe].add(block.index)

    def can_make(self, file: Part, number: int) -> bool:
        """Tell whether block ``number`` of a file can be made again: no stripe that it touches lost too many."""
        return all(not self._excess(block.stripe) for block in self._stripes.touched(file, number))

    def _excess(self, stripe: int) -> int:
        lost = self._lost.get(stripe, ())
        return max(len(lost) - self._stripes.geometry.m, 0)
