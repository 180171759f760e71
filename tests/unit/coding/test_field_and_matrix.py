from __future__ import annotations

import random

import pytest

from bundler.coding.codec import Codec
from bundler.coding.field import added, divide, multiply, scaled
from bundler.coding.matrix import coefficient, coefficients, parity_row
from bundler.coding.steps import bit_rows, steps
from tests.unit.coding import slow


def test_products_and_quotients_of_all_elements() -> None:
    for a in range(256):
        products = [slow.product(a, b) for b in range(256)]
        assert [multiply(a, b) for b in range(256)] == products
        assert scaled(bytes(range(256)), a) == bytes(products)
        assert all(divide(product, b) == a for b, product in enumerate(products) if b)


def test_rows_are_added_byte_by_byte() -> None:
    assert added(b"\x00\x0f\xff", b"\x01\xf0\xff") == b"\x01\xff\x00"


@pytest.mark.parametrize(("k", "m"), [(1, 1), (1, 254), (254, 1), (128, 127), (200, 20)])
def test_the_matrix_is_that_of_the_three_steps(k: int, m: int) -> None:
    assert [list(parity_row(i, k)) for i in range(m)] == slow.matrix(k, m)


def test_an_element_is_never_zero() -> None:
    # k + m = 255 with any split: row i and column j with i + j < 254.
    assert all(coefficient(i, j) for i in range(254) for j in range(254 - i))


def test_bit_matrices_multiply_every_element() -> None:
    for factor in range(256):
        rows = bit_rows(factor)
        for symbol in range(256):
            bits = [(row & symbol).bit_count() & 1 for row in rows]
            assert sum(bit << r for r, bit in enumerate(bits)) == slow.product(factor, symbol)


@pytest.mark.parametrize("factors", [b"\x01", b"\x00\x01", bytes(range(256)), b"\xe7\xfd", b"\xff" * 254])
def test_steps_do_what_the_bit_matrices_say(factors: bytes) -> None:
    made = steps(factors)
    held = [0, *(1 << bit for bit in range(8))]
    for one, other in made.sums:
        held.append(held[one] ^ held[other])
    rows = [held[low] ^ held[high] for low, high in zip(made.low, made.high, strict=True)]
    assert bytes(rows) == b"".join(bit_rows(factor) for factor in factors)
    assert len(made.sums) <= 22


def test_a_plain_xor_needs_no_sums() -> None:
    assert steps(b"\x01").sums == ()


def test_parity_block_0_serves_before_all_others() -> None:
    codec = Codec(4, 3)
    assert codec.combination({0, 1, 3, 4, 5, 6}, [2]).sources == (0, 1, 3, 4)
    assert codec.combination({0, 1, 2, 3, 6}, [5]).sources == (0, 1, 2, 3)
    assert codec.combination({6, 5, 3, 1}, [0]).sources == (1, 3, 5, 6)
    # One lost block and parity block 0: its coefficients are all ones.
    assert coefficients(4, (0, 1, 3, 4), [2]) == [b"\x01\x01\x01\x01"]


@pytest.mark.parametrize(("k", "m"), [(5, 2), (20, 3), (100, 155), (128, 127)])
def test_coefficients_solve_the_equations(k: int, m: int) -> None:
    choice = random.Random(f"{k}+{m}")
    symbols = [choice.randrange(256) for _ in range(k)]
    for equation in slow.matrix(k, m):
        value = 0
        for factor, symbol in zip(equation, symbols[:k], strict=True):
            value ^= slow.product(factor, symbol)
        symbols.append(value)
    for _ in range(3):
        sources = sorted(choice.sample(range(k + m), k))
        targets = [index for index in range(k + m) if index not in sources]
        for target, row in zip(targets, coefficients(k, sources, targets), strict=True):
            value = 0
            for factor, source in zip(row, sources, strict=True):
                value ^= slow.product(factor, symbols[source])
            assert value == symbols[target]
            # Any k blocks are independent, so none of them is ever superfluous.
            assert all(row)
