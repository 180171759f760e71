"""What §A of docs/format.md says, the slow code in these tests computes, and every engine gives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bundler.coding.codec import Codec
from bundler.coding.engines import Engine
from bundler.coding.field import multiply
from bundler.coding.matrix import coefficient, parity_row
from bundler.coding.steps import bit_rows
from bundler.content.hashing import sha256
from tests.unit.coding import slow

_PAGE = (Path(__file__).resolve().parents[3] / "docs" / "format.md").read_text(encoding="utf-8")
_SECTION = _PAGE[_PAGE.index("## A. Parity code") :]
_LARGE = re.findall(r"^\| (\d+), (\d+) \| (\d+) \| `([0-9a-f]{64})` \|$", _SECTION, re.MULTILINE)


def _encode(engine: Engine, data: list[bytes], m: int) -> list[bytes]:
    parity = [bytearray(len(data[0])) for _ in range(m)]
    Codec(len(data), m, engine=engine).encode(data, parity)
    return [bytes(block) for block in parity]


def _blocks(kind: str) -> list[bytes]:
    rows = re.findall(rf"^\| {kind} \d \| `([0-9a-f ]+)` \|$", _SECTION, re.MULTILINE)
    return [bytes.fromhex(row) for row in rows]


def test_products() -> None:
    rows = re.findall(r"^\| `(..)` \| `(..)` \| `(..)` \|$", _SECTION, re.MULTILINE)
    assert len(rows) == 4
    for a, b, product in rows:
        assert int(product, 16) == slow.product(int(a, 16), int(b, 16)) == multiply(int(a, 16), int(b, 16))


def test_the_matrix() -> None:
    rows = re.findall(r"^\| \d \| `((?:[0-9a-f]{2} ?){8})` \|$", _SECTION, re.MULTILINE)
    assert len(rows) == 5
    for i, (row, expected) in enumerate(zip(rows, slow.matrix(8, 5), strict=True)):
        assert bytes.fromhex(row) == bytes(expected) == parity_row(i, 8)


def test_single_elements() -> None:
    elements = re.findall(r"c\[(\d+)\]\[(\d+)\] = `(..)`", _SECTION)
    assert len(elements) == 2
    rows = slow.matrix(200, 20)
    for i, j, element in elements:
        assert int(element, 16) == rows[int(i)][int(j)] == coefficient(int(i), int(j))


def test_a_bit_matrix() -> None:
    (found,) = re.findall(r"For a = `(..)`.*?`([0-9a-f ]{23})`", _SECTION, re.DOTALL)
    assert bit_rows(int(found[0], 16)) == bytes.fromhex(found[1])


def test_the_small_vector(engine: Engine) -> None:
    data, parity = _blocks("data"), _blocks("parity")
    assert (len(data), len(parity)) == (3, 2)
    assert parity == slow.parity(data, 2) == _encode(engine, data, 2)


def test_there_are_larger_vectors() -> None:
    assert [(int(k), int(m)) for k, m, _, _ in _LARGE] == [(5, 2), (20, 3), (40, 4), (200, 20)]
    assert slow.data_block(4, 4096).hex().startswith(re.findall(r"begin with `([0-9a-f]{16})`", _SECTION)[0])


@pytest.mark.parametrize(("k", "m", "size", "digest"), _LARGE)
def test_larger_vectors(k: str, m: str, size: str, digest: str) -> None:
    data = [slow.data_block(j, int(size)) for j in range(int(k))]
    assert sha256(b"".join(slow.parity(data, int(m)))).hex == digest


@pytest.mark.parametrize(("k", "m", "size", "digest"), _LARGE)
def test_larger_vectors_by_engines(k: str, m: str, size: str, digest: str, engine: Engine) -> None:
    data = [slow.data_block(j, int(size)) for j in range(int(k))]
    assert sha256(b"".join(_encode(engine, data, int(m)))).hex == digest
