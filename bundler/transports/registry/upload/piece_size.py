"""How large the pieces of an upload are: large enough for speed, small enough for the link."""

from __future__ import annotations

import threading

from bundler.errors import UsageError
from bundler.transports.registry.upload.breaks import LEAST_PIECE_BYTES, Breaks, Broken

_MIB = 1 << 20
#: Bounds of what is chosen by the rate. Below the first the cost of a request shows, above the second nothing
#: is gained, and more is lost when a connection breaks.
_USUAL_LEAST, _USUAL_MOST = 16 * _MIB, 256 * _MIB
#: How long a piece may take: whoever is interrupted lets it end.
_SECONDS = 5.0
#: What is sent in less says nothing about the rate.
_MEASURABLE_BYTES = 1 * _MIB
_SHRINK = 4


class PieceSize:
    """The size of the next piece to one registry. Safe to use from several threads."""

    def __init__(self, fixed: int | None = None) -> None:
        """Begin.

        Args:
            fixed: Size in bytes, at least 64 KiB; ``None`` follows the rate, between 16 and 256 MiB. Either way
                pieces become smaller where a request of that size does not pass, and larger where answers get
                lost and uploads with them.

        Raises:
            UsageError: the size is too small.
        """
        if fixed is not None and fixed < LEAST_PIECE_BYTES:
            raise UsageError(f"pieces of {fixed} bytes are too small; the least is {LEAST_PIECE_BYTES}")
        self._lock = threading.Lock()
        self._fixed = fixed
        self._rate: float | None = None
        self._accepted: int | None = None
        self._breaks = Breaks()
        self._whole = False

    @property
    def careful(self) -> bool:
        """Whether connections broke under pieces: each should then have one for itself."""
        with self._lock:
            return self._breaks.any

    @property
    def are_taken(self) -> bool:
        """Whether the registry has taken any piece yet."""
        with self._lock:
            return self._breaks.passed > 0

    @property
    def usual(self) -> int:
        """The size, as far as nothing else bounds it."""
        with self._lock:
            return self._usual()

    def _usual(self) -> int:
        wanted = self._fixed or min(max(int((self._rate or 0) * _SECONDS), _USUAL_LEAST), _USUAL_MOST)
        size = self._breaks.bound(wanted)
        return min(size, self._accepted or size)

    def choose(self, left: int, least: int) -> int:
        """Return the size of the next piece.

        Args:
            left: Bytes of the blob that the registry does not have.
            least: What the registry says that a piece must have.
        """
        if self._whole:
            return left
        length = min(left, max(self.usual, least))
        # A piece of one byte must not be left over.
        return length - 1 if left - length == 1 else length

    def sent(self, length: int, seconds: float) -> None:
        """A piece was sent."""
        with self._lock:
            if length >= _MEASURABLE_BYTES:
                rate = length / max(seconds, 1e-3)
                self._rate = rate if self._rate is None else (self._rate + rate) / 2
            self._breaks.sent(length)

    def refused(self, length: int) -> bool:
        """A piece was too large for the registry or a proxy; tell whether a smaller one can be tried."""
        with self._lock:
            # Several threads may be refused at once: it counts once.
            self._accepted = min(self._accepted or length, max(length // _SHRINK, LEAST_PIECE_BYTES))
        return length > LEAST_PIECE_BYTES

    def broke(self, request: Broken) -> bool:
        """The connection broke under a request; tell whether the next one will have another size.

        That is so only a bounded number of times, as long as no bytes get through.
        """
        with self._lock:
            if self._whole:
                return False
            before = self._usual()
            self._breaks.broke(request, before)
            after = self._usual()
            return after < request.length or after != before

    def send_whole(self) -> bool:
        """The registry takes no pieces: from now on blobs are sent in one; tell whether that is new."""
        with self._lock:
            was, self._whole = self._whole, True
            return not was
