"""Parity read with the words of docs/format.md, section B, alone: standard library, and the slow code of §A."""

from __future__ import annotations

import json
import re
import shutil
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from bundler import ParityWish, parity
from tests.compat.golden import GOLDEN, IDS
from tests.unit.coding import slow

_PAGE = (Path(__file__).resolve().parents[2] / "docs" / "format.md").read_text()
_WISHES = (ParityWish(), ParityWish(Fraction(1, 2)), ParityWish(survive_parts=1))


def canonical(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def ceiling(a: int, b: int) -> int:
    return (a + b - 1) // b


def check_table(table: dict[str, Any], bundle_json: bytes) -> None:
    """Refuse a table for each reason that the page gives."""
    said = dict(table)
    assert said.pop("sum") == "sha256:" + sha256(canonical(said)).hexdigest()
    assert table["bundle_json"].encode() == bundle_json
    assert table["bundle"] == "sha256:" + sha256(bundle_json).hexdigest()
    manifest = json.loads(bundle_json)
    size = sum(part["size"] for archive in manifest["archives"] for part in archive["parts"])
    block = manifest["block_bytes"]
    assert (table["size"], table["block_bytes"]) == (size, block)
    assert table["stripes"] == ceiling(ceiling(size, block), table["k"])
    sizes = [row["size"] for row in table["files"]]
    assert sum(sizes) == table["m"] * table["stripes"] * block
    assert set(sizes[:-1]) <= {sizes[0]}
    assert 0 < sizes[-1] <= sizes[0]
    assert [row["file"] for row in table["files"]] == [
        f"parity.{number:03d}" for number in range(1, len(sizes) + 1)
    ]
    for row in table["files"]:
        assert len(row["blocks"]) == ceiling(row["size"], block)
    most = manifest["part_bytes"]
    assert not most or sizes[0] <= most
    assert not most or most < block or sizes[0] == min(most - most % block, sum(sizes))


def check_code(table: dict[str, Any], data: bytes, written: bytes) -> None:
    """Compare some columns of every parity block with the code of section A."""
    block, k, m, stripes = (table[key] for key in ("block_bytes", "k", "m", "stripes"))
    data = data.ljust(k * stripes * block, b"\0")
    height = block // 8
    for stripe in range(stripes):
        blocks = [data[(number * stripes + stripe) * block :][:block] for number in range(k)]
        for place in (0, 1, height // 2, height - 1):
            made = slow.parity([one[place::height] for one in blocks], m)
            for row in range(m):
                at = (row * stripes + stripe) * block
                assert written[at : at + block][place::height] == made[row]


@pytest.mark.parametrize("wish", _WISHES, ids=str)
@pytest.mark.parametrize("name", IDS)
def test_a_second_reader(tmp_path: Path, name: str, wish: ParityWish) -> None:
    directory = shutil.copytree(GOLDEN / name, tmp_path / name)
    parity(directory, wish)
    raw = (directory / "parity.json").read_bytes()
    table = json.loads(raw)
    assert canonical(table) == raw
    assert all(f"`{key}`" in _PAGE for key in table)
    check_table(table, (directory / "bundle.json").read_bytes())
    manifest = json.loads(table["bundle_json"])
    parts = [part["file"] for archive in manifest["archives"] for part in archive["parts"]]
    data = b"".join((directory / file).read_bytes() for file in parts)
    written = [(directory / row["file"]).read_bytes() for row in table["files"]]
    for row, content in zip(table["files"], written, strict=True):
        assert (len(content), sha256(content).hexdigest()) == (row["size"], row["sha256"])
    check_code(table, data, b"".join(written))


def test_parity_changes_nothing_else(tmp_path: Path) -> None:
    directory = shutil.copytree(GOLDEN / "groups", tmp_path / "bundle")
    parity(directory)
    for path in (GOLDEN / "groups").iterdir():
        assert (directory / path.name).read_bytes() == path.read_bytes()
    more = {path.name for path in directory.iterdir()} - {path.name for path in (GOLDEN / "groups").iterdir()}
    assert all(re.fullmatch(r"parity\.json|parity\.[0-9]{3}", name) for name in more)
