"""Checks 3, 4 and 5: reads each part once, block by block, and goes on behind every bad one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bundler.bundle.block_reader import read_from
from bundler.bundle.manifest import Part
from bundler.content.files import disk_errors, open_regular
from bundler.content.hashing import Sha256, block_sum
from bundler.errors import DiskError, NotFound, NotRegular, NotWritable

#: Is given the offset of a good block in its part and the block, in order.
Consumer = Callable[[int, memoryview], None]


@dataclass(frozen=True)
class PartProblem:
    """Something wrong with a part: check, code, range, and both sides."""

    check: int
    code: str
    offset: int
    length: int
    expected: str
    found: str


class PartScan:
    """Scans parts one after another; hashing runs beside reading, in threads that outlive a part."""

    def __init__(self, block_bytes: int, *, with_sha256: bool) -> None:
        self._block_bytes = block_bytes
        self._with_sha256 = with_sha256
        # One thread each, so that each sees the blocks in their order.
        self._hasher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="part-hash")
        self._feeder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="blob-check")
        self._buffers = [memoryview(bytearray(block_bytes)) for _ in range(2)]

    def scan(
        self, path: Path, part: Part, consumer: Consumer | None, advance: Callable[[int], None]
    ) -> list[PartProblem]:
        """Check one part; return everything that is wrong with it.

        Args:
            path: Where the part should lie.
            part: What the table of contents says of it.
            consumer: Is given every good block.
            advance: Is told the number of bytes looked at.
        """
        try:
            file = open_regular(path)
        except NotFound:
            advance(part.size)
            return [PartProblem(3, "missing", 0, part.size, f"{part.size} bytes", "nothing")]
        except NotRegular as error:
            advance(part.size)
            return [PartProblem(3, "not-regular", 0, part.size, "a regular file", str(error))]
        except NotWritable:
            raise  # permission denied: it was not checked, which is not the same as bad
        except DiskError as error:
            advance(part.size)
            return [PartProblem(4, "unreadable", 0, part.size, f"{part.size} bytes", str(error))]
        try:
            return self._scan_file(file, path, part, consumer, advance)
        finally:
            os.close(file)

    def close(self) -> None:
        """End the threads."""
        self._hasher.shutdown()
        self._feeder.shutdown()

    def _scan_file(
        self, file: int, path: Path, part: Part, consumer: Consumer | None, advance: Callable[[int], None]
    ) -> list[PartProblem]:
        problems: list[PartProblem] = []
        whole = Sha256()
        busy: list[list[Future[None]]] = [[], []]
        for number, offset, length in self._blocks(part):
            turn = number % 2
            _wait(busy[turn])
            block = self._buffers[turn][:length]
            problem = self._read_block(file, path, part, number, block)
            is_end = problem is not None and problem.code == "too-short"
            advance(part.size - offset if is_end else length)
            if problem is not None:
                problems.append(problem)
                if is_end:
                    break
                continue
            if self._with_sha256:
                busy[turn].append(self._hasher.submit(whole.update, block))
            if consumer is not None:
                busy[turn].append(self._feeder.submit(consumer, offset, block))
        for futures in busy:
            _wait(futures)
        size = os.fstat(file).st_size
        if size > part.size:
            excess = size - part.size
            problems.append(PartProblem(4, "too-long", part.size, excess, f"{part.size} bytes", f"{size} bytes"))
        if self._with_sha256 and not problems and whole.digest.hex != part.sha256:
            problems.append(PartProblem(5, "wrong-sha256", 0, part.size, part.sha256, whole.digest.hex))
        return problems

    def _blocks(self, part: Part) -> Iterator[tuple[int, int, int]]:
        for number in range(len(part.blocks)):
            offset = number * self._block_bytes
            yield number, offset, min(self._block_bytes, part.size - offset)

    def _read_block(self, file: int, path: Path, part: Part, number: int, block: memoryview) -> PartProblem | None:
        offset = number * self._block_bytes
        try:
            with disk_errors(path):
                os.lseek(file, offset, os.SEEK_SET)
                filled = read_from(file, block)
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


def _wait(futures: list[Future[None]]) -> None:
    for future in futures:
        future.result()
    futures.clear()
