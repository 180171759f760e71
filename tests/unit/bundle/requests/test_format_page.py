"""What docs/format.md says of requests and answers is what is written."""

from __future__ import annotations

import json
import re
from pathlib import Path

from bundler.bundle.requests.answers.layout import AnswerLayout
from bundler.bundle.requests.answers.table import write_answer_table
from bundler.bundle.requests.block_ranges import BlockRanges
from bundler.bundle.requests.qr_code import TOO_LARGE
from bundler.bundle.requests.request_file import BlockRequest, parse_request, write_request
from bundler.model.digest import Digest
from bundler.model.media_types import BLOCK_ANSWER, BLOCK_REQUEST
from bundler.packing.planning.options import PRESETS
from tests.copies import make_bundle

_PAGE = (Path(__file__).resolve().parents[4] / "docs" / "format.md").read_text()
_SECTION = _PAGE[_PAGE.index("Requests and answers\n") :]


def test_the_request_on_the_page() -> None:
    (raw,) = re.findall(r"^    (\{\"bundle\".*)$", _SECTION, re.MULTILINE)
    request = BlockRequest(Digest.from_hex("0" * 64), BlockRanges.of([(0, 2), (0, 3), (7, 1)]))
    assert write_request(request).decode() == raw
    assert parse_request(raw.encode()) == request
    assert f"in {len(raw)} bytes:" in _SECTION


def _keys() -> set[str]:
    rows = re.findall(r"^\| (`.*?`) \|", _SECTION, re.MULTILINE)
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def test_all_keys_are_on_the_page(tmp_path: Path) -> None:
    manifest = make_bundle(tmp_path)
    blocks = BlockRanges.of([(0, 0), (0, 1)])
    answer = json.loads(write_answer_table(manifest, AnswerLayout.of(blocks, manifest), BlockRanges.of([(0, 1)])))
    request = json.loads(write_request(BlockRequest(manifest.id, blocks)))
    assert {*answer, *request} <= _keys()
    assert f"`{BLOCK_REQUEST}`" in _SECTION
    assert f"`{BLOCK_ANSWER}`" in _SECTION
    for key in ("size", "sums"):
        assert f"`{key}`" in _SECTION


def test_numbers() -> None:
    assert f"less than {TOO_LARGE} bytes" in _SECTION
    assert f"at\n{PRESETS['fat32']} bytes" in _SECTION
