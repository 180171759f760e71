"""The field GF(2^8): bytes that are added by XOR and multiplied modulo a polynomial (docs/format.md, §A)."""

from __future__ import annotations

from functools import lru_cache

#: x^8 + x^4 + x^3 + x^2 + 1. Powers of 2 run through all elements but 0, so that tables of logarithms serve.
POLYNOMIAL = 0x11D


def _powers_of_two() -> list[int]:
    powers, element = [], 1
    for _ in range(255):
        powers.append(element)
        element <<= 1
        if element > 255:
            element ^= POLYNOMIAL
    return powers


_POWERS = _powers_of_two()
_LOGARITHMS = {element: exponent for exponent, element in enumerate(_POWERS)}


def multiply(a: int, b: int) -> int:
    """Return the product of two elements, both 0 to 255."""
    if a == 0 or b == 0:
        return 0
    return _POWERS[(_LOGARITHMS[a] + _LOGARITHMS[b]) % 255]


def divide(a: int, b: int) -> int:
    """Return ``a`` through ``b``, both 0 to 255, ``b`` not 0."""
    if a == 0:
        return 0
    return _POWERS[(_LOGARITHMS[a] - _LOGARITHMS[b]) % 255]


@lru_cache(maxsize=256)
def _products(factor: int) -> bytes:
    return bytes(multiply(factor, element) for element in range(256))


def scaled(row: bytes, factor: int) -> bytes:
    """Return a row of elements, each times ``factor``."""
    return row.translate(_products(factor))


def added(a: bytes, b: bytes) -> bytes:
    """Return the sum of two rows of one length; it is also their difference."""
    return (int.from_bytes(a, "little") ^ int.from_bytes(b, "little")).to_bytes(len(a), "little")
