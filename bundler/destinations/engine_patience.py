"""Asking an engine again after a connection that broke: it may restart, or drop one request and live on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from bundler.errors import AirbundleError, ProtocolError, Unreachable
from bundler.progress import SILENT, Progress

T = TypeVar("T")

#: Seconds before each further try: together as long as an engine takes to restart with many images.
DELAYS = (1.0, 2.0, 4.0, 8.0, 15.0)


class Patience:
    """Tries again what failed because the engine was not there."""

    def __init__(
        self,
        progress: Progress = SILENT,
        delays: Sequence[float] = DELAYS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Prepare.

        Args:
            progress: Is told of each further try.
            delays: Seconds to wait before each of them; as many as there are, none of them twice.
            sleep: Waits; an interrupt ends it.
        """
        self._progress = progress
        self._delays = tuple(delays)
        self._sleep = sleep
        self._ours: AirbundleError | None = None

    def blame_source(self, error: AirbundleError) -> None:
        """Remember an error that came from the other end: asking the engine again is no help against it."""
        self._ours = error

    def may_pass(self, error: AirbundleError) -> bool:
        """Tell whether the engine may be there again soon; one that answers nonsense will go on to do so."""
        return isinstance(error, Unreachable) and not isinstance(error, ProtocolError) and error is not self._ours

    def run(self, action: Callable[[], T]) -> T:
        """Return what the action returns, at the latest after the last further try.

        The action is called again as a whole: it must look what is there before it does anything.

        Raises:
            AirbundleError: what the action raised and cannot pass, or raised at the last try.
        """
        for delay in self._delays:
            try:
                return action()
            except Unreachable as error:
                if not self.may_pass(error):
                    raise
                self._progress.message(f"{error}; trying again in {delay:g} s")
            self._sleep(delay)
        return action()
