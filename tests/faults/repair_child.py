"""A repair in a process that can be killed: ``python -m tests.faults.repair_child BUNDLE [SECONDS [OUTPUT]]``.

It says ``begun`` when it begins. SECONDS is how long it pauses after each block, so that a kill hits it at work.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bundler import repair
from bundler.errors import AirbundleError
from bundler.progress import Task
from tests.fakes.tasks import RecordingTask


class _SlowTask(RecordingTask):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def advance(self, count: int) -> None:
        time.sleep(self._seconds)


class SlowProgress:
    """Makes a repair slow."""

    def __init__(self, seconds: float) -> None:
        """Pause so long after each block."""
        self._seconds = seconds

    def task(self, label: str, total: int | None = None) -> Task:
        """Begin a task that is slow where files are written, and not where they are only looked at."""
        return _SlowTask(self._seconds if label == "repair" else 0.0)

    def message(self, text: str) -> None:
        """Print it."""
        print(text, flush=True)


def main() -> int:
    """Repair; say a declared error by its code."""
    bundle, *more = sys.argv[1:]
    seconds = more[0] if more else "0"
    output = more[1] if len(more) > 1 else ""
    print("begun", flush=True)
    try:
        place = Path(output) if output else None
        report = repair(Path(bundle), output=place, progress=SlowProgress(float(seconds)))
    except AirbundleError as error:
        print(error.code, flush=True)
        return int(error.exit_status)
    return int(report.exit_status)


if __name__ == "__main__":
    sys.exit(main())
