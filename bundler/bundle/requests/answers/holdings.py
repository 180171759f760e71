"""What a directory holds of an answer: to which request, and which blocks of it are right."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

from bundler.bundle.opening import read_small
from bundler.bundle.requests.answers.data_files import DataFiles
from bundler.bundle.requests.answers.layout import ANSWER_JSON, ANSWER_JSON_COPY, AnswerLayout
from bundler.bundle.requests.answers.table import parse_answer_table
from bundler.bundle.requests.block_ranges import BlockAt
from bundler.bundle.requests.request_file import BlockRequest, parse_request
from bundler.content.files import partial
from bundler.content.hashing import block_sum
from bundler.errors import AirbundleError, DiskError, NotFound, NotRegular
from bundler.model.limits import Limits

#: Holds the request until the answer is whole, and is the lock of whoever writes it.
UNFINISHED = partial(Path(ANSWER_JSON)).name


def requests_answered(directory: Path, limits: Limits) -> list[BlockRequest]:
    """Return the requests that the tables in a directory answer, or are going to; damaged ones say nothing."""
    found = []
    for name in (ANSWER_JSON, ANSWER_JSON_COPY, UNFINISHED):
        with contextlib.suppress(AirbundleError):
            raw = read_small(directory / name, limits.bundle_manifest_bytes)
            found.append(_request_of(raw, limits))
    return found


def right_blocks(
    directory: Path,
    layout: AnswerLayout,
    blocks: Iterable[BlockAt],
    sum_of: Callable[[BlockAt], str],
    *,
    unfinished: bool,
) -> set[BlockAt]:
    """Return those of some blocks that the data files hold right, as the medium itself says.

    Args:
        directory: Where they lie.
        layout: Where in them.
        blocks: That are looked at.
        sum_of: Gives the xxh3-64 of a block.
        unfinished: Whether files that have not their final names count.
    """
    files = DataFiles(directory, layout, unfinished=unfinished, around_cache=True)
    buffer = memoryview(bytearray(layout.block_bytes))
    right: set[BlockAt] = set()
    try:
        for block in blocks:
            place = layout.locate(block)
            assert place is not None, "a block that nobody asked for"
            data = buffer[: place[1]]
            with contextlib.suppress(NotFound, NotRegular, DiskError):
                if files.read(place[0], data) == len(data) and block_sum(data) == sum_of(block):
                    right.add(block)
    finally:
        files.close()
    return right


def _request_of(raw: bytes, limits: Limits) -> BlockRequest:
    try:
        return parse_request(raw, limits)
    except AirbundleError:
        table = parse_answer_table(raw, limits)
        return BlockRequest(table.bundle, table.layout.blocks)
