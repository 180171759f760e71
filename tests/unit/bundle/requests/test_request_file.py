"""The file of a request: small, without names, and whole or refused."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from bundler.bundle.requests.block_ranges import BlockRanges
from bundler.bundle.requests.request_file import BlockRequest, parse_request, read_request, write_request
from bundler.content.hashing import sha256
from bundler.errors import (
    LimitExceeded,
    MalformedDocument,
    NotFound,
    NotRegular,
    UnsupportedVersion,
    UsageError,
)
from bundler.model.json_documents import canonical_json
from bundler.model.limits import Limits
from tests.copies import make_bundle

BUNDLE = sha256(b"bundle")
REQUEST = BlockRequest(BUNDLE, BlockRanges.of([(0, 2), (0, 3), (7, 1)]))


def sealed(**changes: object) -> bytes:
    """Return the request with other fields, and a sum that is right again."""
    value: dict[str, Any] = {**json.loads(write_request(REQUEST)), **changes}
    del value["sum"]
    value["sum"] = sha256(canonical_json(value))
    return canonical_json(value)


def test_it_is_what_the_format_says() -> None:
    assert json.loads(write_request(REQUEST)) == {
        "mediaType": "application/vnd.airbundle.request.v1+json",
        "bundle": BUNDLE,
        "parts": [{"part": 0, "blocks": [[2, 2]]}, {"part": 7, "blocks": [[1, 1]]}],
        "sum": sha256(
            b'{"bundle":"%b","mediaType":"application/vnd.airbundle.request.v1+json",'
            b'"parts":[{"blocks":[[2,2]],"part":0},{"blocks":[[1,1]],"part":7}]}' % BUNDLE.encode()
        ),
    }
    assert parse_request(write_request(REQUEST)) == REQUEST


def test_a_hundred_bad_blocks_are_less_than_10_kb() -> None:
    chance = random.Random("blocks")
    blocks = BlockRanges.of((chance.randrange(2000), chance.randrange(1000)) for _ in range(100))
    assert len(write_request(BlockRequest(BUNDLE, blocks))) < 10_000


def test_a_lost_part_is_one_range() -> None:
    blocks = BlockRanges.of((3, number) for number in range(100_000))
    assert len(write_request(BlockRequest(BUNDLE, blocks))) < 400


def test_it_holds_no_names(tmp_path: Path) -> None:
    manifest = make_bundle(tmp_path, name="secret-plant")
    raw = write_request(BlockRequest(manifest.id, BlockRanges.of([(0, 0), (2, 1)]))).decode()
    assert set(json.loads(raw)) == {"mediaType", "bundle", "parts", "sum"}
    for name in ("secret-plant", "shop", "web", "docker.io", ".oci.tar"):
        assert name not in raw


def test_white_space_and_the_order_of_keys_may_change() -> None:
    value = json.loads(write_request(REQUEST))
    assert parse_request(json.dumps(dict(reversed(value.items())), indent=4).encode() + b"\r\n") == REQUEST


def test_unknown_keys_are_passed_over() -> None:
    assert parse_request(sealed(note="x")) == REQUEST


def test_every_flipped_byte_is_noticed() -> None:
    raw = write_request(REQUEST)
    for place in range(len(raw)):
        for mask in (0x01, 0x20):
            changed = bytearray(raw)
            changed[place] ^= mask
            with pytest.raises((MalformedDocument, UnsupportedVersion)):
                parse_request(bytes(changed))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"mediaType": "application/vnd.airbundle.request.v2+json"}, UnsupportedVersion),
        ({"mediaType": "application/vnd.airbundle.answer.v1+json"}, MalformedDocument),
        ({"mediaType": 7}, MalformedDocument),
        ({"bundle": "sha256:00"}, MalformedDocument),
        ({"parts": []}, MalformedDocument),
        ({"parts": [{"part": 0}]}, MalformedDocument),
        ({"parts": [{"part": 0, "blocks": [[0, 0]]}]}, MalformedDocument),
        ({"parts": [{"part": 0, "blocks": [[0, 1, 2]]}]}, MalformedDocument),
        ({"parts": [{"part": 0, "blocks": [[0.5, 1]]}]}, MalformedDocument),
        ({"parts": [{"part": True, "blocks": [[0, 1]]}]}, MalformedDocument),
    ],
    ids=str,
)
def test_right_sums_do_not_help_what_is_wrong(changes: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_request(sealed(**changes))


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"7", b"\xff", b'{"sum":"x"}'], ids=repr)
def test_other_files_are_refused(raw: bytes) -> None:
    with pytest.raises(MalformedDocument):
        parse_request(raw)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    with pytest.raises(NotFound):
        read_request(path)
    path.write_bytes(write_request(REQUEST))
    assert read_request(path) == REQUEST
    with pytest.raises(LimitExceeded, match="bundle_manifest_bytes is 50"):
        read_request(path, Limits(bundle_manifest_bytes=50))
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(NotRegular):
        read_request(tmp_path / "link")


def test_only_for_the_bundle_that_it_names(tmp_path: Path) -> None:
    manifest = make_bundle(tmp_path)
    BlockRequest(manifest.id, BlockRanges.of([(0, 0)])).check_against(manifest)
    with pytest.raises(UsageError, match=f"is for the bundle {BUNDLE}, this one is {manifest.id}"):
        BlockRequest(BUNDLE, BlockRanges.of([(0, 0)])).check_against(manifest)
    with pytest.raises(UsageError, match="block 9 of part 0"):
        BlockRequest(manifest.id, BlockRanges.of([(0, 9)])).check_against(manifest)
