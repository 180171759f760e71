"""Slices and stripes: every block has one place, and what is promised can be lost."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bundler.bundle.manifest import Part
from bundler.bundle.parity.geometry import MOST_BLOCKS, Geometry, choose_geometry, survive_parts
from bundler.bundle.parity.joined import JoinedParts
from bundler.errors import UsageError

MIB = 1 << 20
SIZES = st.integers(1, 1 << 44)
BLOCKS = st.sampled_from([64 << 10, MIB, 4 * MIB])


@given(st.integers(1, 5000), st.integers(1, 64), st.integers(1, 40), st.integers(1, 10))
def test_every_block_has_one_place(size: int, block: int, k: int, m: int) -> None:
    geometry = Geometry(size, block, k, m)
    places = [geometry.place(number) for number in range(geometry.blocks)]
    assert len(set(places)) == geometry.blocks
    assert all(
        geometry.block(stripe, slice_number) == number for number, (stripe, slice_number) in enumerate(places)
    )
    held = [geometry.block(stripe, one) for stripe in range(geometry.stripes) for one in range(k)]
    assert sorted(number for number in held if number is not None) == list(range(geometry.blocks))
    offsets = [geometry.parity_offset(stripe, row) for row in range(m) for stripe in range(geometry.stripes)]
    assert offsets == list(range(0, geometry.parity_bytes, block))


@given(SIZES, BLOCKS, st.fractions(Fraction(1, 100), 1))
@example(4_400_000, 64 << 10, Fraction(3, 10))
@example(4_400_000, 64 << 10, Fraction(1, 2))
@example(512 * MIB, 4 * MIB, Fraction(1, 10))
def test_the_redundancy_is_what_was_asked_for_and_less_than_a_slice_more(
    size: int, block: int, redundancy: Fraction
) -> None:
    geometry = choose_geometry(size, block, redundancy)
    assert geometry.k + geometry.m <= MOST_BLOCKS
    assert geometry.block(0, geometry.k - 1) is not None, "no slice is all padding"
    assert geometry.parity_bytes >= size * redundancy
    # One block of a part may lie in two blocks of the only stripe: less than two parity blocks may mend nothing.
    is_the_least = geometry.stripes == 1 and geometry.m == 2
    if not is_the_least:
        assert geometry.parity_bytes < size * redundancy + geometry.stripes * block


@given(SIZES, BLOCKS, st.fractions(Fraction(1, 10**6), 1))
def test_a_block_that_lies_in_two_is_mended_always(size: int, block: int, redundancy: Fraction) -> None:
    geometry = choose_geometry(size, block, redundancy)
    assert geometry.stripes > 1 or geometry.m > 1 or geometry.blocks == 1


@pytest.mark.parametrize(
    ("size", "block", "redundancy", "k", "m"),
    [
        (1 << 30, 4 * MIB, "1/10", 37, 4),
        (41_000_000, 64 << 10, "1/5", 79, 16),
        (1, 4 * MIB, "1/10", 1, 1),
        (100 << 30, 4 * MIB, "1/100", 200, 2),
        (100 << 30, 4 * MIB, "1/10", 40, 4),
        # With the 16 rows that small bundles have these were 47 % and 71 %.
        (4_400_000, 64 << 10, "3/10", 68, 21),
        (4_400_000, 64 << 10, "1/2", 34, 17),
        (9 * MIB, 4 * MIB, "1/10", 3, 2),
    ],
)
def test_known_ones(size: int, block: int, redundancy: str, k: int, m: int) -> None:
    geometry = choose_geometry(size, block, Fraction(redundancy))
    assert (geometry.k, geometry.m) == (k, m)


@given(st.integers(1, 3000), st.integers(1, 30), st.integers(1, 4), st.data())
def test_lost_parts_that_are_survived(size: int, block: int, count: int, data: st.DataObject) -> None:
    largest = data.draw(st.integers(1, size))
    try:
        geometry = survive_parts(size, block, largest, count)
    except UsageError:
        return
    lost: set[int] = set()
    for _ in range(count):
        start = data.draw(st.integers(0, size - largest))
        lost |= set(range(start // block, (start + largest - 1) // block + 1))
    bad = Counter(geometry.place(number)[0] for number in lost)
    assert max(bad.values()) <= geometry.m


@pytest.mark.parametrize("redundancy", [Fraction(0), Fraction(-1), Fraction(101, 100)])
def test_no_redundancy(redundancy: Fraction) -> None:
    with pytest.raises(UsageError):
        choose_geometry(100, 10, redundancy)


@pytest.mark.parametrize(("k", "m"), [(0, 1), (1, 0), (200, 56)])
def test_no_stripe(k: int, m: int) -> None:
    with pytest.raises(UsageError):
        Geometry(100, 10, k, m)


def test_no_part_to_survive() -> None:
    with pytest.raises(UsageError):
        survive_parts(100, 10, 10, 0)
    with pytest.raises(UsageError):
        survive_parts(10**6, 1, 10**6, 300)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=8), st.data())
def test_pieces_are_the_bytes(sizes: list[int], data: st.DataObject) -> None:
    parts = [
        Part(file=str(number), size=size, sha256="", xxh3_128="", blocks=()) for number, size in enumerate(sizes)
    ]
    contents = {part.file: bytes([number] * part.size) for number, part in enumerate(parts)}
    whole = b"".join(contents.values())
    joined = JoinedParts(parts)
    assert joined.size == len(whole)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole) + 5))
    found = bytearray()
    for piece in joined.pieces(start, end):
        assert piece.at == len(found)
        assert piece.length > 0
        assert joined.start_of(piece.part) + piece.offset == start + piece.at
        found += contents[piece.part.file][piece.offset : piece.offset + piece.length]
    assert bytes(found) == whole[start:end]
