"""From coefficients to XORs: what is done with the eight sub-blocks of one source to add it to all targets."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from bundler.coding.field import multiply
from bundler.coding.geometry import SUB_BLOCKS

_HALF = 0x0F


class Steps(NamedTuple):
    """Adds a source to all targets. Registers 1 to 8 hold the sub-blocks of the source, register 0 nothing.

    Attributes:
        sums: Registers 9, 10, …: each the XOR of two registers with smaller numbers.
        low: The register that is added to each sub-block of each target, one target after the other; 0: none.
        high: Another register to add to it, likewise.
    """

    sums: tuple[tuple[int, int], ...]
    low: bytes
    high: bytes


@lru_cache(maxsize=256)
def bit_rows(factor: int) -> bytes:
    """Return the bit matrix of a coefficient: sub-block r of a product takes sub-block c if byte r has bit c."""
    products = [multiply(factor, 1 << bit) for bit in range(SUB_BLOCKS)]
    return bytes(
        sum((product >> row & 1) << bit for bit, product in enumerate(products)) for row in range(SUB_BLOCKS)
    )


def steps(factors: bytes) -> Steps:
    """Return how a source is added to targets whose coefficients these are.

    A row of a bit matrix has four bits in each half on average. Each half has but 15 sums, which all targets share
    (the "method of four Russians"): two XORs for each row instead of four, and 22 at most for the sums.
    """
    rows = b"".join(bit_rows(factor) for factor in factors)
    registers = {0: 0} | {1 << bit: bit + 1 for bit in range(SUB_BLOCKS)}
    sums: list[tuple[int, int]] = []

    def register(bits: int) -> int:
        if bits not in registers:
            lowest = bits & -bits
            sums.append((register(bits ^ lowest), registers[lowest]))
            registers[bits] = SUB_BLOCKS + len(sums)
        return registers[bits]

    low = bytes(register(row & _HALF) for row in rows)
    high = bytes(register(row & ~_HALF) for row in rows)
    return Steps(tuple(sums), low, high)
