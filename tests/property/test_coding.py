"""Laws of the parity code: any k blocks of a stripe give all others, in whatever way; fewer give nothing."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.coding.codec import Codec
from bundler.coding.engines import Engine
from bundler.coding.geometry import column_runs
from bundler.errors import AirbundleError, DamagedContent
from tests.unit.coding import slow
from tests.unit.coding.engines import NAMES, engine_named


class Stripe(NamedTuple):
    k: int
    m: int
    size: int
    data: list[bytes | None]
    choice: random.Random

    def given(self, index: int) -> bytes:
        """Return data block ``index`` written out."""
        return self.data[index] or bytes(self.size)


@st.composite
def stripes(draw: st.DrawFn) -> Stripe:
    k, m = draw(
        st.one_of(
            st.tuples(st.integers(1, 24), st.integers(1, 8)),
            st.sampled_from([(1, 254), (254, 1), (128, 127), (200, 55), (40, 4), (200, 20)]),
        )
    )
    size = 8 * draw(st.integers(1, 40))
    choice = random.Random(draw(st.integers(0, 2**32)))
    zeros = draw(st.integers(0, 3)) / 6
    data = [None if choice.random() < zeros else choice.randbytes(size) for _ in range(k)]
    return Stripe(k, m, size, data, choice)


def _parity(stripe: Stripe, engine: Engine) -> list[bytearray]:
    parity = [bytearray(stripe.size) for _ in range(stripe.m)]
    Codec(stripe.k, stripe.m, engine=engine).encode(stripe.data, parity)
    return parity


@pytest.fixture(params=NAMES, scope="module")
def engine(request: pytest.FixtureRequest) -> Engine:
    return engine_named(request.param)


@settings(max_examples=40)
@given(stripe=stripes(), more=st.booleans())
def test_any_k_blocks_give_all_others(engine: Engine, stripe: Stripe, more: bool) -> None:
    blocks: list[bytes | bytearray | None] = [*stripe.data, *_parity(stripe, engine)]
    total = stripe.k + stripe.m
    count = stripe.choice.randint(stripe.k, total - 1) if more else stripe.k
    present = {index: blocks[index] for index in stripe.choice.sample(range(total), count)}
    lost = [index for index in range(total) if index not in present]
    asked = stripe.choice.sample(lost, stripe.choice.randint(1, len(lost))) if more else lost
    made = {index: bytearray(b"\x55" * stripe.size) for index in asked}
    before = {index: bytes(block) for index, block in present.items() if block is not None}

    Codec(stripe.k, stripe.m, engine=engine).reconstruct(present, made)
    assert made == {index: blocks[index] or bytes(stripe.size) for index in asked}
    assert before == {index: block for index, block in present.items() if block is not None}


@settings(max_examples=40)
@given(stripe=stripes())
def test_one_block_fewer_is_refused_and_nothing_written(engine: Engine, stripe: Stripe) -> None:
    blocks: list[bytes | bytearray | None] = [*stripe.data, *_parity(stripe, engine)]
    kept = stripe.choice.sample(range(len(blocks)), stripe.k - 1)
    made = {index: bytearray(b"\x55" * stripe.size) for index in range(len(blocks)) if index not in kept}
    with pytest.raises(DamagedContent):
        Codec(stripe.k, stripe.m, engine=engine).reconstruct({index: blocks[index] for index in kept}, made)
    assert all(block == b"\x55" * stripe.size for block in made.values())


@settings(max_examples=40)
@given(stripe=stripes())
def test_parity_is_that_of_the_slow_code(engine: Engine, stripe: Stripe) -> None:
    # One byte of each sub-block, wherever it lies, is as good as the whole: columns do not know of each other.
    height = stripe.size // 8
    place = stripe.choice.randrange(height)
    rows = range(stripe.m)[: 500 // stripe.k + 1]
    expected = slow.parity([stripe.given(index)[place::height] for index in range(stripe.k)], len(rows))
    parity = _parity(stripe, engine)
    assert [bytes(parity[row][place::height]) for row in rows] == expected


@settings(max_examples=40)
@given(stripe=stripes())
def test_columns_one_after_the_other_are_the_whole(engine: Engine, stripe: Stripe) -> None:
    height = stripe.size // 8
    borders = sorted({0, height, *(stripe.choice.randint(0, height) for _ in range(3))})
    whole = _parity(stripe, engine)
    for start, end in pairwise(borders):
        runs = column_runs(stripe.size, start, end)
        cut = [b"".join(bytes(stripe.given(n))[o : o + length] for o, length in runs) for n in range(stripe.k)]
        part = stripe._replace(size=8 * (end - start), data=[*cut])
        expected = [b"".join(bytes(block[o : o + length]) for o, length in runs) for block in whole]
        assert _parity(part, engine) == expected


@settings(max_examples=40)
@given(stripe=stripes())
def test_sources_one_after_the_other_give_the_same(engine: Engine, stripe: Stripe) -> None:
    targets = range(stripe.k, stripe.k + stripe.m)
    made = {index: bytearray(b"\x55" * stripe.size) for index in targets}
    combination = Codec(stripe.k, stripe.m, engine=engine).combination(range(stripe.k), targets)
    running = combination.start(made)
    for index in stripe.choice.sample(combination.sources, stripe.k):
        running.add(index, stripe.data[index])
    running.finish()
    assert list(made.values()) == _parity(stripe, engine)


@given(
    st.integers(-3, 8) | st.integers(-(2**65), 2**65),
    st.integers(-3, 8) | st.integers(240, 260) | st.integers(-(2**65), 2**65),
    st.lists(st.integers(0, 10) | st.integers(-3, 300), max_size=12),
    st.lists(st.integers(0, 16) | st.integers(-3, 300), max_size=6),
    st.integers(0, 40),
)
def test_hostile_numbers_are_refused_or_right(
    k: int, m: int, present: list[int], missing: list[int], size: int
) -> None:
    try:
        codec = Codec(k, m)
        codec.reconstruct(dict.fromkeys(present), {index: bytearray(size) for index in missing})
    except AirbundleError:
        return
    assert 1 <= k < k + m <= 255
    assert not missing or (len(set(present)) >= k and size % 8 == 0 < size)
