"""parity.json: what is written is read; what contradicts itself, or anything, is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundler.bundle.parity.making import make_parity
from bundler.bundle.parity.table import ParityTable, parse_parity_table, write_parity_table
from bundler.bundle.parity.wish import ParityWish
from bundler.bundle.reader import open_bundle
from bundler.content.hashing import sha256
from bundler.errors import LimitExceeded, MalformedDocument, UnsupportedVersion
from bundler.model.limits import Limits
from tests.builders import TwoApplications


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    directory = tmp_path_factory.mktemp("bundle")
    TwoApplications().pack(directory)
    make_parity(open_bundle(directory), ParityWish(survive_parts=2))
    return (directory / "parity.json").read_bytes()


def canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def summed(value: dict[str, Any]) -> bytes:
    """Write a table with the sum that it needs."""
    value.pop("sum", None)
    return canonical({**value, "sum": f"sha256:{sha256(canonical(value)).hex}"})


def test_it_says_what_is_there(raw: bytes) -> None:
    table = parse_parity_table(raw)
    assert isinstance(table, ParityTable)
    assert table.raw == raw
    assert json.loads(raw)["bundle_json"].encode() == table.manifest.raw
    assert table.bundle == table.manifest.id
    assert table.data.size == table.geometry.size == sum(part.size for part in table.manifest.parts)
    assert table.parity.size == table.geometry.parity_bytes
    assert len(table.files) > 1
    assert write_parity_table(table.manifest, table.geometry, table.files) == table


def test_its_sum_is_that_of_the_rest(raw: bytes) -> None:
    assert summed(json.loads(raw)) == raw


def test_keys_that_nobody_knows_are_kept(raw: bytes) -> None:
    more = summed({**json.loads(raw), "later": {"x": [1, None]}})
    assert parse_parity_table(more).geometry == parse_parity_table(raw).geometry


def test_every_flipped_byte_is_found(raw: bytes) -> None:
    for place in range(0, len(raw), 7):
        with pytest.raises((MalformedDocument, UnsupportedVersion)):
            parse_parity_table(raw[:place] + bytes([raw[place] ^ 4]) + raw[place + 1 :])
    with pytest.raises(MalformedDocument):
        parse_parity_table(raw[:-1])


Change = Callable[[dict[str, Any]], object]
CONTRADICTIONS: dict[str, Change] = {
    "another bundle": lambda t: t.update(bundle="sha256:" + "0" * 64),
    "no bundle": lambda t: t.pop("bundle"),
    "another size": lambda t: t.update(size=t["size"] + 1),
    "other blocks": lambda t: t.update(block_bytes=t["block_bytes"] * 2),
    "more stripes": lambda t: t.update(stripes=t["stripes"] + 1),
    "no stripes": lambda t: t.update(stripes=0),
    "other data slices": lambda t: t.update(k=1),
    "no data slices": lambda t: t.update(k=0),
    "negative parity": lambda t: t.update(m=-1),
    "too many slices": lambda t: t.update(k=200, m=100, stripes=1),
    "a boolean": lambda t: t.update(m=True),
    "other parity slices": lambda t: t.update(m=t["m"] + 1),
    "no files": lambda t: t.update(files=[]),
    "a file less": lambda t: t["files"].pop(),
    "a file twice": lambda t: t["files"].append(t["files"][0]),
    "a gap": lambda t: t["files"][1].update(file="parity.003"),
    "a path": lambda t: t["files"][0].update(file="../parity.001"),
    "a part": lambda t: t["files"][0].update(file="erp.oci.tar.001"),
    "files of other sizes": lambda t: (
        t["files"][0].update(size=t["files"][0]["size"] - 8),
        t["files"][1].update(size=t["files"][1]["size"] + 8),
    ),
    "an empty file": lambda t: t["files"][0].update(size=0, blocks=[]),
    "a block too many": lambda t: t["files"][0]["blocks"].append("0" * 16),
    "no sha256": lambda t: t["files"][0].update(sha256="x"),
    "no sum of a block": lambda t: t["files"][0]["blocks"].__setitem__(0, "0" * 15),
    "no bundle.json": lambda t: t.update(bundle_json="{}"),
    "another bundle.json": lambda t: t.update(
        bundle_json=t["bundle_json"].replace('"version":"0"', '"version":"1"')
    ),
    "no media type": lambda t: t.pop("mediaType"),
    "another type": lambda t: t.update(mediaType="application/json"),
}


@pytest.mark.parametrize("change", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_contradictions(raw: bytes, change: Change) -> None:
    value = json.loads(raw)
    change(value)
    assert summed(value) != raw
    with pytest.raises(MalformedDocument):
        parse_parity_table(summed(value))


def test_another_version(raw: bytes) -> None:
    value = {**json.loads(raw), "mediaType": "application/vnd.airbundle.parity.v2+json"}
    with pytest.raises(UnsupportedVersion):
        parse_parity_table(summed(value))


@pytest.mark.parametrize("other", [b"", b"[]", b"{}", b"null", b'{"sum":"sha256:' + b"0" * 64 + b'"}'])
def test_no_table(other: bytes) -> None:
    with pytest.raises(MalformedDocument):
        parse_parity_table(other)


def test_limits(raw: bytes) -> None:
    assert parse_parity_table(raw, Limits(parity_table_bytes=len(raw))).raw == raw
    with pytest.raises(LimitExceeded, match="parity_table_bytes"):
        parse_parity_table(raw, Limits(parity_table_bytes=len(raw) - 1))
    with pytest.raises(LimitExceeded, match="bundle_manifest_bytes"):
        parse_parity_table(raw, Limits(bundle_manifest_bytes=100))


def test_the_path_of_a_bundle_does_not_matter(tmp_path: Path, raw: bytes) -> None:
    TwoApplications().pack(tmp_path / "x")
    make_parity(open_bundle(tmp_path / "x"), ParityWish(survive_parts=2))
    assert (tmp_path / "x" / "parity.json").read_bytes() == raw
