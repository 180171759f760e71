"""answer.json: what is written is read again, and what contradicts itself is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.requests.answers.layout import AnswerLayout
from bundler.bundle.requests.answers.table import parse_answer_table, write_answer_table
from bundler.bundle.requests.block_ranges import BlockRanges
from bundler.content.hashing import sha256
from bundler.errors import MalformedDocument, UnsupportedVersion, UsageError
from bundler.model.json_documents import canonical_json
from tests.copies import BLOCK, PART_BYTES, make_bundle

BLOCKS = BlockRanges.of([(0, 1), (0, 2), (2, 1)])


@pytest.fixture
def manifest(tmp_path: Path) -> BundleManifest:
    return make_bundle(tmp_path / "bundle")


@pytest.fixture
def raw(manifest: BundleManifest) -> bytes:
    return write_answer_table(manifest, AnswerLayout.of(BLOCKS, manifest), BlockRanges.of([(0, 2)]))


def changed(raw: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(raw)
    del value["sum"]
    change(value)
    value["sum"] = sha256(canonical_json(value))
    return canonical_json(value)


def test_it_is_what_the_format_says(raw: bytes, manifest: BundleManifest) -> None:
    parts = manifest.parts
    value = json.loads(raw)
    assert value.pop("sum") == sha256(canonical_json(value))
    assert value == {
        "mediaType": "application/vnd.airbundle.answer.v1+json",
        "bundle": manifest.id,
        "block_bytes": BLOCK,
        "parts": [
            {"part": 0, "size": PART_BYTES, "blocks": [[1, 2]], "sums": list(parts[0].blocks[1:3])},
            {"part": 2, "size": BLOCK + 1000, "blocks": [[1, 1]], "sums": [parts[2].blocks[1]]},
        ],
        "missing": [{"part": 0, "blocks": [[2, 1]]}],
        "files": [{"file": "answer.001", "size": 2 * BLOCK + 1000}],
    }


def test_it_is_read_again(raw: bytes, manifest: BundleManifest) -> None:
    table = parse_answer_table(raw)
    table.check_against(manifest)
    assert table.layout.blocks == BLOCKS
    assert list(table.held) == [(0, 1), (2, 1)]
    assert table.sums[2, 1] == manifest.parts[2].blocks[1]
    complete = write_answer_table(manifest, table.layout, BlockRanges())
    assert "missing" not in json.loads(complete)
    assert not parse_answer_table(complete).missing


def test_files_are_cut_as_parts_are(manifest: BundleManifest) -> None:
    every = BlockRanges.of(
        (index, n) for index, part in enumerate(manifest.parts) for n in range(len(part.blocks))
    )
    value = json.loads(write_answer_table(manifest, AnswerLayout.of(every, manifest), BlockRanges()))
    assert [row["size"] for row in value["files"]] == [PART_BYTES, PART_BYTES, BLOCK + 1000]


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(block_bytes=0),
        lambda value: value.update(block_bytes=1 << 40),
        lambda value: value.update(parts=[], files=[]),
        lambda value: value["parts"][0].update(size=BLOCK),
        lambda value: value["parts"][0].update(size=0),
        lambda value: value["parts"][0].update(size=-5),
        lambda value: value["parts"][0].update(blocks=[]),
        lambda value: value["parts"][0].update(blocks=[[1, 1 << 52]]),
        lambda value: value["parts"][0]["sums"].pop(),
        lambda value: value["parts"][0]["sums"].append("0" * 16),
        lambda value: value["parts"][0].update(sums=["x" * 16, "0" * 16]),
        lambda value: value["parts"].reverse(),
        lambda value: value.update(missing=[{"part": 1, "blocks": [[0, 1]]}]),
        lambda value: value.update(missing=[{"part": 0, "blocks": [[0, 1 << 50]]}]),
        lambda value: value["files"][0].update(file="../answer.001"),
        lambda value: value["files"][0].update(file="answer.002"),
        lambda value: value["files"][0].update(size=1),
        lambda value: value["files"].append({"file": "answer.002", "size": 0}),
        lambda value: value.update(files=[]),
    ],
)
def test_contradictions_are_refused(raw: bytes, change: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(MalformedDocument):
        parse_answer_table(changed(raw, change))


def test_another_version(raw: bytes) -> None:
    media_type = "application/vnd.airbundle.answer.v2+json"
    with pytest.raises(UnsupportedVersion):
        parse_answer_table(changed(raw, lambda value: value.update(mediaType=media_type)))


def test_a_wrong_sum(raw: bytes) -> None:
    with pytest.raises(MalformedDocument, match="its sum is wrong"):
        parse_answer_table(raw.replace(b'"part":2', b'"part":3'))


def test_only_for_its_own_bundle(raw: bytes, manifest: BundleManifest, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other", name="other")
    with pytest.raises(UsageError, match=f"is for the bundle {manifest.id}, this one is {other.id}"):
        parse_answer_table(raw).check_against(other)


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(block_bytes=BLOCK * 2, parts=[value["parts"][1]], files=value["files"]),
        lambda value: value["parts"][1].update(part=7),
        lambda value: value["parts"][0].update(size=PART_BYTES - 1),
        lambda value: value["parts"][0]["sums"].reverse(),
    ],
)
def test_what_contradicts_its_bundle(
    raw: bytes, manifest: BundleManifest, change: Callable[[dict[str, Any]], object]
) -> None:
    def apply(value: dict[str, Any]) -> None:
        del value["missing"]
        change(value)

    try:
        table = parse_answer_table(changed(raw, apply))
    except MalformedDocument:
        return
    with pytest.raises(MalformedDocument):
        table.check_against(manifest)
