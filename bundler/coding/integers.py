"""The engine that needs nothing: a run of bytes is one large integer, and Python XORs it in one go."""

from __future__ import annotations

from collections.abc import Sequence

from bundler.coding.geometry import SUB_BLOCKS, cut
from bundler.coding.steps import Steps

_PIECE_BYTES = 32 << 10


class Integers:
    """Adds blocks as integers. It holds the interpreter's lock: more threads do not make it faster."""

    name = "python"
    piece_bytes = _PIECE_BYTES

    def start(self, targets: Sequence[memoryview], start: int, end: int) -> _IntegerSums:
        """Begin with targets that are zero; they are written by ``finish``."""
        return _IntegerSums(targets, start, end)


class _IntegerSums:
    def __init__(self, targets: Sequence[memoryview], start: int, end: int) -> None:
        self._targets = targets
        self._pieces = [
            (first, last, [0] * (SUB_BLOCKS * len(targets))) for first, last in cut(start, end, _PIECE_BYTES)
        ]

    def add(self, steps: Steps, block: memoryview) -> None:
        height = len(block) // SUB_BLOCKS
        for first, last, rows in self._pieces:
            registers = [0]
            for base in range(0, len(block), height):
                registers.append(int.from_bytes(block[base + first : base + last], "little"))
            for one, other in steps.sums:
                registers.append(registers[one] ^ registers[other])
            for row, (low, high) in enumerate(zip(steps.low, steps.high, strict=True)):
                # An XOR with nothing would still be a copy.
                if low:
                    rows[row] ^= registers[low]
                if high:
                    rows[row] ^= registers[high]

    def finish(self) -> None:
        for first, last, rows in self._pieces:
            for row, value in enumerate(rows):
                target = self._targets[row // SUB_BLOCKS]
                base = row % SUB_BLOCKS * (len(target) // SUB_BLOCKS)
                target[base + first : base + last] = value.to_bytes(last - first, "little")
