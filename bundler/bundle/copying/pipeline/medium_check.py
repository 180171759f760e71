"""Brings written blocks to the medium, and proves that it keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from bundler.bundle.copying.pipeline.part_file import PartFile
from bundler.bundle.copying.pipeline.source_blocks import SourceBlocks
from bundler.bundle.copying.pipeline.tally import Tally
from bundler.content.hashing import block_sum
from bundler.content.read_back import MediumReader
from bundler.errors import DiskError

#: A block that was not kept is written so many times more.
_MORE_WRITES = 3


@dataclass
class Run:
    """Blocks of one file that were written and are to be made durable together.

    Attributes:
        file: where they were written.
        blocks: their numbers.
        is_last: nothing more is written to the file.
    """

    file: PartFile
    blocks: list[int] = field(default_factory=list)
    is_last: bool = False


class MediumCheck:
    """Syncs runs, reads them back, and gives whole files their final names. Used by one thread."""

    def __init__(
        self, sources: Sequence[Path], block_bytes: int, tries: int, tally: Tally, *, read_back: bool
    ) -> None:
        """Check blocks of ``block_bytes``; one that reads back wrong is taken from ``sources`` once more."""
        self._block_bytes = block_bytes
        self._sources = SourceBlocks(sources, block_bytes, tries)
        self._tally = tally
        self._read_back = read_back

    def settle(self, run: Run) -> None:
        """Make a run durable, prove it, and count its blocks; after the last run of a file, close that.

        A file that lacks no block gets its final name.

        Raises:
            DiskError: the disk refused, or does not keep what is written to it.
        """
        run.file.sync()
        if self._read_back and run.blocks:
            run.file.show(self._medium, run.file.unfinished_path)
        for number in run.blocks:
            if not self._read_back or self._is_kept(run.file, number) or self._write_again(run.file, number):
                self._tally.copied(run.file.part, number)
        if not run.is_last:
            return
        if self._tally.lacks(run.file.part):
            run.file.close()
        else:
            run.file.seal()

    def length(self, file: PartFile, number: int) -> int:
        """Return the bytes of a block."""
        return self._tally.length(file.part, number)

    def close(self) -> None:
        """Close all files that were opened here."""
        self._sources.close()
        if self._read_back:
            self._medium.close()

    @cached_property
    def _medium(self) -> MediumReader:
        return MediumReader(self._block_bytes)

    def _is_kept(self, file: PartFile, number: int) -> bool:
        length = self.length(file, number)
        try:
            found = self._medium.read(number * self._block_bytes, length)
        except DiskError:
            # As good as wrong; writing again makes many media use another sector.
            return False
        return len(found) == length and block_sum(found) == file.part.blocks[number]

    def _write_again(self, file: PartFile, number: int) -> bool:
        """Write a block once more and prove it; return whether a source still gives it."""
        block = memoryview(bytearray(self.length(file, number)))
        failure = self._sources.read(file.part, number, block)
        if failure is not None:
            self._tally.left_out(file.part, number, failure)
            return False
        for _ in range(_MORE_WRITES):
            file.write(number * self._block_bytes, block)
            file.sync()
            if self._is_kept(file, number):
                return True
        offset = number * self._block_bytes
        raise DiskError(
            f"{file.unfinished_path}: {len(block)} bytes at {offset} were written {1 + _MORE_WRITES} times and "
            "never read back right",
            advice="Replace the medium: it does not keep what is written to it.",
        )
