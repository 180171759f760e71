"""Times the first reads of a medium, and decides whether it is faster than the sums over what is read."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: From this rate on the sums take longer than reading does.
FAST_BYTES_PER_SECOND = 1_000_000_000
#: How much is timed. Less may lie in memory by chance, such as what was read ahead.
SAMPLE_BYTES = 64 << 20


class ReadMeter:
    """Adds up how long reading takes, until that is decided."""

    def __init__(self, decided: Callable[[bool], None]) -> None:
        """Call ``decided`` once, when enough was read, with whether the medium is fast."""
        self._decided = decided
        self._bytes = 0
        self._seconds = 0.0

    @contextmanager
    def reading(self, count: int) -> Iterator[None]:
        """Time the reading of some bytes."""
        start = time.perf_counter()
        yield
        if self._bytes >= SAMPLE_BYTES:
            return
        self._bytes += count
        self._seconds += time.perf_counter() - start
        if self._bytes >= SAMPLE_BYTES:
            self._decided(self._bytes >= FAST_BYTES_PER_SECOND * self._seconds)
