"""An answer in a process that can be killed: ``python -m tests.faults.answer_child BUNDLE REQUEST PLACE SECONDS``.

It says ``begun`` when it begins. SECONDS is how long it pauses after each block, so that a kill hits it at work.
"""

from __future__ import annotations

import sys
import time

from bundler.api.requests import answer
from bundler.bundle.reader import open_bundle
from bundler.progress import SilentProgress, Task
from tests.fakes.tasks import RecordingTask


class _SlowTask(RecordingTask):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def advance(self, count: int) -> None:
        time.sleep(self._seconds)


class _Slow(SilentProgress):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def task(self, label: str, total: int | None = None) -> Task:
        return _SlowTask(self._seconds)


def main() -> int:
    """Answer."""
    bundle, request, place, seconds = sys.argv[1:]
    opened = open_bundle(bundle)
    print("begun", flush=True)
    answer(opened, request, place, progress=_Slow(float(seconds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
