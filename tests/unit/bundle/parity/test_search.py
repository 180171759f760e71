"""parity.json is looked for in several directories; what does not count is told, never raised."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bundler.bundle.parity.making import make_parity
from bundler.bundle.parity.search import read_parity
from bundler.bundle.parity.wish import ParityWish
from bundler.bundle.reader import open_bundle
from bundler.model.digest import Digest
from bundler.packing.planning.options import PackOptions
from tests.builders import KIB, TwoApplications

OTHER = Digest("sha256:" + "1" * 64)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    TwoApplications().pack(tmp_path / "bundle")
    make_parity(open_bundle(tmp_path / "bundle"), ParityWish())
    return tmp_path / "bundle"


def copy_table(bundle: Path, name: str, file: str = "parity.json") -> Path:
    directory = bundle.parent / name
    directory.mkdir()
    shutil.copy(bundle / "parity.json", directory / file)
    return directory


def test_none(tmp_path: Path) -> None:
    found = read_parity([tmp_path, tmp_path / "not there"])
    assert (found.table, found.places, found.unusable) == (None, (), ())


def test_the_first_that_is_right_counts(bundle: Path) -> None:
    good, damaged = copy_table(bundle, "good"), copy_table(bundle, "damaged")
    (damaged / "parity.json").write_bytes(b"{}")
    cut = copy_table(bundle, "cut", "parity.json.partial")
    found = read_parity([damaged, bundle, good, cut])
    assert found.table is not None
    assert found.table.raw == (bundle / "parity.json").read_bytes()
    assert found.places == (bundle, good, cut)
    assert [(one.code, one.path.parent) for one in found.unusable] == [("damaged-table", damaged)]


def test_of_another_bundle(bundle: Path) -> None:
    found = read_parity([bundle], OTHER)
    assert found.table is None
    assert [one.code for one in found.unusable] == ["other-bundle"]


def test_of_two_bundles_the_first_counts_if_none_is_wanted(bundle: Path, tmp_path: Path) -> None:
    options = PackOptions(version="2", part_bytes=64 * KIB, workers=1)
    TwoApplications().pack(tmp_path / "other", options)
    other = make_parity(open_bundle(tmp_path / "other"), ParityWish()).table
    both = [bundle, tmp_path / "other"]
    found = read_parity(both)
    assert found.places == (bundle,)
    assert [(one.code, one.found) for one in found.unusable] == [("other-bundle", str(other.bundle))]
    assert read_parity(both, other.bundle).table == other


def test_another_layout(bundle: Path, tmp_path: Path) -> None:
    TwoApplications().pack(tmp_path / "again")
    make_parity(open_bundle(tmp_path / "again"), ParityWish(survive_parts=2))
    found = read_parity([bundle, tmp_path / "again"])
    assert [one.code for one in found.unusable] == ["other-parity"]


def test_no_file(bundle: Path) -> None:
    (bundle / "parity.json").unlink()
    (bundle / "parity.json").symlink_to("parity.001")
    assert [one.code for one in read_parity([bundle]).unusable] == ["damaged-table"]
