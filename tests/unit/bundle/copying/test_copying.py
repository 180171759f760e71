"""Parts come to a directory block by block: kept, copied, or left out and said so."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from bundler.bundle.copying.copying import copy_parts, refuse_overlap
from bundler.bundle.copying.destination import CopyDestination
from bundler.bundle.copying.report import BadRange, CopyReport
from bundler.bundle.manifest import BundleManifest
from bundler.errors import NoSpace, NotReadable, UsageError
from bundler.progress import SILENT
from tests.builders import contents_of, final_names, flip, no_thread_is_left
from tests.copies import BLOCK, SIZE, copy, make_bundle
from tests.fakes.tasks import RecordingTask
from tests.faults.media import path_of

FIRST, SECOND, THIRD = (f"shop.oci.tar.00{number}" for number in (1, 2, 3))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "source")
    return tmp_path / "source"


@pytest.fixture
def manifest(tmp_path: Path) -> BundleManifest:
    return make_bundle(tmp_path / "source")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "place"


def facts(path: Path) -> dict[str, tuple[int, int]]:
    return {entry.name: (entry.stat().st_ino, entry.stat().st_mtime_ns) for entry in path.iterdir()}


@pytest.mark.parametrize("read_back", [True, False])
def test_a_copy_and_the_same_copy_again(
    source: Path, manifest: BundleManifest, place: Path, read_back: bool
) -> None:
    task = RecordingTask()
    with no_thread_is_left():
        assert copy(manifest, [source], place, read_back=read_back, task=task) == CopyReport(bytes_copied=SIZE)
    assert contents_of(place) == contents_of(source)
    assert task.done == SIZE
    before = facts(place)
    assert copy(manifest, [source], place, read_back=read_back) == CopyReport(bytes_kept=SIZE)
    assert facts(place) == before


def test_what_is_not_there_is_not_read(
    source: Path, manifest: BundleManifest, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[tuple[str, int]] = []
    real = os.open

    def watch(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        inside = more.get("dir_fd")
        opened.append((str(path if inside is None else path_of(inside) / path), flags))
        return real(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", watch)
    copy(manifest, [source], place, read_back=False)
    parts = [
        (path, flags & os.O_ACCMODE) for path, flags in opened if path.startswith(str(place)) and "tar" in path
    ]
    assert {flags for _, flags in parts} == {os.O_RDWR}


def test_a_part_that_was_begun_goes_on(source: Path, manifest: BundleManifest, place: Path) -> None:
    place.mkdir()
    (place / "bundle.json.partial").write_bytes(manifest.raw)
    shutil.copy(source / FIRST, place)
    (place / f"{SECOND}.partial").write_bytes((source / SECOND).read_bytes()[: 2 * BLOCK + 7])
    shutil.copy(source / THIRD, place / f"{THIRD}.partial")
    kept = 6 * BLOCK + BLOCK + 1000
    assert copy(manifest, [source], place) == CopyReport(bytes_copied=SIZE - kept, bytes_kept=kept)
    assert contents_of(place) == contents_of(source)


def test_healing_touches_only_what_is_wrong(source: Path, manifest: BundleManifest, place: Path) -> None:
    copy(manifest, [source], place)
    flip(place / FIRST, BLOCK + 5)
    with (place / SECOND).open("ab") as file:
        file.write(b"too long")
    (place / f"{THIRD}.partial").write_bytes(b"an old beginning")
    before = facts(place)
    assert copy(manifest, [source], place) == CopyReport(bytes_copied=BLOCK, bytes_kept=SIZE - BLOCK)
    assert contents_of(place) == contents_of(source)
    after = facts(place)
    assert after[FIRST][0] == before[FIRST][0]
    assert after[THIRD] == before[THIRD]


def test_no_bundle_stands_beside_a_part_that_is_wrong(source: Path, manifest: BundleManifest, place: Path) -> None:
    copy(manifest, [source], place)
    flip(place / FIRST, 5)
    flip(source / FIRST, 5)
    report = copy(manifest, [source], place)
    assert report.bytes_bad == BLOCK
    assert [(bad.file, bad.offset, bad.length, bad.code) for bad in report.bad] == [
        (FIRST, 0, BLOCK, "damaged-block")
    ]
    names = set(contents_of(place))
    assert {"bundle.json.partial", f"{FIRST}.partial", SECOND, THIRD} <= names
    assert not {"bundle.json", FIRST} & names
    flip(source / FIRST, 5)
    assert copy(manifest, [source], place) == CopyReport(bytes_copied=BLOCK, bytes_kept=SIZE - BLOCK)
    assert contents_of(place) == contents_of(source)


def test_what_is_wrong_is_left_out_and_the_rest_goes_on(
    source: Path, manifest: BundleManifest, place: Path
) -> None:
    for block in (1, 2):
        flip(source / FIRST, block * BLOCK)
    (source / SECOND).unlink()
    with (source / THIRD).open("r+b") as file:
        file.truncate(BLOCK + 10)
    report = copy(manifest, [source], place)
    bad = BLOCK * 2 + BLOCK * 4 + 1000
    assert (report.bytes_copied, report.bytes_kept, report.bytes_bad) == (SIZE - bad, 0, bad)
    assert report.missing == (SECOND,)
    flipped, short = report.bad
    assert (flipped.file, flipped.offset, flipped.length, flipped.code) == (
        FIRST,
        BLOCK,
        2 * BLOCK,
        "damaged-block",
    )
    assert short == BadRange(THIRD, BLOCK, 1000, "too-short", f"{BLOCK + 10} bytes")
    assert final_names(place) == ["SHA256SUMS", "bundle.json.bak"]
    whole = make_bundle(source.parent / "again").parts
    assert whole == manifest.parts
    assert copy(manifest, [source, source.parent / "again"], place) == CopyReport(bad, SIZE - bad)
    assert contents_of(place) == contents_of(source.parent / "again")


def test_two_sources_mend_each_other(source: Path, manifest: BundleManifest, place: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(source, other)
    right = contents_of(source)
    for block in range(4):
        flip((source, other)[block % 2] / FIRST, block * BLOCK)
    (source / SECOND).rename(source / f"{SECOND}.partial")
    (other / SECOND).unlink()
    (source / THIRD).unlink()
    assert copy(manifest, [source, other], place) == CopyReport(bytes_copied=SIZE)
    assert contents_of(place) == right


def test_some_parts_only(source: Path, manifest: BundleManifest, place: Path) -> None:
    first, second, third = manifest.parts
    assert copy(manifest, [source], place, parts=[third, first]).bytes_copied == first.size + third.size
    assert set(contents_of(place)) == set(contents_of(source)) - {SECOND}
    assert copy(manifest, [source], place, parts=[second]) == CopyReport(bytes_copied=second.size)
    assert contents_of(place) == contents_of(source)


def test_not_into_itself_by_whatever_name(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source)
    for place in (source, tmp_path / "link", source / "below" / "it", tmp_path / "link" / "below"):
        with pytest.raises(UsageError, match="lies inside"):
            refuse_overlap([tmp_path / "nowhere", source], place)
    before = facts(source)
    with pytest.raises(UsageError):
        copy(manifest, [source], source)
    assert set(before) == set(facts(source))
    refuse_overlap([source], tmp_path / "source2")
    # The other way round is no copy into itself.
    refuse_overlap([source / "below"], source)


def test_what_this_user_may_not_read_is_not_called_bad(
    source: Path, manifest: BundleManifest, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def refuse(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if path == source / FIRST:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    with no_thread_is_left(), pytest.raises(NotReadable, match=rf"source/{FIRST}.*Permission denied") as caught:
        copy(manifest, [source], place)
    assert "write" not in caught.value.advice
    # The rest is there; and another source makes up for it.
    assert {SECOND, THIRD} <= set(contents_of(place))
    whole = shutil.copytree(tmp_path / "source", tmp_path / "whole", ignore=shutil.ignore_patterns(FIRST))
    monkeypatch.undo()
    shutil.copy(source / FIRST, whole)
    monkeypatch.setattr(os, "open", refuse)
    assert copy(manifest, [source, whole], place) == CopyReport(4 * BLOCK, SIZE - 4 * BLOCK)


def test_what_nobody_has_is_no_work(source: Path, manifest: BundleManifest, place: Path) -> None:
    (source / SECOND).unlink()
    flip(source / FIRST, 0)
    task = RecordingTask()
    assert copy(manifest, [source], place, task=task).bytes_bad == 5 * BLOCK
    assert task.done == SIZE - 4 * BLOCK


def test_no_source(manifest: BundleManifest, place: Path) -> None:
    destination = CopyDestination(place)
    destination.prepare(manifest)
    with pytest.raises(UsageError):
        copy_parts(manifest, [], destination, manifest.parts, task=SILENT.task(""))
    destination.release()


def test_too_little_room_is_said_before_anything_is_written(
    source: Path, manifest: BundleManifest, place: Path
) -> None:
    class Small(CopyDestination):
        def free_bytes(self) -> int:
            return SIZE - 5 * BLOCK

    with pytest.raises(NoSpace, match=r"577\.0 KiB are needed, 257\.0 KiB are free: 320\.0 KiB are missing"):
        copy(manifest, [source], place, destination=Small(place))
    assert set(contents_of(place)) == {"bundle.json.partial", "bundle.json.bak", "SHA256SUMS"}
    # What is there already needs no room: five blocks are enough to go on.
    shutil.copy(source / FIRST, place)
    (place / f"{SECOND}.partial").write_bytes((source / SECOND).read_bytes()[:BLOCK])
    assert copy(manifest, [source], place, destination=Small(place)).is_whole
