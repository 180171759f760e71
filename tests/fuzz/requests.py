"""Targets: requests and answers, which people carry through gates."""

from __future__ import annotations

from collections.abc import Iterator

from bundler.bundle.manifest import parse_bundle_manifest
from bundler.bundle.requests.answers.layout import AnswerLayout
from bundler.bundle.requests.answers.table import AnswerTable, parse_answer_table, write_answer_table
from bundler.bundle.requests.block_ranges import BlockRanges
from bundler.bundle.requests.request_file import BlockRequest, parse_request, write_request
from bundler.content.hashing import sha256
from bundler.errors import MalformedDocument, UnsupportedVersion, UsageError
from bundler.model.json_documents import canonical_json, parse_json
from tests.fuzz.target import LIMITS, SAMPLES, Target, attempt

_BUNDLE = parse_bundle_manifest((SAMPLES / "bundles" / "v1" / "one-application" / "bundle.json").read_bytes())
#: What a parser may make of input that it takes; it says how many blocks are named without counting them out.
_MOST_BLOCKS = 10_000


def _forms(data: bytes) -> Iterator[bytes]:
    """Yield the document as it is, and with the sum that it would need, behind which most checks lie."""
    yield data
    try:
        value = parse_json(data, "it", limit=1 << 20, limits=LIMITS)
    except MalformedDocument:
        return
    if isinstance(value, dict):
        value.pop("sum", None)
        yield canonical_json({**value, "sum": sha256(canonical_json(value))})


def _request(data: bytes) -> None:
    for raw in _forms(data):
        found = attempt(lambda raw=raw: parse_request(raw, LIMITS), MalformedDocument, UnsupportedVersion)  # type: ignore[misc]
        if isinstance(found, BlockRequest):
            assert found.blocks.count > 0
            assert parse_request(write_request(found), LIMITS) == found
            if found.blocks.count < _MOST_BLOCKS:
                assert BlockRanges.of(found.blocks) == found.blocks
            attempt(lambda found=found: found.check_against(_BUNDLE), UsageError)  # type: ignore[misc]


def _answer(data: bytes) -> None:
    for raw in _forms(data):
        found = attempt(lambda raw=raw: parse_answer_table(raw, LIMITS), MalformedDocument, UnsupportedVersion)  # type: ignore[misc]
        if isinstance(found, AnswerTable):
            _check_layout(found.layout)
            assert set(found.held) | set(found.missing) == set(found.sums)
            attempt(lambda found=found: found.check_against(_BUNDLE), MalformedDocument, UsageError)  # type: ignore[misc]


def _check_layout(layout: AnswerLayout) -> None:
    """Every block has a place of its own within the files, and they are in the answer's own directory."""
    position = 0
    for block in layout.blocks:
        place = layout.locate(block)
        assert place is not None
        assert place[0] == position
        assert 0 < place[1] <= layout.block_bytes
        for piece in layout.pieces(*place):
            assert piece.offset + piece.length <= layout.file_sizes[piece.file]
        position += place[1]
    assert position == layout.size
    assert all(file.removeprefix("answer.").isdecimal() for file in layout.files)


def _answer_seeds() -> Iterator[bytes]:
    for blocks, missing in (([(0, 0)], []), ([(0, 0), (0, 1)], [(0, 1)])):
        ranges = BlockRanges.of(block for block in blocks if block[1] < len(_BUNDLE.parts[0].blocks))
        yield write_answer_table(_BUNDLE, AnswerLayout.of(ranges, _BUNDLE), BlockRanges.of(missing))


TARGETS = (
    Target(
        "request",
        _request,
        tuple(
            write_request(BlockRequest(_BUNDLE.id, BlockRanges.of(blocks)))
            for blocks in ([(0, 0)], [(0, 1), (0, 2), (3, 7), (900, 12)])
        ),
    ),
    Target("answer-json", _answer, tuple(_answer_seeds())),
)
