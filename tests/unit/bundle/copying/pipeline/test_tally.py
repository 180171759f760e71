"""Counts add up to what was to be copied, and what was left out is told in ranges."""

from __future__ import annotations

from pathlib import Path

from bundler.bundle.block_reader import BlockFailure
from bundler.bundle.copying.pipeline.tally import Tally
from bundler.bundle.copying.report import BadRange, CopyReport
from bundler.progress import SILENT
from tests.copies import BLOCK, make_bundle
from tests.fakes.tasks import RecordingTask

DAMAGED = BlockFailure("damaged-block", Path("x"), "0123")
UNREADABLE = BlockFailure("unreadable", Path("x"), "Input/output error")
MISSING = BlockFailure("missing", Path("x"), "nothing")


def test_ranges(tmp_path: Path) -> None:
    parts = make_bundle(tmp_path).parts
    tally = Tally(parts, BLOCK, SILENT.task(""))
    last = parts[2]
    # In whatever order they are found out.
    tally.left_out(last, 1, DAMAGED)
    for number, failure in enumerate((DAMAGED, DAMAGED, UNREADABLE, DAMAGED)):
        tally.left_out(parts[1], number, failure)
    tally.left_out(last, 0, MISSING)
    assert tally.report().bad == (
        BadRange(parts[1].file, 0, 2 * BLOCK, "damaged-block", "0123"),
        BadRange(parts[1].file, 2 * BLOCK, BLOCK, "unreadable", "Input/output error"),
        BadRange(parts[1].file, 3 * BLOCK, BLOCK, "damaged-block", "0123"),
        BadRange(last.file, 0, BLOCK, "missing", "nothing"),
        BadRange(last.file, BLOCK, 1000, "damaged-block", "0123"),
    )
    assert tally.lacks(last)
    assert not tally.lacks(parts[0])


def test_a_part_that_is_only_absent_is_missing(tmp_path: Path) -> None:
    parts = make_bundle(tmp_path).parts
    tally = Tally(parts, BLOCK, SILENT.task(""))
    tally.kept(parts[2], 1)
    tally.copied(parts[1], 0)
    tally.left_out(parts[1], 2, UNREADABLE)
    tally.left_out(parts[2], 0, MISSING)
    assert tally.report().missing == (parts[2].file,)
    tally.correct([(parts[1].file, 2)], MISSING)
    assert tally.report() == CopyReport(BLOCK, 1000, 2 * BLOCK, (), (parts[1].file, parts[2].file))


def test_the_user_is_told(tmp_path: Path) -> None:
    parts, task = make_bundle(tmp_path).parts, RecordingTask()
    tally = Tally(parts, BLOCK, task)
    tally.turn_to(parts[0])
    tally.kept(parts[0], 0)
    tally.copied(parts[0], 1)
    tally.left_out(parts[2], 1, DAMAGED)
    tally.turn_to(parts[2])
    assert task.texts == [parts[0].file, f"{parts[2].file} (64.0 KiB kept, 64.0 KiB copied, 1000 bytes bad)"]
    assert task.done == 2 * BLOCK + 1000
