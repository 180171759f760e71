"""The parity code as docs/format.md describes it, symbol by symbol: slow, and shares nothing with the product."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache


def product(a: int, b: int) -> int:
    """Multiply by shifting: add ``a`` times each power of two that is in ``b``."""
    result = 0
    while b:
        if b & 1:
            result ^= a
        a <<= 1
        if a & 0x100:
            a ^= 0x11D
        b >>= 1
    return result


@cache
def inverse(a: int) -> int:
    """Find the only element that makes 1 of ``a``."""
    (result,) = [candidate for candidate in range(256) if product(candidate, a) == 1]
    return result


def quotient(a: int, b: int) -> int:
    return product(a, inverse(b))


def matrix(k: int, m: int) -> list[list[int]]:
    """Make the matrix in the three steps of the page."""
    rows = [[quotient(1, (255 - i) ^ j) for j in range(k)] for i in range(m)]
    top = list(rows[0])
    rows = [[quotient(element, top[j]) for j, element in enumerate(row)] for row in rows]
    return [rows[0], *([quotient(element, row[0]) for element in row] for row in rows[1:])]


def symbols(block: bytes) -> list[int]:
    """Take a block apart: symbol 8 * t + u has as its bit b the bit u of byte t of sub-block b."""
    height = len(block) // 8
    return [sum((block[b * height + t] >> u & 1) << b for b in range(8)) for t in range(height) for u in range(8)]


def block_of(values: Sequence[int]) -> bytes:
    """Put symbols together again."""
    height = len(values) // 8
    block = bytearray(len(values))
    for place, value in enumerate(values):
        t, u = divmod(place, 8)
        for b in range(8):
            block[b * height + t] |= (value >> b & 1) << u
    return bytes(block)


def parity(data: Sequence[bytes], m: int) -> list[bytes]:
    taken = [symbols(block) for block in data]
    blocks = []
    for row in matrix(len(data), m):
        values = [0] * len(taken[0])
        for factor, column in zip(row, taken, strict=True):
            values = [value ^ product(factor, symbol) for value, symbol in zip(values, column, strict=True)]
        blocks.append(block_of(values))
    return blocks


def data_block(j: int, size: int) -> bytes:
    """Make block j of the page's larger vectors: the digests of ``j:0``, ``j:1``, … joined and cut."""
    digests = (hashlib.sha256(f"{j}:{n}".encode()).digest() for n in range(size // 32 + 1))
    return b"".join(digests)[:size]
