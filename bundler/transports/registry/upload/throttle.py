"""How many pieces are sent at once: fewer after repeated failures, slowly more again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bundler.content.stopping import Stopping

_FAILURES = 3
_SUCCESSES = 16
_WATCH_SECONDS = 0.2


class Throttle:
    """Lets so many through at a time. Safe to use from several threads."""

    def __init__(self, most: int) -> None:
        """Allow ``most`` at once, for a start."""
        self._changed = threading.Condition()
        self._most = most
        self._allowed = most
        self._running = 0
        self._failures = 0
        self._successes = 0

    @property
    def allowed(self) -> int:
        """How many may run at once now."""
        return self._allowed

    @contextmanager
    def slot(self, stopping: Stopping) -> Iterator[None]:
        """Wait until one more may run, and count it while the context lasts.

        Raises:
            Interrupted: an end was asked for before.
        """
        with self._changed:
            while self._running >= self._allowed:
                stopping.before_beginning()
                self._changed.wait(_WATCH_SECONDS)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def failed(self) -> None:
        """One failed in a way that may pass: after three in a row only half as many run."""
        with self._changed:
            self._successes = 0
            self._failures += 1
            if self._failures >= _FAILURES:
                self._failures = 0
                self._allowed = max(1, self._allowed // 2)

    def succeeded(self) -> None:
        """One came through: after sixteen in a row one more may run."""
        with self._changed:
            self._failures = 0
            self._successes += 1
            if self._successes >= _SUCCESSES and self._allowed < self._most:
                self._successes = 0
                self._allowed += 1
                self._changed.notify_all()
