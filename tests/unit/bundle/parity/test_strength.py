"""What parity is said to mend is true: every choice of so many lost parts leaves enough of every stripe."""

from __future__ import annotations

from collections import Counter

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


@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=8),
    st.integers(1, 20),
    st.integers(1, 30),
    st.integers(1, 9),
    st.data(),
)
def test_any_of_them_may_be_lost(sizes: list[int], block: int, k: int, m: int, data: st.DataObject) -> None:
    joined = parts_of(sizes)
    geometry = Geometry(joined.size, block, k, m)
    known, expected = strength_of(geometry, joined), expected_strength(geometry, sizes)
    # Where parts begin is not known before; then less is promised, never more.
    assert expected.lost_parts <= known.lost_parts <= len(sizes)
    lost = data.draw(st.permutations(joined.parts))[: known.lost_parts]
    bad = {
        number
        for part in lost
        for number in range(joined.start_of(part) // block, (joined.start_of(part) + part.size - 1) // block + 1)
    }
    assert max(Counter(geometry.place(number)[0] for number in bad).values(), default=0) <= m


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
            "any one lost part of 3.8 GiB, or 4 bad blocks in each of 612 stripes",
        ),
        (
            Strength(Geometry(16 * MIB, MIB, 16, 3), 3, MIB),
            "any 3 lost parts of 1.0 MiB, or 3 bad blocks in its one stripe",
        ),
        (
            Strength(Geometry(20 * MIB, MIB, 10, 1), 0, 16 * MIB),
            "any lost run of 1.0 MiB, no whole part, or 1 bad block in each of 2 stripes",
        ),
    ],
)
def test_words(strength: Strength, words: str) -> None:
    assert strength.words == words
