"""Progress on a terminal: a bar for each task, with bytes, rate, and what is going on."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import NoReturn

from tqdm import tqdm

from bundler.cli.text import printable
from bundler.progress import Task

_LONGEST_TEXT = 44


class BarTask:
    """One bar. A total that turns out too small grows with what is done, so that no bar passes its end."""

    def __init__(self, label: str, total: int | None) -> None:
        self._lock = threading.Lock()
        self._bar: tqdm[NoReturn] = tqdm(
            desc=printable(label), total=total, unit="B", unit_scale=True, unit_divisor=1024,
            file=sys.stderr, dynamic_ncols=True, mininterval=0.2, leave=True,
        )  # fmt: skip

    def advance(self, count: int) -> None:
        """Count more bytes as done."""
        with self._lock:
            if self._bar.total is not None and self._bar.n + count > self._bar.total:
                self._bar.total = self._bar.n + count
            self._bar.update(count)

    def describe(self, text: str) -> None:
        """Show what is going on behind the bar."""
        with self._lock:
            self._bar.set_postfix_str(printable(text)[:_LONGEST_TEXT], refresh=True)

    def expect(self, total: int | None) -> None:
        """Replace the total."""
        with self._lock:
            self._bar.total = total
            self._bar.refresh()

    def __enter__(self) -> BarTask:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            if kind is None and self._bar.n:
                # An upper bound was all that was known before; now the work is done, and this is what it was.
                self._bar.total = self._bar.n
                self._bar.set_postfix_str("", refresh=True)
            self._bar.close()


class BarProgress:
    """Bars on stderr."""

    def task(self, label: str, total: int | None = None) -> Task:
        """Begin a bar."""
        return BarTask(label, total)

    def message(self, text: str) -> None:
        """Print a line above the bars."""
        tqdm.write(printable(text), file=sys.stderr)
