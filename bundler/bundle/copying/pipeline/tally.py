"""What has become of each block so far; counted by several threads, told to the user as it goes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from bundler.bundle.block_reader import BlockFailure
from bundler.bundle.copying.report import BadRange, CopyReport
from bundler.bundle.manifest import Part
from bundler.model.sizes import format_size
from bundler.progress import Task

#: Bytes after which the counts are told again.
_TELL_EVERY = 64 << 20
#: A block: the part's file, and the block's number in it.
Key = tuple[str, int]


class Tally:
    """Counts blocks that were kept, copied or left out. Safe to use from any thread."""

    def __init__(self, parts: Sequence[Part], block_bytes: int, task: Task) -> None:
        self._parts = parts
        self._block_bytes = block_bytes
        self._task = task
        self._lock = threading.Lock()
        self._file = ""
        self._untold = 0
        self._kept = 0
        self._copied = 0
        self._bad = 0
        self._mended = 0
        self._made: set[Key] = set()
        self._left_out: dict[Key, BlockFailure] = {}
        self._lacking: set[str] = set()

    def turn_to(self, part: Part) -> None:
        """Say which part is at work now."""
        self._file = part.file
        self._describe()

    def kept(self, part: Part, number: int) -> None:
        """Count a block that was right at the destination."""
        length = self.length(part, number)
        with self._lock:
            self._kept += length
        self._advance(length)

    def copied(self, part: Part, number: int) -> None:
        """Count a block that is right at the destination now."""
        length = self.length(part, number)
        with self._lock:
            self._copied += length
            self._mended += length if (part.file, number) in self._made else 0
        self._advance(length)

    def made(self, part: Part, number: int) -> None:
        """Say that a block, once it is copied, was made from parity."""
        with self._lock:
            self._made.add((part.file, number))

    def left_out(self, part: Part, number: int, failure: BlockFailure) -> None:
        """Count a block that no source could give; with one that nobody has there was nothing to do."""
        length = self.length(part, number)
        with self._lock:
            self._left_out[part.file, number] = failure
            self._lacking.add(part.file)
            self._bad += length
        if failure.code != "missing":
            self._advance(length)

    def correct(self, blocks: Iterable[Key], failure: BlockFailure) -> None:
        """Give another reason for blocks that were left out."""
        with self._lock:
            for key in blocks:
                self._left_out[key] = failure

    def lacks(self, part: Part) -> bool:
        """Tell whether a block of this part was left out."""
        with self._lock:
            return part.file in self._lacking

    def length(self, part: Part, number: int) -> int:
        """Return the bytes of a block."""
        return min(self._block_bytes, part.size - number * self._block_bytes)

    def report(self) -> CopyReport:
        """Return the outcome so far."""
        missing: list[str] = []
        bad: list[BadRange] = []
        with self._lock:
            for part in self._parts:
                failures = {
                    number: self._left_out[part.file, number]
                    for number in range(len(part.blocks))
                    if (part.file, number) in self._left_out
                }
                if failures and all(failure.code == "missing" for failure in failures.values()):
                    missing.append(part.file)
                else:
                    bad += self._ranges(part, failures)
            return CopyReport(self._copied, self._kept, self._bad, tuple(bad), tuple(missing), self._mended)

    def _advance(self, length: int) -> None:
        self._task.advance(length)
        with self._lock:
            self._untold += length
            is_time = self._untold >= _TELL_EVERY
        if is_time:
            self._describe()

    def _describe(self) -> None:
        with self._lock:
            self._untold = 0
            counts = [("kept", self._kept), ("copied", self._copied), ("mended", self._mended), ("bad", self._bad)]
        text = ", ".join(f"{format_size(count)} {what}" for what, count in counts if count)
        self._task.describe(f"{self._file} ({text})" if text else self._file)

    def _ranges(self, part: Part, failures: dict[int, BlockFailure]) -> list[BadRange]:
        ranges: list[BadRange] = []
        for number, failure in failures.items():
            offset, length = number * self._block_bytes, self.length(part, number)
            last = ranges[-1] if ranges else None
            if last is not None and last.offset + last.length == offset and last.code == failure.code:
                ranges[-1] = BadRange(part.file, last.offset, last.length + length, last.code, last.found)
            else:
                ranges.append(BadRange(part.file, offset, length, failure.code, failure.found))
        return ranges
