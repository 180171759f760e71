"""A copy in a process that can be killed: ``python -m tests.faults.copy_child SOURCE PLACE [SECONDS]``.

It says ``begun`` when it begins. SECONDS is how long it pauses after each block, so that a kill hits it at work.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bundler.errors import AirbundleError
from tests.copies import copy, manifest_of
from tests.fakes.tasks import RecordingTask


class _SlowTask(RecordingTask):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def advance(self, count: int) -> None:
        time.sleep(self._seconds)


def main() -> int:
    """Copy; say a declared error by its code."""
    source, place, *seconds = sys.argv[1:]
    manifest = manifest_of(Path(source))
    print("begun", flush=True)
    try:
        copy(manifest, [Path(source)], Path(place), task=_SlowTask(float(seconds[0]) if seconds else 0.0))
    except AirbundleError as error:
        print(error.code, flush=True)
        return int(error.exit_status)
    return 0


if __name__ == "__main__":
    sys.exit(main())
