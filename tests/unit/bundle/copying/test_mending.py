"""A copy mends on the way: what no source has right is made from the parity that lies with them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bundler import copy
from bundler.bundle.copying.outcome import CopyOutcome
from bundler.errors import ExitStatus
from tests.builders import contents_of, flip, no_thread_is_left
from tests.copies import BLOCK, SIZE, make_bundle
from tests.parities import write_parity

FIRST, SECOND, THIRD = (f"shop.oci.tar.00{number}" for number in (1, 2, 3))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Ten blocks in two stripes of five, of which two may be lost."""
    write_parity(tmp_path / "source", make_bundle(tmp_path / "source"), 5, 2)
    return tmp_path / "source"


def brought(sources: list[Path], place: Path) -> CopyOutcome:
    with no_thread_is_left():
        return copy(sources, [place])


def test_bad_blocks(source: Path, tmp_path: Path) -> None:
    right = contents_of(source)
    flip(source / FIRST, BLOCK)
    flip(source / THIRD, BLOCK + 3)
    outcome = brought([source], tmp_path / "place")
    assert outcome.exit_status == ExitStatus.DONE
    assert contents_of(tmp_path / "place") == right
    report = outcome.report
    assert report.bytes_mended == BLOCK + 1000
    assert (report.bytes_bad, report.bad, report.missing) == (0, (), ())
    assert report.bytes_copied == SIZE + 4 * BLOCK


def test_a_lost_part_and_a_damaged_parity_file(source: Path, tmp_path: Path) -> None:
    right = contents_of(source)
    (source / FIRST).unlink()
    outcome = brought([source], tmp_path / "place")
    assert contents_of(tmp_path / "place") == right
    assert outcome.report.bytes_mended == 4 * BLOCK
    (source / FIRST).write_bytes(right[FIRST])
    flip(source / "parity.001", 0)
    assert brought([source], tmp_path / "other").report.bytes_mended == BLOCK
    assert contents_of(tmp_path / "other") == right


def test_with_the_blocks_of_several_sources(source: Path, tmp_path: Path) -> None:
    """Bad sectors on one, a lost part on the other."""
    right = contents_of(source)
    other = shutil.copytree(source, tmp_path / "other")
    (other / FIRST).unlink()
    flip(source / FIRST, 0)
    flip(source / SECOND, 0)
    flip(other / SECOND, 1)
    outcome = brought([source, other], tmp_path / "place")
    assert contents_of(tmp_path / "place") == right
    assert outcome.report.bytes_mended == 2 * BLOCK


def test_a_copy_that_goes_on_mends_with_what_is_there(source: Path, tmp_path: Path) -> None:
    right, place = contents_of(source), tmp_path / "place"
    brought([source], place)
    os.truncate(place / FIRST, 3 * BLOCK)
    # The source has lost all else; what the destination has is enough.
    for file in (FIRST, SECOND, THIRD):
        (source / file).unlink()
    outcome = brought([source], place)
    assert contents_of(place) == right
    assert outcome.report.bytes_mended == BLOCK


def test_not_enough(source: Path, tmp_path: Path) -> None:
    """Blocks 0, 2 and 4 are of one stripe, 5 of the other."""
    for file, block in ((FIRST, 0), (FIRST, 2), (SECOND, 0), (SECOND, 1)):
        flip(source / file, block * BLOCK)
    outcome = brought([source], tmp_path / "place")
    assert outcome.exit_status == ExitStatus.DAMAGED
    assert outcome.report.bytes_mended == BLOCK
    assert [(bad.file, bad.offset) for bad in outcome.report.bad] == [(FIRST, 0), (FIRST, 2 * BLOCK), (SECOND, 0)]
    assert not (tmp_path / "place" / "bundle.json").exists()


def test_one_stick_of_two_is_not_read_twice(source: Path, tmp_path: Path) -> None:
    """Parts that are merely elsewhere are too many to be made: that is known without reading."""
    for file in (FIRST, SECOND):
        (source / file).unlink()
    outcome = brought([source], tmp_path / "place")
    assert outcome.exit_status == ExitStatus.INCOMPLETE
    assert outcome.report.missing == (FIRST, SECOND)
    assert outcome.report.bytes_mended == 0


def test_only_one_application_is_mended_with_parity_that_stays_behind(source: Path, tmp_path: Path) -> None:
    right = contents_of(source)
    flip(source / SECOND, 7)
    outcome = copy([source], [tmp_path / "place"], applications=["shop"])
    assert outcome.report.bytes_mended == BLOCK
    assert contents_of(tmp_path / "place")[SECOND] == right[SECOND]
