"""Scans one after another; several at once only where the medium turns out to be faster than one hash.

Rotating disks, sticks and networks suffer from parallel reads; what comes from memory or a fast disk gains.
Which it is cannot be asked, so the first bytes are timed.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence

from bundler.bundle.part_scan import PartScan
from bundler.bundle.read_meter import ReadMeter

#: Reads one part, or the parts of one archive in order.
Job = Callable[[PartScan], None]
_MOST_THREADS = 4
#: Each scan holds two blocks for each copy of a part.
_LARGEST_BLOCK = 8 << 20


def run_scans(jobs: Sequence[Job], block_bytes: int, *, with_sha256: bool) -> None:
    """Run all jobs; each is begun in order, and gets a scan that no other job has at the same time.

    Args:
        jobs: May run at once, in several threads.
        block_bytes: Of the bundle; with large ones nothing runs at once, for the memory that it would take.
        with_sha256: Whether the sum of each part is made.

    Raises:
        BaseException: whatever the first failing job raised; no further one is begun then.
    """
    queue = _Queue(jobs, block_bytes, with_sha256)
    try:
        queue.work(first=True)
    finally:
        queue.join()
    queue.explain()


class _Queue:
    def __init__(self, jobs: Sequence[Job], block_bytes: int, with_sha256: bool) -> None:
        self._jobs = deque(jobs)
        self._block_bytes = block_bytes
        self._with_sha256 = with_sha256
        self._threads: list[threading.Thread] = []
        self._errors: list[BaseException] = []

    def work(self, *, first: bool = False) -> None:
        meter = ReadMeter(self._widen) if first else None
        scan = PartScan(self._block_bytes, with_sha256=self._with_sha256, meter=meter)
        try:
            while not self._errors and (job := self._next()) is not None:
                job(scan)
        finally:
            scan.close()

    def _next(self) -> Job | None:
        try:
            return self._jobs.popleft()
        except IndexError:
            return None  # another thread took the last one

    def join(self) -> None:
        # What runs is finished; after an error in this thread nothing else begins.
        self._jobs.clear()
        for thread in self._threads:
            thread.join()

    def explain(self) -> None:
        if self._errors:
            raise self._errors[0]

    def _widen(self, is_fast: bool) -> None:
        if not is_fast or self._block_bytes > _LARGEST_BLOCK:
            return
        more = min(os.cpu_count() or 1, _MOST_THREADS, 1 + len(self._jobs)) - 1
        self._threads = [threading.Thread(target=self._beside, name="part-scan", daemon=True) for _ in range(more)]
        for thread in self._threads:
            thread.start()

    def _beside(self) -> None:
        try:
            self.work()
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that waits
            self._errors.append(error)
