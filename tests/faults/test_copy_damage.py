"""A copy from sources, and onto media, that are damaged: whatever can be had arrives, and is right."""

from __future__ import annotations

import errno
import os
import random
import shutil
from pathlib import Path

import pytest

from bundler.bundle.copying.report import CopyReport
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.errors import DiskError
from tests.builders import contents_of, flip, no_thread_is_left, within
from tests.copies import BLOCK, SIZE, copy, make_bundle, right_bytes
from tests.faults.file_systems import ext4, memory, run
from tests.faults.media import bad_sectors, path_of, worn_medium

FIRST, SECOND = "shop.oci.tar.001", "shop.oci.tar.002"
MIB = 1 << 20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture
def manifest(source: Path) -> BundleManifest:
    return make_bundle(source)


def damage(directory: Path, manifest: BundleManifest, chance: random.Random) -> None:
    """Damage every part in one of the ways in which media do."""
    for part in manifest.parts:
        path = directory / part.file
        kind = chance.choice(["flip", "flip", "cut", "gone", "zeros", "longer", "partial"])
        if kind == "flip":
            flip(path, chance.randrange(part.size))
        elif kind == "cut":
            os.truncate(path, chance.randrange(part.size))
        elif kind == "gone":
            path.unlink()
        elif kind == "zeros":
            with path.open("r+b") as file:
                file.seek(chance.randrange(part.size) // 512 * 512)
                file.write(bytes(512))
        elif kind == "longer":
            with path.open("ab") as file:
                file.write(bytes(99))
        else:
            path.rename(path.with_name(f"{path.name}.partial"))
            os.truncate(f"{path}.partial", chance.randrange(part.size))


@pytest.mark.parametrize("seed", range(12))
def test_two_damaged_sources_and_a_damaged_destination(
    source: Path, manifest: BundleManifest, tmp_path: Path, seed: int
) -> None:
    """The outcome is told exactly: what is right at the end is what was kept and copied, to the byte."""
    chance, whole = random.Random(seed), tmp_path / "whole"
    shutil.copytree(source, whole)
    other, place = tmp_path / "other", tmp_path / "place"
    for directory in (other, place):
        shutil.copytree(source, directory)
    for directory in (source, other, place):
        damage(directory, manifest, chance)
    kept = right_bytes(manifest, place)
    with no_thread_is_left():
        report = copy(manifest, [source, other], place)
    assert report.bytes_kept == kept
    assert report.bytes_copied == right_bytes(manifest, place) - kept
    assert report.bytes_bad == SIZE - kept - report.bytes_copied
    by_file = {part.file: part for part in manifest.parts}
    left_out = {file for file in by_file if (place / f"{file}.partial").exists() or not (place / file).exists()}
    assert left_out == {bad.file for bad in report.bad} | set(report.missing)
    assert (place / "bundle.json").exists() == report.is_whole
    # Whoever brings a whole source brings exactly what was left out.
    assert copy(manifest, [whole], place) == CopyReport(report.bytes_bad, SIZE - report.bytes_bad)
    assert contents_of(place) == contents_of(whole)


def test_sectors_that_cannot_be_read(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    with bad_sectors() as bad:
        bad.add(source / FIRST, BLOCK + 512, 2 * BLOCK + 1)
        bad.add(source / SECOND, 0, 512, times=1)
        report = copy(manifest, [source], tmp_path / "place")
    # Two blocks were asked for twice; the third one came with the second try.
    assert bad.failed == 5
    (bad_range,) = report.bad
    assert (bad_range.file, bad_range.offset, bad_range.length) == (FIRST, BLOCK, 2 * BLOCK)
    assert bad_range.code == "unreadable"
    assert "Input/output error" in bad_range.found
    assert report.bytes_copied == SIZE - 2 * BLOCK == right_bytes(manifest, tmp_path / "place")


def test_a_cable_that_lies_now_and_then(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    """What was read wrong is read again: the second block is right with the second try, the first was not."""
    readv, lies = os.readv, [True] * 3

    def read(file: int, buffers: list[memoryview]) -> int:
        count = readv(file, buffers)
        if count and lies:
            buffers[0][0] ^= lies.pop()
        return count

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "readv", read)
        report = copy(manifest, [source], tmp_path / "place")
    assert [(bad.file, bad.offset, bad.length) for bad in report.bad] == [(FIRST, 0, BLOCK)]
    assert report.bytes_copied == SIZE - BLOCK == right_bytes(manifest, tmp_path / "place")


@pytest.mark.parametrize("times", [1, 3])
def test_a_medium_that_keeps_something_else(
    source: Path, manifest: BundleManifest, tmp_path: Path, times: int
) -> None:
    with worn_medium(f"{SECOND}.partial", 2 * BLOCK + 3, times) as medium:
        assert copy(manifest, [source], tmp_path / "place") == CopyReport(bytes_copied=SIZE)
    assert medium.done == times
    assert contents_of(tmp_path / "place") == contents_of(source)


def test_a_medium_that_never_keeps_it(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    place = tmp_path / "place"
    with (
        worn_medium(f"{SECOND}.partial", 2 * BLOCK + 3) as medium,
        no_thread_is_left(),
        pytest.raises(DiskError, match="never read back right") as caught,
    ):
        within(20, lambda: copy(manifest, [source], place))
    assert caught.value.advice.startswith("Replace the medium")
    assert medium.done == 4
    assert not (place / SECOND).exists()
    assert not (place / "bundle.json").exists()
    # Who does not look is not told: that is what the option means.
    with worn_medium(f"{SECOND}.partial", 2 * BLOCK + 3):
        assert copy(manifest, [source], place, read_back=False).is_whole
    assert not verify_bundle(open_bundle(place), "quick").ok


def test_a_stick_that_is_pulled_out_of_the_near_side(tmp_path: Path) -> None:
    """The end of the medium is gone: what is read from there fails, and not for ever."""
    with ext4(tmp_path / "stick", 16 * MIB) as stick:
        source = stick.place / "bundle"
        manifest = make_bundle(source, size=8 * MIB, part_bytes=8 * MIB)
        run("sync", "-f", str(source))
        (part,) = manifest.parts
        held = stick.image.stat().st_size
        # Forget what is cached, so that the medium is asked; then take most of it away.
        Path("/proc/sys/vm/drop_caches").write_text("3", encoding="ascii")
        os.truncate(stick.image, 5 * MIB)
        try:
            with no_thread_is_left():
                report = within(30, lambda: copy(manifest, [source], tmp_path / "place"))
        finally:
            os.truncate(stick.image, held)
    assert report.bytes_bad > 0
    assert report.bytes_bad + report.bytes_copied == part.size
    assert report.bytes_copied == right_bytes(manifest, tmp_path / "place")
    assert not (tmp_path / "place" / "bundle.json").exists()


def test_a_stick_that_ends_early(tmp_path: Path) -> None:
    """The medium is smaller than it says: no file under a final name, and no bundle.json, hides that."""
    manifest = make_bundle(tmp_path / "source", size=8 * MIB, part_bytes=2 * MIB)
    with memory(tmp_path / "chip", 5 * MIB) as chip, ext4(chip / "stick", 16 * MIB) as stick:
        place = stick.place / "place"
        for _ in range(2):
            with no_thread_is_left(), pytest.raises(DiskError):
                within(30, lambda: copy(manifest, [tmp_path / "source"], place))
        assert not (place / "bundle.json").exists()
        Path("/proc/sys/vm/drop_caches").write_text("3", encoding="ascii")
        for part in manifest.parts:
            if (place / part.file).exists():
                assert (place / part.file).read_bytes() == (tmp_path / "source" / part.file).read_bytes()


def test_an_error_that_an_earlier_run_did_not_hear_of(
    source: Path, manifest: BundleManifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Systems tell an error of writing once, to whoever syncs next; that the block is wrong shows by itself."""
    place, sync, owed = tmp_path / "place", os.fsync, [f"{FIRST}.partial"]
    place.mkdir()
    (place / "bundle.json.partial").write_bytes(manifest.raw)
    shutil.copy(source / FIRST, place / f"{FIRST}.partial")
    flip(place / f"{FIRST}.partial", BLOCK)

    def sync_file(file: int) -> None:
        if path_of(file).name in owed:
            owed.remove(path_of(file).name)
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(file)

    monkeypatch.setattr(os, "fsync", sync_file)
    assert copy(manifest, [source], place) == CopyReport(SIZE - 3 * BLOCK, 3 * BLOCK)
    assert not owed
    assert contents_of(place) == contents_of(source)
