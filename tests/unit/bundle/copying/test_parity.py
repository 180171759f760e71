"""Parity travels like parts: block by block, onto several sticks, and back."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from bundler.api.copying import copy
from bundler.bundle.copying.outcome import CopyOutcome
from bundler.bundle.parity.making import make_parity
from bundler.bundle.parity.wish import ParityWish
from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.errors import ExitStatus, OutputExists
from tests.builders import KIB, TwoApplications, contents_of, flip
from tests.fakes.sticks import BESIDES, Sticks

HALF = ParityWish(Fraction(1, 2))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    TwoApplications().pack(tmp_path / "bundle")
    make_parity(open_bundle(tmp_path / "bundle"), HALF)
    return tmp_path / "bundle"


def brought(source: Path, place: Path) -> CopyOutcome:
    return copy([source], [place])


def total(bundle: Path) -> int:
    table = make_parity(open_bundle(bundle), ParityWish()).table
    return table.data.size + table.parity.size


def test_there_and_back(bundle: Path, tmp_path: Path) -> None:
    outcome = brought(bundle, tmp_path / "there")
    assert (outcome.is_complete, outcome.report.bytes_copied) == (True, total(bundle))
    assert contents_of(tmp_path / "there") == contents_of(bundle)
    again = brought(bundle, tmp_path / "there")
    assert (again.report.bytes_copied, again.report.bytes_kept) == (0, total(bundle))


def test_it_goes_on_within_a_parity_file(bundle: Path, tmp_path: Path) -> None:
    brought(bundle, tmp_path / "there")
    flip(tmp_path / "there" / "parity.002", 9)
    outcome = brought(bundle, tmp_path / "there")
    assert outcome.report.bytes_copied == 64 * KIB
    assert contents_of(tmp_path / "there") == contents_of(bundle)


def test_over_several_sticks(bundle: Path, tmp_path: Path) -> None:
    sticks = Sticks(tmp_path)
    places = [sticks.stick(name, 300 * KIB + BESIDES + (64 << 10)) for name in ("one", "two", "three")]
    outcome = copy([bundle], places, measure=sticks.measure)
    assert outcome.is_complete
    files = [{path.name for path in place.glob("parity.0*")} for place in places]
    assert sum(map(len, files)) == len(set().union(*files)) == len(list(bundle.glob("parity.0*")))
    used = [place for place in places if (place / "bundle.json").exists()]
    assert all((place / "parity.json").exists() for place in used)
    assert verify_bundle(open_bundle(*used)).ok
    copy(used, [tmp_path / "back"])
    assert contents_of(tmp_path / "back") == contents_of(bundle)


def test_one_application_goes_without(bundle: Path, tmp_path: Path) -> None:
    outcome = copy([bundle], [tmp_path / "there"], applications=["erp"])
    assert outcome.is_complete
    assert not list((tmp_path / "there").glob("parity*"))


def test_parity_that_is_damaged_at_the_source(bundle: Path, tmp_path: Path) -> None:
    flip(bundle / "parity.001", 0)
    outcome = brought(bundle, tmp_path / "there")
    place = tmp_path / "there"
    if outcome.is_complete:
        # It was made again on the way.
        assert verify_bundle(open_bundle(place)).ok
        return
    assert outcome.exit_status == ExitStatus.MENDABLE
    assert (place / "bundle.json").exists(), "the bundle is whole without it"
    make_parity(open_bundle(place), ParityWish())
    assert verify_bundle(open_bundle(place)).ok


def test_a_lost_table_at_the_source(bundle: Path, tmp_path: Path) -> None:
    (bundle / "parity.json").write_bytes(b"{}")
    outcome = brought(bundle, tmp_path / "there")
    assert outcome.is_complete
    assert not list((tmp_path / "there").glob("parity*"))


def test_other_parity_at_the_destination_is_replaced(bundle: Path, tmp_path: Path) -> None:
    place = tmp_path / "there"
    brought(bundle, place)
    make_parity(open_bundle(place), ParityWish(Fraction(1)), restart=True)
    assert len(list(place.glob("parity.0*"))) > len(list(bundle.glob("parity.0*")))
    brought(bundle, place)
    assert contents_of(place) == contents_of(bundle)


def test_parity_stays_where_the_source_has_none(bundle: Path, tmp_path: Path) -> None:
    place = shutil.copytree(bundle, tmp_path / "there")
    for path in bundle.glob("parity*"):
        path.unlink()
    before = contents_of(place)
    brought(bundle, place)
    assert contents_of(place) == before


@pytest.mark.parametrize("name", ["parity.json", "parity.001", "parity.001.partial", "PARITY.001"])
def test_no_bundle_is_mixed_with_strange_parity(bundle: Path, tmp_path: Path, name: str) -> None:
    place = tmp_path / "there"
    place.mkdir()
    (place / name).write_bytes(b"somebody's")
    with pytest.raises(OutputExists):
        brought(bundle, place)
    assert contents_of(place) == {name: b"somebody's"}


def test_a_link_is_not_written_through(bundle: Path, tmp_path: Path) -> None:
    place, other = tmp_path / "there", tmp_path / "other"
    brought(bundle, place)
    other.write_bytes(b"x")
    (place / "parity.001").unlink()
    (place / "parity.001").symlink_to(other)
    with pytest.raises(OutputExists):
        brought(bundle, place)
    assert other.read_bytes() == b"x"
