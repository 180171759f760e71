"""Verification of several directories, and of copies that were cut: the union decides, every copy is judged."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.bundle.findings import Finding, Level, VerificationReport
from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.errors import ExitStatus, NotWritable
from tests.builders import (
    ERP,
    KIB,
    SHOP,
    SMALL,
    TwoApplications,
    bytes_there,
    flip,
    no_thread_is_left,
    overwrite,
    within,
)
from tests.fakes.memory import CountingTask

LEVELS: tuple[Level, ...] = ("quick", "full", "deep")
FIRST, SECOND, LAST = (f"shop.oci.tar.00{number}" for number in (1, 2, 3))
BLOCK = 64 * KIB
MAIN, UNFINISHED = "bundle.json", "bundle.json.partial"
DONE, MENDABLE, DAMAGED, INCOMPLETE = (
    ExitStatus.DONE, ExitStatus.MENDABLE, ExitStatus.DAMAGED, ExitStatus.INCOMPLETE,
)  # fmt: skip


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parts of two blocks each."""
    directory = tmp_path_factory.mktemp("intact") / "bundle"
    TwoApplications().pack(directory, replace(SMALL, part_bytes=96 * KIB))
    return directory


@pytest.fixture
def one(intact: Path, tmp_path: Path) -> Path:
    return shutil.copytree(intact, tmp_path / "one")


@pytest.fixture
def two(intact: Path, tmp_path: Path) -> Path:
    return shutil.copytree(intact, tmp_path / "two")


class Recording:
    """A progress that keeps its one task."""

    def __init__(self) -> None:
        self.total: int | None = None
        self.counted = CountingTask()

    def task(self, label: str, total: int | None = None) -> CountingTask:
        self.total = total
        return self.counted

    def message(self, text: str) -> None:
        raise AssertionError(text)


def verify(*directories: Path, level: Level = "full") -> VerificationReport:
    """Verify; the bytes of a part count once, however many copies there are."""
    progress = Recording()
    with no_thread_is_left():
        opened = open_bundle(*directories)
        report = within(30, lambda: verify_bundle(opened, level, progress=progress))
    assert progress.counted.done == progress.total == bytes_there(opened.manifest, directories)
    names = {str(directory) for directory in directories}
    for finding in report.findings:
        assert (finding.directory is None) or (len(directories) > 1 and finding.directory in names)
    return report


def short(findings: tuple[Finding, ...]) -> list[tuple[str, str, int | None, bool, str | None]]:
    return [
        (found.code, found.file, found.offset, found.mendable, found.directory and Path(found.directory).name)
        for found in findings
    ]


@pytest.mark.parametrize("level", LEVELS)
def test_what_one_lacks_the_other_has(one: Path, two: Path, level: Level) -> None:
    files = sorted(path.name for path in one.glob("*.oci.tar*"))
    for number, file in enumerate(files):
        ((one if number % 2 else two) / file).unlink()
    assert verify(one, two, level=level).ok
    assert verify(two, one, level=level).ok
    assert verify(one, level=level).exit_status == INCOMPLETE


@pytest.mark.parametrize("level", LEVELS)
def test_a_damaged_block_that_the_other_has_right(one: Path, two: Path, level: Level) -> None:
    flip(one / FIRST, 1)
    flip(two / FIRST, 1 + BLOCK)
    for order in ((one, two), (two, one)):
        report = verify(*order, level=level)
        assert short(report.findings) == [
            ("damaged-block", FIRST, 0, True, "one"),
            ("damaged-block", FIRST, BLOCK, True, "two"),
        ]
        assert report.exit_status == MENDABLE
        assert all(SHOP in found.images for found in report.findings)


def test_a_block_that_is_damaged_everywhere(one: Path, two: Path) -> None:
    flip(one / FIRST, 1)
    flip(two / FIRST, 2)
    report = verify(one, two, level="deep")
    assert [found.mendable for found in report.findings] == [False, False]
    assert report.exit_status == DAMAGED


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def _grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more!")


WHOLE_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a directory": (_directory, "not-regular"),
    "a link": (_link, "not-regular"),
    "empty": (lambda path: os.truncate(path, 0), "too-short"),
    "cut": (lambda path: os.truncate(path, BLOCK + 1), "too-short"),
    "too long": (_grow, "too-long"),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("harm", WHOLE_FILES)
def test_a_file_that_the_other_has_right(one: Path, two: Path, harm: str, level: Level) -> None:
    do, code = WHOLE_FILES[harm]
    do(one / SECOND)
    report = verify(one, two, level=level)
    assert [(found.code, found.mendable, found.directory) for found in report.findings] == [(code, True, str(one))]
    assert report.exit_status == MENDABLE


def test_too_long_here_and_damaged_there(one: Path, two: Path) -> None:
    # Nobody knows where what stands behind the end came from, and no other file is whole.
    _grow(one / SECOND)
    flip(two / SECOND, 0)
    report = verify(one, two)
    assert short(report.findings) == [
        ("damaged-block", SECOND, 0, True, "two"),
        ("too-long", SECOND, 96 * KIB, False, "one"),
    ]
    assert report.exit_status == DAMAGED


def test_a_copy_whose_block_sums_hide_a_change(one: Path, two: Path) -> None:
    """The sums of blocks prove nothing: the sha256 of each copy, and of what they make together, is looked at."""
    # Both tables are made to fit the change in `one`, but for the sha256 of the part.
    before = {part.file: part.sha256 for part in open_bundle(two).manifest.parts}
    (archive,) = (row for row in open_bundle(one).manifest.archives if row.name == "shop")
    overwrite(one, "shop", archive.parts[0].size + 7, b"other bytes")
    table = (one / MAIN).read_text()
    for part in open_bundle(one).manifest.parts:
        table = table.replace(part.sha256, before[part.file])
    for directory in (one, two):
        for name in (MAIN, "bundle.json.bak"):
            (directory / name).write_text(table)
        (directory / "SHA256SUMS").unlink()
    found = [item for item in verify(one, two).findings if item.file != "SHA256SUMS"]
    # By its block sums the right file is the damaged one; by its sha256 it is right in both blocks or in none.
    assert {(item.code, item.directory) for item in found} == {
        ("wrong-sha256", str(one)),
        ("damaged-block", str(two)),
    }
    assert not any(item.mendable for item in found)
    assert verify(one, two, level="quick").exit_status == MENDABLE
    assert verify(one, two).exit_status == DAMAGED


def test_missing_in_both(one: Path, two: Path) -> None:
    for directory in (one, two):
        (directory / SECOND).unlink()
    report = verify(one, two)
    assert short(report.findings) == [("missing", SECOND, None, False, None)]
    assert report.exit_status == INCOMPLETE


def test_strangers_and_what_systems_leave_in_each(one: Path, two: Path) -> None:
    (one / "web.oci.tar").write_bytes(b"x")
    (two / "lost+found").mkdir()
    (one / "._x").write_bytes(b"x")
    report = verify(one, two)
    assert short(report.findings) == [("stranger", "web.oci.tar", None, False, "one")]
    assert report.strangers == ("._x", "lost+found")


def test_one_right_signature_is_enough(one: Path, two: Path) -> None:
    opened = open_bundle(one, two)
    wrong = Finding(2, "no-signature", "bundle.json.sig", expected="a", found="b")
    asked: list[Path] = []

    def right_in(*places: Path) -> Callable[[Path, bytes], Finding | None]:
        asked.clear()

        def check(directory: Path, raw: bytes) -> Finding | None:
            assert raw == opened.manifest.raw
            asked.append(directory)
            return None if directory in places else wrong

        return check

    assert verify_bundle(opened, "quick", signature=right_in(two)).ok
    assert asked == [one, two]
    report = verify_bundle(opened, "quick", signature=right_in())
    assert report.exit_status == ExitStatus.REFUSED_BY_POLICY
    assert [found.directory for found in report.findings] == [str(one), str(two)]


def test_a_copy_that_must_not_be_read_is_not_called_bad(
    one: Path, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = os.open

    def refuse(path: Path, flags: int, *rest: int) -> int:
        if Path(path) == two / SECOND:
            raise PermissionError(13, "Permission denied")
        return original(path, flags, *rest)

    opened = open_bundle(one, two)
    monkeypatch.setattr(os, "open", refuse)
    with no_thread_is_left(), pytest.raises(NotWritable):
        verify_bundle(opened)


# -- copies that were cut -----------------------------------------------------------------------------------


def cut(directory: Path, file: str, keep: int, *, hole: bool = False) -> None:
    """Leave a directory as a copy leaves it that was cut in a part."""
    if (directory / MAIN).exists():
        (directory / MAIN).rename(directory / UNFINISHED)
    data = bytearray((directory / file).read_bytes()[:keep])
    if hole:
        data[:BLOCK] = bytes(BLOCK)
    (directory / file).unlink()
    (directory / f"{file}.partial").write_bytes(data)


@pytest.mark.parametrize("level", LEVELS)
def test_everything_is_there_but_the_end(one: Path, level: Level) -> None:
    (one / MAIN).rename(one / UNFINISHED)
    report = verify(one, level=level)
    assert short(report.findings) == [("unfinished", MAIN, None, False, None)]
    assert report.exit_status == INCOMPLETE


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("keep", [0, 1, BLOCK, BLOCK + 1, 96 * KIB])
def test_an_unfinished_part(one: Path, intact: Path, keep: int, level: Level) -> None:
    cut(one, SECOND, keep)
    report = verify(one, level=level)
    assert short(report.findings) == [
        ("unfinished", MAIN, None, False, None),
        ("unfinished", SECOND, None, False, None),
    ]
    assert report.exit_status == INCOMPLETE
    part = report.findings[1]
    blocks = 2 if keep == 96 * KIB else keep // BLOCK
    assert part.found == f"{blocks} of 2 blocks in an unfinished one"
    # Whom it hits are those who wait for blocks that have not arrived, and nobody else.
    os.truncate(one / f"{SECOND}.partial", blocks * BLOCK)
    flipped = shutil.copytree(intact, one.parent / "flipped")
    for block in range(blocks, 2):
        flip(flipped / SECOND, block * BLOCK)
    hit = {digest for found in verify(flipped).findings for digest in found.blobs}
    assert set(part.blobs) == hit
    assert bool(part.images) is (blocks < 2)


def test_a_hole_is_no_damage(one: Path) -> None:
    cut(one, SECOND, 96 * KIB, hole=True)
    report = verify(one, level="deep")
    assert report.findings[1].found == "1 of 2 blocks in an unfinished one"
    assert report.exit_status == INCOMPLETE


def test_damage_in_a_finished_part_of_an_unfinished_copy(one: Path) -> None:
    cut(one, SECOND, 0)
    flip(one / FIRST, 0)
    assert verify(one).exit_status == DAMAGED


def test_an_unfinished_copy_beside_a_whole_one(one: Path, two: Path) -> None:
    cut(two, SECOND, BLOCK)
    assert short(verify(one, two).findings) == [("unfinished", MAIN, None, False, "two")]
    # What has arrived there mends what is damaged here.
    flip(one / SECOND, 0)
    report = verify(one, two)
    assert short(report.findings)[1:] == [("damaged-block", SECOND, 0, True, "one")]
    assert report.exit_status == INCOMPLETE
    flip(one / SECOND, 96 * KIB - 1)
    report = verify(one, two)
    assert [found.mendable for found in report.findings] == [False, True, False]
    assert report.exit_status == DAMAGED


def test_two_halves_of_a_part(one: Path, two: Path) -> None:
    cut(one, SECOND, BLOCK)
    cut(two, SECOND, 96 * KIB, hole=True)
    report = verify(one, two, level="deep")
    assert report.exit_status == INCOMPLETE
    assert report.findings[-1].found == "2 of 2 blocks in an unfinished one"
    assert report.findings[-1].images == report.findings[-1].applications == ()


def test_unfinished_files_beside_a_whole_bundle_are_nobodys_business(one: Path) -> None:
    (one / f"{SECOND}.partial").write_bytes(b"x")
    (one / "other.oci.tar.partial").write_bytes(b"x")
    assert verify(one).ok


def test_a_part_under_its_unfinished_name_beside_a_table(one: Path) -> None:
    (one / SECOND).rename(one / f"{SECOND}.partial")
    report = verify(one)
    assert short(report.findings) == [("unfinished", SECOND, None, False, None)]
    assert report.exit_status == INCOMPLETE


def test_an_image_that_needs_nothing_of_what_is_missing_is_not_named(one: Path) -> None:
    cut(one, FIRST, 0)
    assert all(ERP not in found.images for found in verify(one).findings)
