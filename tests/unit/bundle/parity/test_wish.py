"""How much parity is wished for."""

from __future__ import annotations

from fractions import Fraction

import pytest

from bundler.bundle.parity.geometry import choose_geometry, survive_parts
from bundler.bundle.parity.wish import ParityWish, parse_redundancy
from bundler.errors import UsageError

MIB = 1 << 20


@pytest.mark.parametrize(
    ("text", "share"), [("10%", "1/10"), (" 12.5 % ", "1/8"), ("100%", "1"), ("0.000001%", "1/100000000")]
)
def test_share(text: str, share: str) -> None:
    assert parse_redundancy(text) == Fraction(share)


@pytest.mark.parametrize(
    "text",
    ["", "%", "10", "0.1", "0%", "0.0%", "100.1%", "-1%", "+5%", "1e1%", "nan%", "1_0%", "10%%", "\u0661\u0660%"],
)
def test_no_share(text: str) -> None:
    with pytest.raises(UsageError, match="not a share"):
        parse_redundancy(text)


def test_a_tenth_unless_something_is_wished_for() -> None:
    assert ParityWish().is_open
    assert ParityWish().geometry(10**9, MIB, 10**8) == choose_geometry(10**9, MIB, Fraction(1, 10))
    assert ParityWish(Fraction(1, 5)).geometry(10**9, MIB, 10**8) == choose_geometry(10**9, MIB, Fraction(1, 5))
    assert ParityWish(survive_parts=2).geometry(10**9, MIB, 10**8) == survive_parts(10**9, MIB, 10**8, 2)
    assert not ParityWish(survive_parts=2).is_open


@pytest.mark.parametrize(
    ("redundancy", "parts"),
    [(Fraction(0), None), (Fraction(2), None), (None, 0), (None, -1), (Fraction(1, 10), 1)],
)
def test_contradictions(redundancy: Fraction | None, parts: int | None) -> None:
    with pytest.raises(UsageError):
        ParityWish(redundancy, parts)


def test_more_parts_than_there_are() -> None:
    wish = ParityWish(survive_parts=9)
    assert wish.geometry(8 * MIB, MIB, MIB, 9).m >= 9
    with pytest.raises(UsageError, match="9 lost parts cannot be survived: the bundle has 8"):
        wish.geometry(8 * MIB, MIB, MIB, 8)


@pytest.mark.parametrize(("size", "block"), [(0, MIB), (100, MIB + 4)])
def test_no_parity(size: int, block: int) -> None:
    with pytest.raises(UsageError, match="no parity"):
        ParityWish().geometry(size, block, size)
