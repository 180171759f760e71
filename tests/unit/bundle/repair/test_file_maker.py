"""Files that are made again: proven on the medium, kept where they were begun, never trusted blindly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.bundle.parity.table import ParityTable
from bundler.bundle.repair.file_maker import FileMaker, Yield
from bundler.bundle.repair.stripe_maker import StripeMaker
from bundler.bundle.repair.stripe_map import StripeMap
from bundler.bundle.repair.whereabouts import Whereabouts
from bundler.content.hashing import block_sum
from bundler.errors import DamagedBundle, DiskError
from tests.builders import flip
from tests.copies import BLOCK, make_bundle
from tests.fakes.tasks import RecordingTask
from tests.parities import write_parity


@pytest.fixture
def table(tmp_path: Path) -> ParityTable:
    return write_parity(tmp_path, make_bundle(tmp_path), 5, 2)


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Whereabouts]:
    found = Whereabouts([tmp_path], BLOCK)
    yield found
    found.close()


@pytest.fixture
def maker(table: ParityTable, where: Whereabouts) -> Iterator[StripeMaker]:
    found = StripeMaker(StripeMap(table), where)
    yield found
    found.close()


def test_a_source_that_gives_other_bytes_than_before(
    tmp_path: Path, table: ParityTable, where: Whereabouts, maker: StripeMaker
) -> None:
    """What was made of it turns out wrong; then every block of the stripe is looked at again."""
    first, second = table.manifest.parts[:2]
    right = (tmp_path / first.file).read_bytes()
    assert where.absent(second) == []
    flip(tmp_path / second.file, 7)
    flip(tmp_path / first.file, 0)
    task = RecordingTask()
    done = FileMaker(tmp_path, where, maker, task).make(first, [0])
    assert done == Yield(made=BLOCK)
    assert (tmp_path / first.file).read_bytes() == right
    assert where.is_in(tmp_path / first.file, first, 3)
    assert where.absent(second) == [0]


def test_what_an_earlier_run_made_is_kept(
    tmp_path: Path, table: ParityTable, where: Whereabouts, maker: StripeMaker
) -> None:
    first = table.manifest.parts[0]
    right = (tmp_path / first.file).read_bytes()
    (tmp_path / first.file).unlink()
    begun = tmp_path / f"{first.file}.partial"
    begun.write_bytes(right[: 3 * BLOCK] + bytes(2 * BLOCK))
    done = FileMaker(tmp_path, where, maker, RecordingTask()).make(first, [0, 1, 2, 3])
    assert done == Yield(made=BLOCK)
    assert (tmp_path / first.file).read_bytes() == right
    assert not begun.exists()


def test_a_link_under_the_unfinished_name_is_not_followed(
    tmp_path: Path, table: ParityTable, where: Whereabouts, maker: StripeMaker
) -> None:
    first = table.manifest.parts[0]
    right = (tmp_path / first.file).read_bytes()
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / f"{first.file}.partial").symlink_to(tmp_path / "precious")
    flip(tmp_path / first.file, 0)
    FileMaker(tmp_path, where, maker, RecordingTask()).make(first, [0])
    assert (tmp_path / first.file).read_bytes() == right
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_medium_that_keeps_nothing(
    tmp_path: Path, table: ParityTable, where: Whereabouts, maker: StripeMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read back wrong every time: nothing gets a final name."""
    first = table.manifest.parts[0]
    flip(tmp_path / first.file, 0)
    before = (tmp_path / first.file).read_bytes()
    monkeypatch.setattr("bundler.bundle.repair.new_file.block_sum", lambda data: block_sum(bytes(data)[1:]))
    with pytest.raises(DiskError, match="never read back right"):
        FileMaker(tmp_path, where, maker, RecordingTask()).make(first, [0])
    assert (tmp_path / first.file).read_bytes() == before


def test_without_parity(tmp_path: Path, table: ParityTable, where: Whereabouts) -> None:
    first = table.manifest.parts[0]
    flip(tmp_path / first.file, 0)
    with pytest.raises(DamagedBundle, match="cannot be read any more"):
        FileMaker(tmp_path, where, None, RecordingTask()).make(first, [0])
