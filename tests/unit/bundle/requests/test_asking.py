"""What a bundle lacks: found in all of its directories, less what its parity makes again."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from bundler.bundle.choice import Choice
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.parity.making import make_parity
from bundler.bundle.parity.wish import ParityWish
from bundler.bundle.reader import open_bundle
from bundler.bundle.requests.asking import Lack, find_lack, make_request
from bundler.errors import NotReadable
from bundler.progress import SilentProgress, Task
from tests.bad_blocks import all_blocks, spoil
from tests.builders import flip
from tests.copies import BLOCK, SIZE, make_bundle
from tests.fakes.tasks import RecordingTask


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "bundle"


@pytest.fixture
def manifest(place: Path) -> BundleManifest:
    """Parts of four, four and two blocks."""
    return make_bundle(place)


def lack(*places: Path) -> Lack:
    return find_lack(open_bundle(*places))


def test_nothing(place: Path, manifest: BundleManifest) -> None:
    found = lack(place)
    assert (list(found.missing), found.missing_bytes, found.is_mendable) == ([], 0, True)
    assert make_request(open_bundle(place), found) is None
    assert make_request(open_bundle(place), found, everything=True) is None


def test_bad_blocks_lost_parts_and_short_ones(place: Path, manifest: BundleManifest) -> None:
    spoil(place, manifest, [(0, 1)])
    (place / manifest.parts[1].file).unlink()
    with (place / manifest.parts[2].file).open("r+b") as file:
        file.truncate(BLOCK + 10)
    found = lack(place)
    assert list(found.missing) == [(0, 1), (1, 0), (1, 1), (1, 2), (1, 3), (2, 1)]
    assert found.missing_bytes == 5 * BLOCK + 1000
    assert found.needed == found.missing
    assert not found.has_parity
    request = make_request(open_bundle(place), found)
    assert request is not None
    assert (request.bundle, request.blocks) == (manifest.id, found.missing)


def test_several_directories_and_unfinished_copies(place: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(place, other)
    spoil(place, manifest, [(0, 1), (1, 2)])
    spoil(other, manifest, [(0, 1), (1, 3)])
    file = manifest.parts[2].file
    (place / file).unlink()
    data = (other / file).read_bytes()
    (other / file).unlink()
    (other / f"{file}.partial").write_bytes(data[:BLOCK])
    assert list(lack(place, other).missing) == [(0, 1), (2, 1)]


def test_all_bytes_are_told(place: Path, manifest: BundleManifest) -> None:
    task = RecordingTask()

    class Told(SilentProgress):
        def task(self, label: str, total: int | None = None) -> Task:
            assert total == SIZE
            return task

    (place / manifest.parts[1].file).unlink()
    find_lack(open_bundle(place), Told())
    assert task.done == SIZE


def test_what_may_not_be_read_is_not_bad(
    place: Path, manifest: BundleManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> int:
        raise NotReadable(f"{path}: Permission denied")

    monkeypatch.setattr("bundler.bundle.block_reader.open_regular", refuse)
    with pytest.raises(NotReadable, match="Permission denied"):
        lack(place)


class TestParity:
    @pytest.fixture(autouse=True)
    def parity(self, place: Path, manifest: BundleManifest) -> None:
        """Three of ten blocks in each of two stripes, or the like."""
        make_parity(open_bundle(place), ParityWish(redundancy=Fraction(3, 10)))

    def test_it_mends_all(self, place: Path, manifest: BundleManifest) -> None:
        spoil(place, manifest, [(0, 1), (2, 0)])
        found = lack(place)
        assert list(found.missing) == [(0, 1), (2, 0)]
        assert (list(found.needed), found.needed_bytes) == ([], 0)
        assert found.is_mendable
        assert found.has_parity
        bundle = open_bundle(place)
        assert make_request(bundle, found) is None
        everything = make_request(bundle, found, everything=True)
        assert everything is not None
        assert list(everything.blocks) == [(0, 1), (2, 0)]

    def test_it_mends_some(self, place: Path, manifest: BundleManifest) -> None:
        spoil(place, manifest, all_blocks(manifest))
        found = lack(place)
        assert found.missing.count == 10
        # Parity has three blocks for ten.
        assert found.needed.count == 7
        assert set(found.needed) < set(found.missing)
        assert not found.is_mendable

    def test_its_own_damage_counts(self, place: Path, manifest: BundleManifest) -> None:
        spoil(place, manifest, all_blocks(manifest))
        flip(place / "parity.001", 100)
        assert lack(place).needed.count == 8

    def test_parts_that_are_left_out_make_no_parity_useful(self, place: Path, manifest: BundleManifest) -> None:
        """With them the stripes lost more than it makes; whatever they hold besides is asked for."""
        spoil(place, manifest, [(0, 1)])
        assert lack(place).is_mendable
        (place / manifest.parts[1].file).unlink()
        found = find_lack(open_bundle(place), choice=Choice(is_present=True))
        assert list(found.missing) == list(found.needed) == [(0, 1)]
        assert lack(place).missing.count == 5
        assert lack(place).needed.count == 2

    def test_a_damaged_table_is_no_parity(self, place: Path, manifest: BundleManifest) -> None:
        spoil(place, manifest, [(0, 1)])
        flip(place / "parity.json", 100)
        found = lack(place)
        assert not found.has_parity
        assert list(found.needed) == [(0, 1)]

    def test_parity_may_lie_elsewhere(self, place: Path, manifest: BundleManifest, tmp_path: Path) -> None:
        other = tmp_path / "other"
        shutil.copytree(place, other)
        for file in place.glob("parity*"):
            file.unlink()
        for file in other.glob("shop*"):
            file.unlink()
        spoil(place, manifest, [(1, 1)])
        assert lack(place, other).is_mendable
        assert not lack(place).has_parity
