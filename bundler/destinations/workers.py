"""Several threads for a list of jobs: the first error stops the rest in order, an interrupt is not waited out."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from bundler.content.stopping import Stopping
from bundler.errors import Interrupted

T = TypeVar("T")

_WATCH_SECONDS = 0.2
#: How long what runs may go on to its own end: after an error, and after an interrupt, which a person watches.
_AFTER_ERROR_SECONDS, _AFTER_INTERRUPT_SECONDS = 60.0, 6.0
#: How long jobs may take to notice that they were cut; a thread that waits for a peer notices later.
_CUT_SECONDS = 1.0


def run_all(actions: Sequence[Callable[[], T]], workers: int, stopping: Stopping) -> list[T]:
    """Run all actions, at most ``workers`` at a time, begun in their order; return their results in it.

    After an action failed, and after an interrupt, no further one is begun, and ``stopping``, which the others
    should look at, asks for an end. They may finish what they are at: up to a minute after an error, up to six
    seconds after an interrupt. Then they are cut, and a second later this function returns, even where a thread
    still waits for an answer: threads do not keep the process alive.

    Raises:
        BaseException: whatever the first failing action raised.
        Interrupted: somebody else asked for an end.
    """
    run = _Run(actions, min(workers, len(actions)), stopping)
    try:
        run.start()
        while not stopping.asked and not run.ended.wait(_WATCH_SECONDS):
            pass
        _see_out(run.ended, stopping, _AFTER_ERROR_SECONDS)
    except BaseException:
        stopping.ask()
        _see_out(run.ended, stopping, _AFTER_INTERRUPT_SECONDS)
        raise
    if run.errors:
        raise run.errors[0]
    if len(run.results) < len(actions):
        raise Interrupted("stopped before all was done")
    return [run.results[position] for position in range(len(actions))]


def _see_out(ended: threading.Event, stopping: Stopping, seconds: float) -> None:
    if not ended.wait(seconds):
        stopping.cut()
        ended.wait(_CUT_SECONDS)


class _Run(Generic[T]):
    def __init__(self, actions: Sequence[Callable[[], T]], workers: int, stopping: Stopping) -> None:
        self._waiting = deque(enumerate(actions))
        self._stopping = stopping
        self._working = workers
        self._lock = threading.Lock()
        self.results: dict[int, T] = {}
        self.errors: list[BaseException] = []
        # Not told by the threads: one whose ``join`` was interrupted passes for ended in some Pythons.
        self.ended = threading.Event()

    def start(self) -> None:
        for number in range(self._working):
            threading.Thread(target=self._work, name=f"airbundle-worker-{number}", daemon=True).start()
        if not self._working:
            self.ended.set()

    def _work(self) -> None:
        try:
            while not self._stopping.asked:
                try:
                    position, action = self._waiting.popleft()
                except IndexError:
                    return
                self._do(position, action)
        finally:
            with self._lock:
                self._working -= 1
                if not self._working:
                    self.ended.set()

    def _do(self, position: int, action: Callable[[], T]) -> None:
        try:
            self.results[position] = action()
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that waits
            self.errors.append(error)
            self._stopping.ask()
