"""What verification says of parity: its files like parts, strangers, tables that are lost or of others."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from bundler.bundle.findings import Level
from bundler.bundle.parity.making import make_parity
from bundler.bundle.parity.wish import ParityWish
from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.errors import ExitStatus
from bundler.packing.planning.options import PackOptions
from tests.builders import KIB, TwoApplications, flip

HALF = ParityWish(Fraction(1, 2))
FIRST = "shop.oci.tar.001"


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("intact") / "bundle"
    TwoApplications().pack(directory, PackOptions(part_bytes=96 * KIB, block_bytes=64 * KIB, workers=1))
    make_parity(open_bundle(directory), HALF)
    return directory


@pytest.fixture
def bundle(intact: Path, tmp_path: Path) -> Path:
    return shutil.copytree(intact, tmp_path / "bundle")


def findings(*directories: Path, level: Level = "full") -> tuple[list[tuple[int, str, str, bool]], ExitStatus]:
    report = verify_bundle(open_bundle(*directories), level)
    return [(one.check, one.code, one.file, one.mendable) for one in report.findings], report.exit_status


def test_intact(bundle: Path) -> None:
    for level in ("quick", "full", "deep"):
        assert findings(bundle, level=level) == ([], ExitStatus.DONE)


def test_a_damaged_block_has_its_place(bundle: Path) -> None:
    flip(bundle / "parity.002", 70_000 - 64 * KIB)
    (finding,) = verify_bundle(open_bundle(bundle), "quick").findings
    assert (finding.file, finding.offset, finding.length) == ("parity.002", 0, 64 * KIB)
    assert (finding.blobs, finding.applications, finding.images, finding.mendable) == ((), (), (), True)


def test_missing_files(bundle: Path) -> None:
    (bundle / "parity.001").unlink()
    assert findings(bundle) == ([(3, "missing", "parity.001", True)], ExitStatus.MENDABLE)


@pytest.mark.parametrize("how", ["long", "short", "link", "unfinished"])
def test_other_damage(bundle: Path, how: str) -> None:
    path = bundle / "parity.001"
    data = path.read_bytes()
    if how == "link":
        path.rename(bundle / "other")
        path.symlink_to("other")
    elif how == "unfinished":
        path.rename(bundle / "parity.001.partial")
    else:
        path.write_bytes(data + b"x" if how == "long" else data[:-1])
    found, status = findings(bundle)
    assert [(file, mendable) for _, _, file, mendable in found] == [("parity.001", True)]
    assert status == ExitStatus.MENDABLE


def test_more_damage_than_it_mends(bundle: Path) -> None:
    for path in bundle.glob("*.oci.tar*"):
        flip(path, 0)
    flip(bundle / "parity.001", 0)
    found, status = findings(bundle, level="quick")
    assert status == ExitStatus.DAMAGED
    assert ("parity.001", False) in [(file, mendable) for _, _, file, mendable in found]


@pytest.mark.parametrize("name", ["parity.044", "parity.0001", "PARITY.099", "parity.000"])
def test_strangers(bundle: Path, name: str) -> None:
    (bundle / name).write_bytes(b"x")
    assert findings(bundle) == ([(3, "stranger", name, False)], ExitStatus.DAMAGED)


@pytest.mark.parametrize("name", ["parity.txt", "parity.01", "parity.004.partial", "parity-journal.partial"])
def test_no_strangers(bundle: Path, name: str) -> None:
    (bundle / name).write_bytes(b"x")
    assert findings(bundle) == ([], ExitStatus.DONE)


def test_a_lost_table(bundle: Path) -> None:
    (bundle / "parity.json").unlink()
    assert findings(bundle) == ([(3, "missing", "parity.json", True)], ExitStatus.MENDABLE)
    flip(bundle / FIRST, 0)
    found, status = findings(bundle, level="quick")
    assert (3, "missing", "parity.json", False) in found
    assert status == ExitStatus.DAMAGED


def test_a_damaged_table(bundle: Path) -> None:
    flip(bundle / "parity.json", 100)
    assert findings(bundle) == ([(1, "damaged-table", "parity.json", True)], ExitStatus.MENDABLE)
    make_parity(open_bundle(bundle), HALF)
    assert findings(bundle) == ([], ExitStatus.DONE)


def test_a_table_of_another_bundle(bundle: Path, tmp_path: Path) -> None:
    TwoApplications().pack(tmp_path / "other")
    make_parity(open_bundle(tmp_path / "other"), ParityWish())
    shutil.copy(tmp_path / "other" / "parity.json", bundle)
    assert findings(bundle) == ([(3, "other-bundle", "parity.json", False)], ExitStatus.DAMAGED)


def test_no_parity_at_all(bundle: Path) -> None:
    for path in bundle.glob("parity*"):
        path.unlink()
    assert findings(bundle) == ([], ExitStatus.DONE)


def test_on_two_sticks(bundle: Path, tmp_path: Path) -> None:
    other = shutil.copytree(bundle, tmp_path / "other")
    (bundle / "parity.001").unlink()
    (other / "parity.002").unlink()
    (other / "parity.json").unlink()
    assert findings(bundle, other) == ([], ExitStatus.DONE)
    flip(other / "parity.001", 0)
    assert findings(bundle, other) == ([(4, "damaged-block", "parity.001", True)], ExitStatus.MENDABLE)
