"""What the sizes of parity files tell of the layout that they had."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from bundler.bundle.parity.geometry import Geometry, choose_geometry, survive_parts
from bundler.bundle.parity.making import make_parity
from bundler.bundle.parity.remains import geometry_of_bytes, geometry_of_remains
from bundler.bundle.parity.wish import ParityWish
from bundler.bundle.reader import open_bundle
from bundler.errors import OutputExists
from tests.copies import BLOCK, make_bundle


@pytest.mark.parametrize("blocks", [1, 2, 10, 63, 254, 255, 256, 4000])
@pytest.mark.parametrize("percent", [1, 5, 10, 20, 33, 50, 100])
def test_as_much_as_there_was(blocks: int, percent: int) -> None:
    size = blocks * BLOCK - 7
    for had in (
        choose_geometry(size, BLOCK, Fraction(percent, 100)),
        survive_parts(size, BLOCK, size // 9 + 1, 1),
    ):
        found = geometry_of_bytes(size, BLOCK, had.parity_bytes)
        assert found.parity_bytes == had.parity_bytes


def test_bytes_that_no_layout_has() -> None:
    size = 100 * BLOCK
    assert geometry_of_bytes(size, BLOCK, 10 * BLOCK + 1).parity_bytes >= 10 * BLOCK
    assert geometry_of_bytes(size, BLOCK, 1).parity_bytes >= BLOCK
    assert geometry_of_bytes(size, BLOCK, 1 << 50).parity_bytes >= size


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "bundle", size=40 * BLOCK)
    return tmp_path / "bundle"


def remains(bundle: Path) -> Geometry | None:
    return geometry_of_remains(bundle, open_bundle(bundle).manifest)


def test_nothing_there(bundle: Path) -> None:
    assert remains(bundle) is None
    (bundle / "parity.001").touch()
    assert remains(bundle) is None


def test_files_one_of_which_is_gone(bundle: Path) -> None:
    made = make_parity(open_bundle(bundle), ParityWish(Fraction(1, 2))).table
    assert len(made.files) > 3
    (bundle / "parity.json").unlink()
    assert remains(bundle) == made.geometry
    (bundle / "parity.002").unlink()
    (bundle / "parity.003").rename(bundle / "parity.003.partial")
    assert remains(bundle) == made.geometry
    again = make_parity(open_bundle(bundle), ParityWish())
    assert again.table.raw == made.raw


def test_a_file_of_a_number_far_off(bundle: Path) -> None:
    for number in (1, 2, 999_999_999):
        (bundle / f"parity.{number:03}").write_bytes(bytes(BLOCK))
    found = remains(bundle)
    assert found is not None
    assert found.parity_bytes == 3 * BLOCK


def test_a_link(bundle: Path) -> None:
    (bundle / "parity.001").symlink_to("elsewhere")
    with pytest.raises(OutputExists):
        remains(bundle)
