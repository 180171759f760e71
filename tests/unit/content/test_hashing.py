"""Sums, against published values and against another way to cut the same bytes."""

from __future__ import annotations

import pytest

from bundler.content.chain_ids import chain_ids
from bundler.content.hashing import PartSums, Sha256, block_sum, sha256
from bundler.model.digest import Digest

DATA = bytes(range(251)) * 40
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_sha256_of_the_standard() -> None:
    assert sha256(b"abc") == Digest.from_hex(ABC)  # FIPS 180-4, example 1
    running = Sha256()
    for byte in b"abc":
        running.update(bytes([byte]))
    assert running.digest == Digest.from_hex(ABC)


def test_xxh3_of_the_reference_implementation() -> None:
    assert block_sum(b"") == "2d06800538d394c2"


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 2000, len(DATA)])
@pytest.mark.parametrize("step", [1, 13, 1000, 1 << 20])
def test_sums_of_a_part(size: int, step: int) -> None:
    data, sums = memoryview(DATA)[:size], PartSums(1000)
    for start in range(0, size, step):
        sums.update(data[start : start + step])
    assert sums.size == size
    assert Digest.from_hex(sums.sha256) == sha256(data)
    assert len(sums.xxh3_128) == 32
    blocks = [block_sum(data[start : start + 1000]) for start in range(0, size, 1000)]
    assert list(sums.blocks) == blocks


def test_chain_ids() -> None:
    one, two, three = (Digest.from_hex(f"{number:064x}") for number in (1, 2, 3))
    assert chain_ids([]) == ()
    assert chain_ids([one]) == (one,)
    first, second, third = chain_ids([one, two, three])
    assert (first, second) == (one, sha256(f"{one} {two}".encode()))
    assert third == sha256(f"{second} {three}".encode())
    assert chain_ids([two, one])[1] != second
