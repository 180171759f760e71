"""An answer as a source of blocks, for whoever mends a bundle."""

from __future__ import annotations

import os
from pathlib import Path

from bundler.bundle.block_reader import BlockFailure
from bundler.bundle.manifest import BundleManifest, Part
from bundler.bundle.opening import read_small
from bundler.bundle.requests.answers.data_files import DataFiles
from bundler.bundle.requests.answers.layout import ANSWER_JSON, ANSWER_JSON_COPY
from bundler.bundle.requests.answers.table import AnswerTable, parse_answer_table
from bundler.bundle.requests.block_ranges import BlockRanges
from bundler.content.files import partial
from bundler.content.hashing import block_sum
from bundler.errors import (
    DamagedContent,
    DiskError,
    IncompleteBundle,
    NotABundle,
    NotFound,
    NotRegular,
    NotWritable,
)
from bundler.model.limits import DEFAULT_LIMITS, Limits


def is_answer(directory: Path) -> bool:
    """Tell whether a directory holds an answer, be it damaged or unfinished."""
    names = (ANSWER_JSON, ANSWER_JSON_COPY, partial(Path(ANSWER_JSON)).name)
    return any(os.path.lexists(directory / name) for name in names)


def read_answer_table(directory: Path, limits: Limits = DEFAULT_LIMITS) -> AnswerTable:
    """Read the table of the answer in a directory, or where it is damaged the copy of it.

    Raises:
        NotFound: there is no answer.
        IncompleteBundle: it was never finished.
        MalformedDocument, UnsupportedVersion, DiskError: what is wrong with the table, if the copy is no better.
    """
    wrong: DamagedContent | NotABundle | DiskError | None = None
    for name in (ANSWER_JSON, ANSWER_JSON_COPY):
        try:
            return parse_answer_table(read_small(directory / name, limits.bundle_manifest_bytes), limits)
        except NotFound:
            continue
        except (DamagedContent, NotABundle, DiskError) as error:
            wrong = wrong or error
    if wrong is None and os.path.lexists(partial(directory / ANSWER_JSON)):
        raise IncompleteBundle(
            f"{directory} holds an answer that was not finished",
            advice="Run the same `airbundle answer` again, where it was made.",
        )
    raise wrong or NotFound(f"{directory} holds no {ANSWER_JSON}")


class AnswerReader:
    """Reads blocks of a bundle's parts from an answer, as ``BlockReader`` does from copies of the parts.

    A block is given only if its sum is that of bundle.json, whatever the answer says. For one thread; one file
    is open at a time.

    Attributes:
        directory: where the answer lies.
        blocks: those that it holds, if its files are right.
    """

    def __init__(self, directory: Path, manifest: BundleManifest, limits: Limits = DEFAULT_LIMITS) -> None:
        """Open the answer in a directory; no data file is touched.

        Raises:
            UsageError: it is for another bundle.
            NotFound, IncompleteBundle, MalformedDocument, UnsupportedVersion, DiskError: as
                :func:`read_answer_table` says.
        """
        self.directory = directory
        self._table = read_answer_table(directory, limits)
        self._table.check_against(manifest)
        self.blocks: BlockRanges = self._table.held
        self._missing = set(self._table.missing)
        self._indexes = {part.file: index for index, part in enumerate(manifest.parts)}
        self._files = DataFiles(directory, self._table.layout, unfinished=False, around_cache=False)

    def read(self, part: Part, number: int, buffer: memoryview) -> BlockFailure | None:
        """Fill the beginning of ``buffer`` with block ``number`` (from 0) of a part; see ``BlockReader.read``.

        Returns:
            ``None`` if the bytes are right. A block that the answer does not hold is ``missing``.
        """
        # Parity files are described like parts too, and no answer holds them.
        block = (self._indexes.get(part.file, -1), number)
        place = self._table.layout.locate(block)
        if place is None or block in self._missing:
            return BlockFailure("missing", self.directory / ANSWER_JSON, "a block that is not in the answer")
        offset, length = place
        (first, *_) = self._table.layout.pieces(offset, length)
        return self._try(self._files.path(first.file), offset, buffer[:length], part.blocks[number])

    def length(self, part: Part, number: int) -> int:
        """Return the bytes of a block."""
        return min(self._table.layout.block_bytes, part.size - number * self._table.layout.block_bytes)

    def close(self) -> None:
        """Close the file that is open; may be called more than once, and the reader be used again."""
        self._files.close()

    def _try(self, path: Path, offset: int, block: memoryview, expected: str) -> BlockFailure | None:
        try:
            filled = self._files.read(offset, block)
        except NotFound:
            return BlockFailure("missing", path, "nothing")
        except NotRegular as error:
            return BlockFailure("not-regular", path, str(error))
        except NotWritable as error:
            return BlockFailure("denied", path, str(error))
        except DiskError as error:
            return BlockFailure("unreadable", path, str(error))
        if filled < len(block):
            return BlockFailure("too-short", path, f"{filled} of {len(block)} bytes")
        found = block_sum(block)
        return None if found == expected else BlockFailure("damaged-block", path, found)
