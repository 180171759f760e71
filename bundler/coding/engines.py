"""What does the XORs: numpy where it is installed, else the integers of Python. Both give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bundler.coding.integers import Integers
from bundler.coding.steps import Steps
from bundler.coding.vectors import Vectors
from bundler.errors import UsageError


class Sums(Protocol):
    """Targets in the making. Used by one thread at a time."""

    def add(self, steps: Steps, block: memoryview) -> None:
        """Add a source block; ``steps`` are for the targets with which the sums were started."""

    def finish(self) -> None:
        """Leave the sums in the targets. Nothing may be added afterwards."""


class Engine(Protocol):
    """Adds blocks to targets. It holds no state: any number of threads may use one."""

    @property
    def name(self) -> str:
        """What it is called in reports."""

    @property
    def piece_bytes(self) -> int:
        """How much of a sub-block it works on best at a time: so much that all in use stays in a core's cache."""

    def start(self, targets: Sequence[memoryview], start: int, end: int) -> Sums:
        """Begin with targets that are zero.

        Args:
            targets: Blocks of one size, a multiple of 8; what they hold is lost. Views of single bytes, one beside
                the other, writable.
            start: Only bytes from here on, of each sub-block, are made and written.
            end: Only bytes before this one; above ``start``, at most an eighth of the block.
        """


def best_engine() -> Engine:
    """Return the fastest engine there is: without a numpy that can be loaded, the one that needs none."""
    try:
        return Vectors()
    except UsageError:
        return Integers()
