"""Sets of blocks as ranges: they are what was put in, and refuse what no writer makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.bundle.requests.block_ranges import BlockRanges, PartBlocks, without
from bundler.errors import LimitExceeded, MalformedDocument, UsageError
from bundler.model.limits import Limits
from tests.bad_blocks import all_blocks
from tests.copies import BLOCK, make_bundle

BLOCKS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 12)), max_size=40)


@given(BLOCKS)
def test_they_are_what_was_put_in(blocks: list[tuple[int, int]]) -> None:
    ranges = BlockRanges.of(blocks)
    assert list(ranges) == sorted(set(blocks))
    assert ranges.count == len(set(blocks))
    assert bool(ranges) == bool(blocks)
    ranges.check_form("it")


@given(BLOCKS, BLOCKS)
def test_without(blocks: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    assert set(without(BlockRanges.of(blocks), others)) == set(blocks) - set(others)


def test_neighbours_are_one_range() -> None:
    ranges = BlockRanges.of([(1, 5), (1, 3), (1, 4), (1, 9), (0, 6)])
    assert ranges.rows == (PartBlocks(part=0, blocks=((6, 1),)), PartBlocks(part=1, blocks=((3, 3), (9, 1))))


def test_sizes(tmp_path: Path) -> None:
    manifest = make_bundle(tmp_path)
    assert BlockRanges.of([(0, 1), (0, 2)]).size(manifest.parts, BLOCK) == 2 * BLOCK
    # The last block of a part may be short.
    assert BlockRanges.of([(2, 1)]).size(manifest.parts, BLOCK) == 1000
    assert BlockRanges.of(all_blocks(manifest)).size(manifest.parts, BLOCK) == 9 * BLOCK + 1000


@pytest.mark.parametrize(
    "rows",
    [
        [(0, ())], [(-1, ((0, 1),))], [(1, ((0, 1),)), (0, ((0, 1),))], [(0, ((0, 1),)), (0, ((4, 1),))],
        [(0, ((0, 0),))], [(0, ((0, -1),))], [(0, ((-1, 1),))], [(0, ((4, 1), (0, 1)))],
        # Neighbours stand together, and nothing overlaps.
        [(0, ((0, 2), (2, 1)))], [(0, ((0, 3), (2, 4)))],
        [(0, ((0, 1 << 70),))], [(0, ((1 << 53, 1),))], [(1 << 60, ((0, 1),))],
    ],
    ids=str,
)  # fmt: skip
def test_other_forms_are_refused(rows: list[tuple[int, tuple[tuple[int, int], ...]]]) -> None:
    ranges = BlockRanges(tuple(PartBlocks(part=part, blocks=blocks) for part, blocks in rows))
    with pytest.raises(MalformedDocument):
        ranges.check_form("it")


def test_as_many_parts_as_a_bundle_may_have() -> None:
    ranges = BlockRanges.of([(0, 0), (1, 0), (2, 0)])
    ranges.check_form("it", Limits(parts=3))
    with pytest.raises(LimitExceeded, match="the limit parts is 2"):
        ranges.check_form("it", Limits(parts=2))


def test_only_blocks_that_there_are(tmp_path: Path) -> None:
    parts = make_bundle(tmp_path).parts
    BlockRanges.of([(0, 3), (2, 1)]).check_within(parts, "it")
    for block, said in {(0, 4): "block 4 of part 0, which has 4", (3, 0): "part 3; the bundle has 3"}.items():
        with pytest.raises(UsageError, match=said):
            BlockRanges.of([(0, 0), block]).check_within(parts, "it")
    # Nothing is counted out for that.
    with pytest.raises(UsageError):
        BlockRanges((PartBlocks(part=0, blocks=((0, 1 << 52),)),)).check_within(parts, "it")
