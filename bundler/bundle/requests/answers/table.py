"""answer.json: what an answer holds (docs/format.md, "Requests and answers")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from bundler.bundle.manifest import LARGEST_BLOCK, SMALLEST_BLOCK, BundleManifest
from bundler.bundle.requests.answers.layout import ANSWER_JSON, AnswerLayout, answer_files
from bundler.bundle.requests.block_ranges import BlockAt, BlockRanges, PartBlocks, without
from bundler.bundle.requests.sealed import seal, unseal
from bundler.errors import MalformedDocument, UsageError
from bundler.model.digest import Digest
from bundler.model.json_documents import convert
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.media_types import BLOCK_ANSWER

_XXH3_64 = re.compile(r"[0-9a-f]{16}", re.ASCII)


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    part: int
    size: int
    blocks: tuple[tuple[int, int], ...]
    sums: tuple[str, ...]


class _File(msgspec.Struct, frozen=True, kw_only=True):
    file: str
    size: int


class _Fields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    media_type: str = msgspec.field(name="mediaType")
    bundle: Digest
    block_bytes: int
    parts: tuple[_Row, ...]
    missing: tuple[PartBlocks, ...] = ()
    files: tuple[_File, ...]


@dataclass(frozen=True)
class AnswerTable:
    """A parsed answer.json, internally consistent.

    Attributes:
        bundle: the id of the bundle.
        layout: the blocks that were asked for, and where each lies.
        sums: the xxh3-64 of each of them.
        missing: those that the near side did not have; whatever lies in their places means nothing.
    """

    bundle: Digest
    layout: AnswerLayout
    sums: Mapping[BlockAt, str]
    missing: BlockRanges

    @property
    def held(self) -> BlockRanges:
        """The blocks that the answer holds, if its files are right."""
        return without(self.layout.blocks, self.missing)

    def check_against(self, manifest: BundleManifest) -> None:
        """Refuse an answer that is not about this bundle.

        Raises:
            UsageError: it is for another bundle.
            MalformedDocument: it says so of itself, but contradicts the bundle's table of contents.
        """
        if self.bundle != manifest.id:
            raise UsageError(f"the answer is for the bundle {self.bundle}, this one is {manifest.id}")
        parts = manifest.parts
        try:
            self.layout.blocks.check_within(parts, ANSWER_JSON)
        except UsageError as error:
            raise MalformedDocument(str(error)) from error
        if (
            self.layout.block_bytes != manifest.block_bytes
            or any(parts[part].size != size for part, size in self.layout.part_sizes.items())
            or any(parts[part].blocks[number] != said for (part, number), said in self.sums.items())
        ):
            raise MalformedDocument(f"{ANSWER_JSON} contradicts the bundle's table of contents")


def write_answer_table(manifest: BundleManifest, layout: AnswerLayout, missing: BlockRanges) -> bytes:
    """Return answer.json for blocks of a bundle: canonical JSON with a sum over itself."""
    parts = manifest.parts
    rows = [
        _Row(
            part=row.part,
            size=parts[row.part].size,
            blocks=row.blocks,
            sums=tuple(
                said for first, count in row.blocks for said in parts[row.part].blocks[first : first + count]
            ),
        )
        for row in layout.blocks.rows
    ]
    files = [_File(file=file, size=size) for file, size in zip(layout.files, layout.file_sizes, strict=True)]
    return seal(
        _Fields(
            media_type=BLOCK_ANSWER,
            bundle=manifest.id,
            block_bytes=manifest.block_bytes,
            parts=tuple(rows),
            missing=missing.rows,
            files=tuple(files),
        )
    )


def parse_answer_table(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> AnswerTable:
    """Read answer.json. Nothing of it is used before its own sum was found right.

    Raises:
        UnsupportedVersion: it says of itself that it is of another major version.
        MalformedDocument: it is damaged or no answer, breaks the format or a bound, or contradicts itself.
    """
    fields = convert(unseal(raw, ANSWER_JSON, BLOCK_ANSWER, limits), _Fields, ANSWER_JSON)
    if not SMALLEST_BLOCK <= fields.block_bytes <= LARGEST_BLOCK:
        raise MalformedDocument(f"{ANSWER_JSON}: blocks of {fields.block_bytes} bytes")
    blocks = BlockRanges(tuple(PartBlocks(part=row.part, blocks=row.blocks) for row in fields.parts))
    missing = BlockRanges(fields.missing)
    blocks.check_form(ANSWER_JSON, limits)
    missing.check_form(ANSWER_JSON, limits)
    for row in fields.parts:
        _check_row(row, fields.block_bytes)
    layout = AnswerLayout(
        blocks, [row.size for row in fields.parts], fields.block_bytes, [file.size for file in fields.files]
    )
    _check_files(fields.files, layout)
    # Only now is it certain that there are as many blocks as sums, and no more than the document can hold.
    sums = dict(zip(blocks, (said for row in fields.parts for said in row.sums), strict=True))
    if missing.count > len(sums) or not sums or not all(block in sums for block in missing):
        raise MalformedDocument(f"{ANSWER_JSON} holds nothing, or misses what it was not asked for")
    return AnswerTable(fields.bundle, layout, sums, missing)


def _check_row(row: _Row, block_bytes: int) -> None:
    first, count = row.blocks[-1]
    if row.size < 1 or first + count > -(-row.size // block_bytes):
        raise MalformedDocument(f"{ANSWER_JSON}: part {row.part} has no block {first + count - 1}")
    if len(row.sums) != sum(count for _, count in row.blocks) or not all(map(_XXH3_64.fullmatch, row.sums)):
        raise MalformedDocument(f"{ANSWER_JSON}: part {row.part} has not one sum for each block")


def _check_files(files: tuple[_File, ...], layout: AnswerLayout) -> None:
    if [file.file for file in files] != answer_files(len(files)):
        raise MalformedDocument(f"{ANSWER_JSON}: the files are not numbered from 1 without a gap")
    if any(file.size < 1 for file in files) or sum(file.size for file in files) != layout.size:
        raise MalformedDocument(f"{ANSWER_JSON}: its files do not hold its blocks")
