"""Makes whole files again, one after the other: right blocks are copied, the others made from parity."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from bundler.bundle.manifest import Part
from bundler.bundle.repair.new_file import NewFile
from bundler.bundle.repair.stripe_maker import StripeMaker
from bundler.bundle.repair.whereabouts import Whereabouts
from bundler.content.hashing import block_sum
from bundler.errors import DamagedBundle, DiskError
from bundler.progress import Task

#: How often blocks are made that turn out wrong.
_TRIES = 3


@dataclass(frozen=True)
class Yield:
    """Where the bytes come from that were wrong; those of blocks that were right beside them are in neither.

    Attributes:
        copied: bytes of blocks that were right elsewhere.
        made: bytes of blocks that parity made.
    """

    copied: int = 0
    made: int = 0


class FileMaker:
    """Makes files in one directory. Used by one thread."""

    def __init__(self, directory: Path, where: Whereabouts, maker: StripeMaker | None, task: Task) -> None:
        """Make files from what ``where`` finds and, where there is parity, ``maker`` makes of it."""
        self._directory = directory
        self._where = where
        self._maker = maker
        self._task = task
        self._buffer = memoryview(bytearray(where.block_bytes))

    def make(self, part: Part, wrong: Collection[int]) -> Yield:
        """Make a whole file; afterwards it lies under its name, durable, and its sha256 is proven by the medium.

        Until then what had its name is as it was. If this is cut the blocks stay in ``*.partial``.

        Args:
            part: The part or parity file.
            wrong: Numbers of the blocks that count as mended; of the others the bundle has right ones.

        Raises:
            DamagedBundle: blocks could not be had after all, or the sha256 is wrong though all of them are right.
            NoSpace, DiskError: the disk refused, or does not keep what is written to it.
        """
        file = NewFile(self._directory, part, self._where.block_bytes)
        self._task.describe(part.file)
        with closing(file):
            file.open()
            every = list(range(len(part.blocks)))
            done = self._write(file, every, set(wrong))
            is_proven = self._prove(file, every)
            if not is_proven:
                # Its blocks would pass for right ones wherever they are met.
                file.discard()
                raise DamagedBundle(
                    f"{part.file}: all its blocks seem right, and its sha256 is not",
                    advice="Somebody may have made blocks that only seem right: find out where they come from.",
                )
            file.seal()
        self._where.settle(part, file.path)
        return done

    def make_some(self, part: Part, numbers: Collection[int]) -> Yield:
        """Make some blocks of a file whose others are lost: they lie in ``*.partial``, durable, and are right.

        Raises:
            DamagedBundle, NoSpace, DiskError: as ``make``.
        """
        file = NewFile(self._directory, part, self._where.block_bytes)
        self._task.describe(part.file)
        with closing(file):
            file.open()
            done = self._write(file, sorted(numbers), set(numbers))
            self._prove(file, sorted(numbers))
        return done

    def _write(self, file: NewFile, numbers: Sequence[int], wrong: Collection[int]) -> Yield:
        part, copied, left = file.part, 0, []
        for number in numbers:
            length = self._where.length(part, number)
            if self._where.is_in(file.unfinished_path, part, number):
                self._task.advance(length)
            elif self._where.read(part, number, self._buffer):
                file.write(number * self._where.block_bytes, self._buffer[:length])
                copied += length if number in wrong else 0
                self._task.advance(length)
            else:
                left.append(number)
        if left:
            if self._maker is None:
                raise DamagedBundle(f"{part.file}: blocks that were right cannot be read any more")
            self._maker.make(part, left, file.write, self._task.advance)
        file.sync()
        return Yield(copied, sum(self._where.length(part, number) for number in left))

    def _prove(self, file: NewFile, numbers: list[int]) -> bool:
        """Read blocks back, and make those once more that are wrong; tell whether their sha256 is the file's."""
        wrong: list[int] = []
        for turn in range(1 + _TRIES):
            if turn:
                self._doubt(file.part, wrong)
                self._write(file, wrong, wrong)
            wrong, is_proven = file.prove(numbers)
            if not wrong:
                return is_proven
        if not self._is_made_right(file.part, wrong[0]):
            raise DamagedBundle(
                f"{file.part.file}: the parity makes blocks that are not what bundle.json says",
                advice="The parity was made of other bytes, or changed: mend from another copy, and make it anew.",
            )
        raise DiskError(
            f"{file.unfinished_path}: {len(wrong)} blocks never read back right, however often they are written",
            advice="Replace the medium, or give --output with a directory on another one.",
        )

    def _is_made_right(self, part: Part, number: int) -> bool:
        """Tell whether a block is right before it is written; those of copies are always."""
        if self._maker is None or self._where.has(part, number):
            return True
        start, block = number * self._where.block_bytes, self._buffer[: self._where.length(part, number)]

        def keep(offset: int, data: memoryview) -> None:
            block[offset - start : offset - start + len(data)] = data

        self._maker.make(part, [number], keep, lambda count: None)
        return block_sum(block) == part.blocks[number]

    def _doubt(self, part: Part, wrong: Collection[int]) -> None:
        """Have everything that wrong blocks were made of looked at again, this time block by block."""
        self._where.forget(part, wrong)
        if self._maker is not None:
            for other, suspects in self._maker.suspects(part, wrong):
                self._where.forget(other, suspects)
