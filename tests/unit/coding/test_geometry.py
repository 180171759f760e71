from __future__ import annotations

import pytest

from bundler.coding.codec import Codec
from bundler.coding.geometry import Run, check_block_bytes, check_geometry, column_runs, cut
from bundler.errors import UsageError


@pytest.mark.parametrize(("k", "m"), [(1, 1), (254, 1), (1, 254), (40, 4), (128, 127)])
def test_geometries_that_have_a_code(k: int, m: int) -> None:
    check_geometry(k, m)


@pytest.mark.parametrize(
    ("k", "m"), [(0, 1), (1, 0), (0, 0), (-1, 4), (4, -1), (255, 1), (1, 255), (128, 128), (-5, 260), (1 << 80, 1)]
)
def test_geometries_that_have_none(k: int, m: int) -> None:
    with pytest.raises(UsageError, match="a stripe of"):
        check_geometry(k, m)
    with pytest.raises(UsageError, match="a stripe of"):
        Codec(k, m)


@pytest.mark.parametrize("size", [-8, -1, 0, 1, 7, 12, (1 << 70) + 1])
def test_sizes_that_are_none_for_a_block(size: int) -> None:
    with pytest.raises(UsageError, match="multiple of 8"):
        check_block_bytes(size)
    with pytest.raises(UsageError):
        column_runs(size, 0, 1)


def test_runs_of_a_column() -> None:
    assert column_runs(64, 2, 5) == tuple(Run(8 * sub_block + 2, 3) for sub_block in range(8))
    assert column_runs(8, 0, 1) == tuple(Run(sub_block, 1) for sub_block in range(8))


@pytest.mark.parametrize(("start", "end"), [(0, 0), (3, 3), (4, 3), (-1, 2), (0, 9), (8, 9)])
def test_columns_that_are_none(start: int, end: int) -> None:
    with pytest.raises(UsageError, match="a column from"):
        column_runs(64, start, end)


def test_columns_side_by_side_are_the_whole_block() -> None:
    runs = [run for start, end in cut(0, 125, 16) for run in column_runs(1000, start, end)]
    places = sorted(place for run in runs for place in range(run.offset, run.offset + run.length))
    assert places == list(range(1000))
