"""Checks 3, 4 and 5: reads every copy of a part once, block by block, and goes on behind every bad one."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bundler.bundle.block_reader import read_from
from bundler.bundle.manifest import Part
from bundler.bundle.read_meter import ReadMeter
from bundler.content.files import PARTIAL_SUFFIX, disk_errors, open_regular
from bundler.content.hashing import Sha256, block_sum
from bundler.errors import DiskError, NotFound, NotReadable, NotRegular

#: Is given the offset of a good block in its part and the block, in order.
Consumer = Callable[[int, memoryview], None]


@dataclass(frozen=True)
class PartProblem:
    """Something wrong with a file: check, code, range, and both sides."""

    check: int
    code: str
    offset: int
    length: int
    expected: str
    found: str


@dataclass
class ScannedCopy:
    """One file that holds a part, or what has arrived of it.

    Attributes:
        problems: everything that is wrong with it; of an unfinished one also what has not arrived.
        right: how many of its blocks are right.
    """

    path: Path
    problems: list[PartProblem] = field(default_factory=list)
    right: int = 0

    @property
    def is_unfinished(self) -> bool:
        """Whether it does not have its final name yet."""
        return self.path.suffix == PARTIAL_SUFFIX


@dataclass(frozen=True)
class ScannedPart:
    """What all copies of a part hold together.

    Attributes:
        copies: in the order of their directories, whole ones first; empty if there are none.
        absent: numbers of the blocks that are right in none of them, ascending.
        is_disproved: the first right copies of all blocks, joined, have another sha256 than the part.
    """

    copies: tuple[ScannedCopy, ...]
    absent: tuple[int, ...]
    is_disproved: bool


class PartScan:
    """Scans parts one after another; hashing runs beside reading, in threads that outlive a part."""

    def __init__(self, block_bytes: int, *, with_sha256: bool, meter: ReadMeter | None = None) -> None:
        """Prepare to read blocks of this size; ``meter`` times their reading."""
        self._block_bytes = block_bytes
        self._with_sha256 = with_sha256
        self._meter = meter
        # One thread each, so that each sees the blocks in their order.
        self._hasher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="part-hash")
        self._feeder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="blob-check")
        # Two for each copy: one is filled while the other one is hashed.
        self._buffers: list[tuple[memoryview, memoryview]] = []

    def scan(
        self, paths: Sequence[Path], part: Part, consumer: Consumer | None, advance: Callable[[int], None]
    ) -> ScannedPart:
        """Check all copies of one part; return everything that is wrong with them.

        Args:
            paths: The files that there are.
            part: What the table of contents says of it.
            consumer: Is given every block that is right in one of them.
            advance: Is told the bytes of the part as they are looked at, however many copies there are; all
                together as many as :func:`bytes_to_read` says.

        Raises:
            NotReadable: this user may not read one: it was not checked, which is not the same as bad.
        """
        run = _Run(part, self._block_bytes, self._with_sha256, self._meter)
        while len(self._buffers) < len(paths):
            self._buffers.append(
                (memoryview(bytearray(self._block_bytes)), memoryview(bytearray(self._block_bytes)))
            )
        try:
            run.open(paths)
            self._scan_blocks(run, consumer, advance)
            return run.result()
        finally:
            run.close()

    def close(self) -> None:
        """End the threads."""
        self._hasher.shutdown()
        self._feeder.shutdown()

    def _scan_blocks(self, run: _Run, consumer: Consumer | None, advance: Callable[[int], None]) -> None:
        busy: list[list[Future[None]]] = [[], []]
        for number in range(len(run.part.blocks)):
            turn, offset = number % 2, number * self._block_bytes
            _wait(busy[turn])
            length = min(self._block_bytes, run.part.size - offset)
            chosen: memoryview | None = None
            for copy, buffers in zip(run.open_copies, self._buffers, strict=False):
                block = buffers[turn][:length]
                if not copy.read(number, offset, block):
                    continue
                if copy.sums is not None:
                    busy[turn].append(self._hasher.submit(copy.sums.update, block))
                chosen = block if chosen is None else chosen
            if chosen is None:
                run.absent.append(number)
            elif run.sums is not None:
                busy[turn].append(self._hasher.submit(run.sums.update, chosen))
            if chosen is not None and consumer is not None:
                busy[turn].append(self._feeder.submit(consumer, offset, chosen))
            advance(max(0, min(length, run.reach - offset)))
        for futures in busy:
            _wait(futures)


class _Run:
    """The scan of one part."""

    def __init__(self, part: Part, block_bytes: int, with_sha256: bool, meter: ReadMeter | None) -> None:
        self._meter = meter
        self.part = part
        self.absent: list[int] = []
        self.sums: Sha256 | None = None
        self.open_copies: list[_OpenCopy] = []
        #: Bytes of the part that the longest of its files has.
        self.reach = 0
        self._copies: list[ScannedCopy] = []
        self._block_bytes = block_bytes
        self._with_sha256 = with_sha256

    def open(self, paths: Sequence[Path]) -> None:
        self.reach = bytes_to_read(paths, self.part)
        for path in paths:
            copy = ScannedCopy(path)
            try:
                file = open_regular(path)
            except NotFound:
                # It was there a moment ago: as if it had never been.
                continue
            except NotRegular as error:
                copy.problems.append(self._whole(3, "not-regular", "a regular file", str(error)))
            except NotReadable:
                raise
            except DiskError as error:
                copy.problems.append(self._whole(4, "unreadable", f"{self.part.size} bytes", str(error)))
            else:
                self.open_copies.append(_OpenCopy(copy, file, self.part, self._with_sha256, self._meter))
            self._copies.append(copy)
        # With one copy its own sum says all.
        if self._with_sha256 and len(self.open_copies) > 1:
            self.sums = Sha256()

    def result(self) -> ScannedPart:
        for one in self.open_copies:
            one.finish()
        is_disproved = not self.absent and self.sums is not None and self.sums.digest.hex != self.part.sha256
        return ScannedPart(tuple(self._copies), tuple(self.absent), is_disproved)

    def close(self) -> None:
        for one in self.open_copies:
            os.close(one.file)

    def _whole(self, check: int, code: str, expected: str, found: str) -> PartProblem:
        return PartProblem(check, code, 0, self.part.size, expected, found)


class _OpenCopy:
    """A file that is read from its beginning to its end."""

    def __init__(
        self, copy: ScannedCopy, file: int, part: Part, with_sha256: bool, meter: ReadMeter | None
    ) -> None:
        self.file = file
        self._meter = meter
        self.sums: Sha256 | None = Sha256() if with_sha256 else None
        self._copy = copy
        self._part = part
        self._ended = False

    def read(self, number: int, offset: int, block: memoryview) -> bool:
        """Fill a block; tell whether it is right. What is wrong is remembered."""
        if self._ended:
            return False
        problem = self._try_to_read(number, offset, block)
        if problem is None:
            self._copy.right += 1
            return True
        self._ended = problem.code == "too-short"
        self._copy.problems.append(problem)
        # A sum over the rest says nothing any more.
        self.sums = None
        return False

    def finish(self) -> None:
        """Check what only the end shows."""
        size, part, problems = os.fstat(self.file).st_size, self._part, self._copy.problems
        if size > part.size and not self._copy.is_unfinished:
            excess = size - part.size
            problems.append(PartProblem(4, "too-long", part.size, excess, f"{part.size} bytes", f"{size} bytes"))
        if not problems and self.sums is not None and self.sums.digest.hex != part.sha256:
            found = self.sums.digest.hex
            problems.append(PartProblem(5, "wrong-sha256", 0, part.size, part.sha256, found))

    def _try_to_read(self, number: int, offset: int, block: memoryview) -> PartProblem | None:
        part = self._part
        try:
            reading = self._meter.reading(len(block)) if self._meter else contextlib.nullcontext()
            with disk_errors(self._copy.path), reading:
                os.lseek(self.file, offset, os.SEEK_SET)
                filled = read_from(self.file, block)
        except DiskError as error:
            # A bad sector: this block cannot be had, the next ones may.
            return PartProblem(4, "unreadable", offset, len(block), part.blocks[number], str(error))
        if filled < len(block):
            size = offset + filled
            return PartProblem(4, "too-short", size, part.size - size, f"{part.size} bytes", f"{size} bytes")
        found = block_sum(block)
        if found != part.blocks[number]:
            return PartProblem(4, "damaged-block", offset, len(block), part.blocks[number], found)
        return None


def bytes_to_read(paths: Iterable[Path], part: Part) -> int:
    """Return how many bytes of a part the longest of its files has: what is not there is not read."""
    longest = 0
    for path in paths:
        with contextlib.suppress(OSError):
            found = path.lstat()
            longest = max(longest, found.st_size if stat.S_ISREG(found.st_mode) else 0)
    return min(longest, part.size)


def _wait(futures: list[Future[None]]) -> None:
    for future in futures:
        future.result()
    futures.clear()
