"""How the library tells what it is doing. The library never prints: who wants to see passes a Progress."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol


class Task(Protocol):
    """One running piece of work, measured in bytes. Safe to call from any thread."""

    def advance(self, count: int) -> None:
        """Count more bytes as done; ``count`` ≥ 0, so that a task never runs backwards."""

    def describe(self, text: str) -> None:
        """Say what is going on right now, such as which layer is read."""

    def expect(self, total: int | None) -> None:
        """Replace the total in bytes; ``None`` where it cannot be known."""

    def __enter__(self) -> Task:
        """Return the task itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the task, whether or not it was completed."""


class Progress(Protocol):
    """Receives what a long operation tells about itself. Its methods may be called from any thread."""

    def task(self, label: str, total: int | None = None) -> Task:
        """Begin a piece of work of ``total`` bytes (``None``: not known yet)."""

    def message(self, text: str) -> None:
        """Say something that a user should know and that is no error."""


class _SilentTask:
    def advance(self, count: int) -> None:
        pass

    def describe(self, text: str) -> None:
        pass

    def expect(self, total: int | None) -> None:
        pass

    def __enter__(self) -> _SilentTask:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class SilentProgress:
    """The default: tells nobody."""

    def task(self, label: str, total: int | None = None) -> Task:
        """Begin a task that nobody watches."""
        return _SilentTask()

    def message(self, text: str) -> None:
        """Drop the text."""


SILENT: Progress = SilentProgress()
