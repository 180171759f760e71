"""Several threads for a list of jobs: the first error stops all, and an interrupt is never waited out."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from bundler.errors import Interrupted

T = TypeVar("T")

_WATCH_SECONDS = 0.2
#: How long jobs may take to notice that they were cancelled; a thread that waits for a peer notices later.
_PATIENCE_SECONDS = 3.0


def run_all(actions: Sequence[Callable[[], T]], workers: int, cancelled: threading.Event) -> list[T]:
    """Run all actions, at most ``workers`` at a time, begun in their order; return their results in it.

    An action that fails sets ``cancelled``, which the others should look at, and no further one is begun.
    After that, and after an interrupt, this function returns within seconds, even where a thread still waits
    for an answer: threads do not keep the process alive.

    Raises:
        BaseException: whatever the first failing action raised.
        Interrupted: somebody else set ``cancelled``.
    """
    run = _Run(actions, cancelled)
    threads = [
        threading.Thread(target=run.work, name=f"airbundle-worker-{number}", daemon=True)
        for number in range(min(workers, len(actions)))
    ]
    try:
        for thread in threads:
            thread.start()
        while not cancelled.is_set() and (alive := [thread for thread in threads if thread.is_alive()]):
            alive[0].join(_WATCH_SECONDS)
    except BaseException:
        cancelled.set()
        raise
    finally:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
    if run.errors:
        raise run.errors[0]
    if len(run.results) < len(actions):
        raise Interrupted("stopped before all was done")
    return [run.results[position] for position in range(len(actions))]


class _Run(Generic[T]):
    def __init__(self, actions: Sequence[Callable[[], T]], cancelled: threading.Event) -> None:
        self._waiting = deque(enumerate(actions))
        self._cancelled = cancelled
        self.results: dict[int, T] = {}
        self.errors: list[BaseException] = []

    def work(self) -> None:
        while not self._cancelled.is_set():
            try:
                position, action = self._waiting.popleft()
            except IndexError:
                return
            try:
                self.results[position] = action()
            except BaseException as error:  # noqa: BLE001  # raised again in the thread that waits
                self.errors.append(error)
                self._cancelled.set()
