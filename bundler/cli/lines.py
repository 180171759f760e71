"""Progress where there is no terminal: a line every few seconds, fit for a log."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from bundler.cli.text import printable, say
from bundler.model.sizes import format_size
from bundler.progress import Task

_SECONDS = 5.0


class LineTask:
    """One task. Prints from whichever thread advances it when a line is due."""

    def __init__(self, label: str, total: int | None) -> None:
        self._label = label
        self._total = total
        self._done = 0
        self._text = ""
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._due = self._began + _SECONDS
        self._stop = threading.Event()
        # The engine may prepare for minutes without a byte; a log that stands still looks like a hang.
        self._clock = threading.Thread(target=self._tick, name="progress", daemon=True)
        self._clock.start()

    def advance(self, count: int) -> None:
        """Count more bytes as done."""
        with self._lock:
            self._done += count
            self._print_if_due()

    def describe(self, text: str) -> None:
        """Remember what is going on for the next line."""
        with self._lock:
            self._text = printable(text)

    def expect(self, total: int | None) -> None:
        """Replace the total."""
        with self._lock:
            self._total = total

    def __enter__(self) -> LineTask:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._clock.join()
        if kind is None:
            seconds = time.monotonic() - self._began
            self._print(f"{format_size(self._done)} in {seconds:.1f} s")

    def _tick(self) -> None:
        while not self._stop.wait(_SECONDS / 5):
            with self._lock:
                self._print_if_due()

    def _print_if_due(self) -> None:
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + _SECONDS
        rate = self._done / (now - self._began)
        done, left = format_size(self._done), ""
        if self._total:
            done += f" of {format_size(max(self._total, self._done))}"
            left = _time_left(self._total - self._done, rate)
        self._print(", ".join(filter(None, (done, f"{format_size(int(rate))}/s", left, self._text))))

    def _print(self, text: str) -> None:
        say(f"airbundle: {self._label}: {text}")


def _time_left(size: int, rate: float) -> str:
    """Say how long so many bytes take; nothing where that is not known, or nothing is left."""
    if size <= 0 or rate <= 0:
        return ""
    minutes, seconds = divmod(int(size / rate), 60)
    return f"{minutes} min left" if minutes else f"{seconds} s left"


class LineProgress:
    """Lines on stderr."""

    def task(self, label: str, total: int | None = None) -> Task:
        """Begin a task."""
        return LineTask(label, total)

    def message(self, text: str) -> None:
        """Print a line at once."""
        say(f"airbundle: {printable(text)}")
