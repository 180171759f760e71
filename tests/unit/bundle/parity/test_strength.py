"""What parity is said to mend is true: every choice of so many lost parts leaves enough of every stripe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.bundle.manifest import Part
from bundler.bundle.parity.geometry import Geometry
from bundler.bundle.parity.joined import JoinedParts
from bundler.bundle.parity.strength import Strength, expected_strength, strength_of

MIB = 1 << 20


def parts_of(sizes: list[int]) -> JoinedParts:
    return JoinedParts(
        [Part(file=str(n), size=size, sha256="", xxh3_128="", blocks=()) for n, size in enumerate(sizes)]
    )


@st.composite
def layouts(draw: st.DrawFn) -> tuple[JoinedParts, Geometry]:
    """Draw parts and stripes; blocks of both begin together in some, and nowhere in others."""
    block = draw(st.integers(1, 20))
    sizes = draw(
        st.lists(st.integers(1, 200) | st.integers(1, 9).map(lambda n: n * block), min_size=1, max_size=8)
    )
    joined = parts_of(sizes)
    return joined, Geometry(joined.size, block, draw(st.integers(1, 30)), draw(st.integers(1, 9)))


def blocks_of(joined: JoinedParts, block: int) -> list[range]:
    """Return the bytes of each block of each part, among the joined ones."""
    return [
        range(joined.start_of(part) + start, joined.start_of(part) + min(start + block, part.size))
        for part in joined.parts
        for start in range(0, part.size, block)
    ]


def worst_stripe(geometry: Geometry, lost: Iterable[range]) -> int:
    """Return how many blocks that stripe lost which lost most."""
    bad = {place // geometry.block_bytes for run in lost for place in run}
    return max(Counter(geometry.place(number)[0] for number in bad).values(), default=0)


@given(layouts(), st.data())
def test_any_of_the_parts_may_be_lost(layout: tuple[JoinedParts, Geometry], data: st.DataObject) -> None:
    joined, geometry = layout
    sizes = [part.size for part in joined.parts]
    known, expected = strength_of(geometry, joined), expected_strength(geometry, sizes)
    # Where parts begin is not known before; then less is promised, never more.
    assert expected.lost_parts <= known.lost_parts <= len(sizes)
    lost = data.draw(st.permutations(joined.parts))[: known.lost_parts]
    starts = map(joined.start_of, lost)
    assert (
        worst_stripe(geometry, [range(a, a + part.size) for a, part in zip(starts, lost, strict=True)])
        <= geometry.m
    )


@given(layouts(), st.data())
def test_any_of_the_blocks_may_be_bad(layout: tuple[JoinedParts, Geometry], data: st.DataObject) -> None:
    joined, geometry = layout
    strength = strength_of(geometry, joined)
    assert expected_strength(geometry, [part.size for part in joined.parts]).bad_blocks <= strength.bad_blocks
    assert strength.bad_blocks <= strength.most_bad_blocks
    bad = data.draw(st.permutations(blocks_of(joined, geometry.block_bytes)))[: strength.bad_blocks]
    assert worst_stripe(geometry, bad) <= geometry.m


@given(layouts(), st.data())
def test_a_run_may_begin_anywhere(layout: tuple[JoinedParts, Geometry], data: st.DataObject) -> None:
    joined, geometry = layout
    length = min(strength_of(geometry, joined).longest_run, joined.size)
    start = data.draw(st.integers(0, joined.size - length))
    run = range(start, start + length)
    hit = [
        block
        for block in blocks_of(joined, geometry.block_bytes)
        if max(block.start, run.start) < min(block.stop, run.stop)
    ]
    assert worst_stripe(geometry, hit) <= geometry.m


def test_a_block_that_lies_in_two_costs_two_where_there_is_one_stripe() -> None:
    joined = parts_of([100, 95])
    assert strength_of(Geometry(195, 10, 20, 7), joined).bad_blocks == 7, "both parts begin with a block"
    joined = parts_of([95, 100])
    assert strength_of(Geometry(195, 10, 20, 7), joined).bad_blocks == 3
    assert strength_of(Geometry(195, 10, 10, 7), joined).bad_blocks == 7, "the two are of different stripes"
    cut = parts_of([95, 45])
    assert strength_of(Geometry(195, 10, 20, 7), parts_of([195]), cut).bad_blocks == 3, "a file of parity cuts one"


def test_a_part_that_is_too_much_is_not_promised() -> None:
    joined = parts_of([100, 100])
    assert strength_of(Geometry(200, 10, 4, 1), joined).lost_parts == 0
    assert strength_of(Geometry(200, 10, 4, 2), joined).lost_parts == 1
    assert strength_of(Geometry(200, 10, 4, 4), joined).lost_parts == 2


@pytest.mark.parametrize(
    ("strength", "words"),
    [
        (
            Strength(Geometry(612 * 40 * 4 * MIB, 4 * MIB, 40, 4), 1, 3900 * MIB),
            "any one lost part of 3.8 GiB, or any 4 bad blocks (up to 2448 that lie well)",
        ),
        (
            Strength(Geometry(16 * MIB, MIB, 16, 7), 3, MIB),
            "any 3 lost parts of 1.0 MiB, or any 3 bad blocks (up to 7 that lie well)",
        ),
        (
            Strength(Geometry(16 * MIB, MIB, 16, 3), 3, MIB, is_aligned=True),
            "any 3 lost parts of 1.0 MiB, or any 3 bad blocks",
        ),
        (
            Strength(Geometry(20 * MIB, MIB, 5, 1), 0, 16 * MIB),
            "any lost run of 1.0 MiB, no whole part, or any one bad block (up to 4 that lie well)",
        ),
        (
            Strength(Geometry(3 * MIB, MIB, 3, 2), 0, 3 * MIB),
            "no whole part, or any one bad block (up to 2 that lie well)",
        ),
        (Strength(Geometry(3 * MIB, MIB, 3, 1), 0, 3 * MIB), "no whole part, or one bad block that lies well"),
    ],
)
def test_words(strength: Strength, words: str) -> None:
    assert strength.words == words
