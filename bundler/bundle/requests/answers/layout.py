"""Where the blocks of an answer lie: one behind the other, in files that fit the medium."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.requests.block_ranges import BlockAt, BlockRanges

ANSWER_JSON = "answer.json"
ANSWER_JSON_COPY = "answer.json.bak"
#: Where archives are not cut, for file systems that hold no file of 4 GiB.
_UNCUT_FILE_BYTES = 3900 << 20
_FEWEST_DIGITS = 3


def answer_files(count: int) -> list[str]:
    """Return the names of all data files of an answer that has ``count`` of them, in order."""
    digits = max(_FEWEST_DIGITS, len(str(count)))
    return [f"answer.{number:0{digits}d}" for number in range(1, count + 1)]


@dataclass(frozen=True)
class FilePiece:
    """A range of one data file: its index, an offset and a length in bytes."""

    file: int
    offset: int
    length: int


class AnswerLayout:
    """The blocks of a request joined in their order, and that sequence cut into files. A value.

    Attributes:
        blocks: the blocks.
        part_sizes: bytes of each part that has any, by its index.
        block_bytes: bytes of a block.
        size: bytes of all of them.
        files: names of the data files.
        file_sizes: bytes of each.
    """

    def __init__(
        self, blocks: BlockRanges, part_sizes: Sequence[int], block_bytes: int, file_sizes: Sequence[int] | None
    ) -> None:
        """Lay out ``blocks``, all of which these parts have.

        Args:
            blocks: The blocks.
            part_sizes: Bytes of the part of each row of ``blocks``.
            block_bytes: Bytes of a block; only the last one of a part may have fewer.
            file_sizes: Bytes of each data file; ``None``: one file.
        """
        self.blocks = blocks
        self.part_sizes = {row.part: size for row, size in zip(blocks.rows, part_sizes, strict=True)}
        self.block_bytes = block_bytes
        ranges = [(row.part, first, count) for row in blocks.rows for first, count in row.blocks]
        self._firsts = [(part, first) for part, first, _ in ranges]
        self._counts = [count for _, _, count in ranges]
        self._starts = [0, *accumulate(self._range_bytes(*one) for one in ranges)]
        self.size = self._starts[-1]
        self.file_sizes = (self.size,) if file_sizes is None else tuple(file_sizes)
        self.files = answer_files(len(self.file_sizes))
        self._file_starts = [0, *accumulate(self.file_sizes)]

    @classmethod
    def of(cls, blocks: BlockRanges, manifest: BundleManifest) -> AnswerLayout:
        """Lay out blocks of a bundle, in files of at most the size of its parts."""
        parts = manifest.parts
        sizes = [parts[row.part].size for row in blocks.rows]
        total = blocks.size(parts, manifest.block_bytes)
        largest = manifest.part_bytes or _UNCUT_FILE_BYTES
        files = [min(largest, total - start) for start in range(0, total, largest)]
        return cls(blocks, sizes, manifest.block_bytes, files)

    def locate(self, block: BlockAt) -> tuple[int, int] | None:
        """Return where a block begins in the joined data and its bytes; ``None`` if it is not in the answer."""
        part, number = block
        index = bisect_right(self._firsts, block) - 1
        if index < 0 or self._firsts[index][0] != part:
            return None
        inside = number - self._firsts[index][1]
        if inside >= self._counts[index]:
            return None
        length = min(self.block_bytes, self.part_sizes[part] - number * self.block_bytes)
        return self._starts[index] + inside * self.block_bytes, length

    def pieces(self, offset: int, length: int) -> Iterator[FilePiece]:
        """Yield the ranges of files that hold a range of the joined data."""
        index = bisect_right(self._file_starts, offset) - 1
        while length > 0:
            inside = offset - self._file_starts[index]
            here = min(length, self.file_sizes[index] - inside)
            yield FilePiece(index, inside, here)
            offset, length, index = offset + here, length - here, index + 1

    def _range_bytes(self, part: int, first: int, count: int) -> int:
        end = min((first + count) * self.block_bytes, self.part_sizes[part])
        return end - first * self.block_bytes
