"""What broken connections say about the size of requests: make it smaller, or larger.

Two things look alike from here when a registry loses an upload whose piece was not answered. Either something
on the way cuts requests above some size: then smaller pieces pass. Or answers get lost: then fewer and larger
pieces do better, best of all the whole blob in one request, after which one can look whether it is there.
"""

from __future__ import annotations

from dataclasses import dataclass

#: A server that refuses even requests of this size cannot be used.
LEAST_PIECE_BYTES = 64 << 10
#: By how much pieces become smaller after a cut: at least, and at most where little of a large one got through.
_SHRINK, _SHRINK_MOST = 4, 16
#: By how much they become larger where answers get lost.
_GROW = 8
#: After so many pieces in a row that passed, a single break says nothing about their size.
_LUCK = 16
#: After how many in a row larger ones are dared again, where that costs no more than a piece; doubled by each cut.
_DARING = 64


@dataclass(frozen=True)
class Broken:
    """A request with bytes of a blob whose connection broke.

    Attributes:
        length: bytes that it should have carried.
        through: bytes that got through, as far as is known: that left from here, or that the registry has of it.
        lost: the registry lost the upload by it.
        whole: it would have completed the blob, which is not there.
        again: the same blob met this before, and got no further since.
    """

    length: int
    through: int
    lost: bool = True
    whole: bool = False
    again: bool = False


class Breaks:
    """What all of them together say. Not safe to use from several threads."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        #: Whether there was any.
        self.any = False
        #: The most bytes of one piece that were answered.
        self.passed = 0
        self._ceiling: int | None = None
        self._floor = 0
        # Sizes of pieces that may have passed, and whose answers may have been lost.
        self._doubtful: int | None = None
        self._doubts = 0
        self._is_cutting = False
        self._loses = False
        self._in_a_row = 0
        self._daring = _DARING

    def bound(self, wanted: int) -> int:
        """Return the size of pieces, where another was wanted for other reasons."""
        size = max(wanted, self._floor)
        return size if self._ceiling is None else min(size, self._ceiling)

    def sent(self, length: int) -> None:
        """A piece was sent and answered."""
        self.passed = max(self.passed, length)
        self._in_a_row += 1
        # Where the whole upload is at stake nothing is dared.
        if self._ceiling is not None and not self._loses and self._in_a_row >= self._daring:
            self._in_a_row = 0
            self._ceiling *= 2

    def broke(self, request: Broken, usual: int) -> None:
        """A connection broke; ``usual`` is the size of pieces now."""
        is_luck = self._in_a_row >= _LUCK or 2 * request.length < usual
        self.any = True
        self._in_a_row = 0
        self._loses |= request.lost
        if is_luck and not request.again:
            return
        if not request.lost or request.whole or request.through < request.length:
            self._shrink(request)
        elif self.passed < request.length:
            self._doubts += 1
            if self._doubts > 1:
                self._shrink(request)
        elif self._is_cutting:
            self._shrink(request)
        else:
            self._doubtful = min(self._doubtful or request.length, request.length)
            self._floor = max(self._floor, request.length * _GROW)

    def _shrink(self, request: Broken) -> None:
        length = request.length
        if request.lost:
            # What was taken for a lost answer was a cut.
            self._is_cutting = True
            length = min(length, self._doubtful or length)
        size = max(min(length // _SHRINK, request.through // 2), length // _SHRINK_MOST, LEAST_PIECE_BYTES)
        self._ceiling = min(self._ceiling or size, size)
        self._daring *= 2
