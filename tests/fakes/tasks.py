"""A task that remembers what it was told."""

from __future__ import annotations

import threading
from types import TracebackType


class RecordingTask:
    """Counts bytes and keeps every text.

    Attributes:
        done: bytes so far.
        texts: what was described, in order.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.done = 0
        self.texts: list[str] = []

    def advance(self, count: int) -> None:
        assert count >= 0
        with self._lock:
            self.done += count

    def describe(self, text: str) -> None:
        with self._lock:
            self.texts.append(text)

    def expect(self, total: int | None) -> None:
        pass

    def __enter__(self) -> RecordingTask:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
