"""The fast engine: numpy, which the extra ``fast`` installs. Nothing else imports it, and this only when used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bundler.coding.geometry import SUB_BLOCKS, cut
from bundler.coding.steps import Steps
from bundler.errors import UsageError

_PIECE_BYTES = 64 << 10
#: Two halves of four sub-blocks have 15 sums each, of which 4 are the sub-blocks themselves.
_MOST_SUMS = 22


class Vectors:
    """Adds blocks as arrays of bytes. While it does, other threads run."""

    name = "numpy"
    piece_bytes = _PIECE_BYTES

    def __init__(self) -> None:
        """Load numpy.

        Raises:
            UsageError: it is not installed, or cannot be loaded.
        """
        try:
            import numpy
        except ImportError as error:
            raise UsageError(f"numpy cannot be loaded: {error}", advice="Install airbundle[fast].") from error
        self._numpy = numpy

    def start(self, targets: Sequence[memoryview], start: int, end: int) -> _VectorSums:
        """Begin with targets that are zero; they are written with every ``add``."""
        return _VectorSums(self._numpy, targets, start, end)


class _VectorSums:
    def __init__(self, numpy: Any, targets: Sequence[memoryview], start: int, end: int) -> None:
        self._numpy = numpy
        views = [self._sub_blocks(target) for target in targets]
        self._pieces = [
            (first, last, [row[first:last] for view in views for row in view])
            for first, last in cut(start, end, _PIECE_BYTES)
        ]
        for _, _, rows in self._pieces:
            for row in rows:
                row.fill(0)
        self._sums = numpy.empty((_MOST_SUMS, min(end - start, _PIECE_BYTES)), numpy.uint8)

    def _sub_blocks(self, block: memoryview) -> Any:
        # Bytes are XORed as fast as words: numpy uses the same wide registers for both, at any alignment.
        return self._numpy.frombuffer(block, self._numpy.uint8).reshape(SUB_BLOCKS, -1)

    def add(self, steps: Steps, block: memoryview) -> None:
        xor = self._numpy.bitwise_xor
        inputs = self._sub_blocks(block)
        for first, last, rows in self._pieces:
            registers = [None, *inputs[:, first:last]]
            for (one, other), place in zip(steps.sums, self._sums, strict=False):
                registers.append(xor(registers[one], registers[other], place[: last - first]))
            for row, low, high in zip(rows, steps.low, steps.high, strict=True):
                if low:
                    xor(row, registers[low], row)
                if high:
                    xor(row, registers[high], row)

    def finish(self) -> None:
        """Nothing is left to do: the targets hold the sums."""
