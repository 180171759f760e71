"""Parity made in a process that can be killed: ``python -m tests.faults.parity_child BUNDLE [SECONDS]``.

It says ``begun`` when it begins. SECONDS is how long it pauses after each block of data. It holds little in
memory, so that there are many strips.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bundler.bundle.parity import strips
from bundler.bundle.parity.making import make_parity
from bundler.bundle.parity.wish import ParityWish
from bundler.bundle.reader import open_bundle
from bundler.errors import AirbundleError
from tests.copies import BLOCK
from tests.fakes.tasks import RecordingTask

WISH = ParityWish(survive_parts=1)


class SlowTask(RecordingTask):
    """Pauses whenever something was done; it is its own progress."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def advance(self, count: int) -> None:
        time.sleep(self._seconds)

    def task(self, label: str, total: int | None = None) -> SlowTask:
        return self

    def message(self, text: str) -> None:
        pass


def main() -> int:
    """Make parity; say a declared error by its code."""
    directory, *seconds = sys.argv[1:]
    strips.HELD_BYTES = 12 * BLOCK
    strips._READ_BYTES = BLOCK
    bundle = open_bundle(Path(directory))
    print("begun", flush=True)
    try:
        make_parity(bundle, WISH, progress=SlowTask(float(seconds[0]) if seconds else 0.0))
    except AirbundleError as error:
        print(error.code, flush=True)
        return int(error.exit_status)
    return 0


if __name__ == "__main__":
    sys.exit(main())
