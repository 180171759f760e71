"""A copy onto disks that are full, read-only, or know no large files; and onto the file systems of sticks."""

from __future__ import annotations

import itertools
import resource
import shutil
from pathlib import Path

import pytest

from bundler.bundle.copying.destination import CopyDestination
from bundler.bundle.copying.report import CopyReport
from bundler.bundle.manifest import BundleManifest
from bundler.errors import DiskError, FileTooLarge, NoSpace, NotWritable
from tests.builders import KIB, contents_of, flip, no_thread_is_left, within
from tests.copies import BLOCK, SIZE, copy, make_bundle, right_bytes
from tests.faults.disks import failing_disk
from tests.faults.file_systems import Mounted, exfat, ext4, memory, resize, vfat

MIB = 1 << 20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture
def manifest(source: Path) -> BundleManifest:
    return make_bundle(source)


class Filling(CopyDestination):
    """A destination that somebody else fills meanwhile: at the beginning there seemed to be room."""

    def free_bytes(self) -> int:
        return 1 << 60


def check_unfinished(manifest: BundleManifest, source: Path, place: Path) -> None:
    """Nothing looks whole that is not."""
    assert not (place / "bundle.json").exists()
    for part in manifest.parts:
        if (place / part.file).exists():
            assert (place / part.file).read_bytes() == (source / part.file).read_bytes()


def test_the_disk_sees_every_file(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    """Were an operation not counted, the tests below would prove nothing about it."""
    with failing_disk(tmp_path / "place", gone=True) as disk:
        copy(manifest, [source], tmp_path / "place")
    # Ten blocks are written; every file is created, synced and renamed, and its directory synced.
    assert disk.done >= 10 + 4 * len(contents_of(source))


@pytest.mark.parametrize(("lasting", "gone"), [(True, False), (False, False), (True, True)])
def test_a_failure_at_every_operation(
    source: Path, manifest: BundleManifest, tmp_path: Path, lasting: bool, gone: bool
) -> None:
    for number in itertools.count(1):
        place = tmp_path / str(number)
        place.mkdir()
        with no_thread_is_left(), failing_disk(place, number, lasting=lasting, gone=gone) as disk:
            try:
                within(20, lambda place=place: copy(manifest, [source], place))  # type: ignore[misc]
            except NoSpace:
                assert disk.failed
            except DiskError:
                assert gone
                assert disk.failed
            else:
                break
        if not (place / "bundle.json").exists():
            check_unfinished(manifest, source, place)
        kept = right_bytes(manifest, place)
        assert copy(manifest, [source], place) == CopyReport(SIZE - kept, kept)
        assert contents_of(place) == contents_of(source)
    assert number > 30


def test_so_many_bytes_and_no_more(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    """A file system of N bytes, N over the whole range."""
    sizes = range(8 * KIB, SIZE + 64 * KIB, 12 * KIB)
    refused = 0
    with memory(tmp_path / "disk", sizes[0]) as disk:
        place = disk / "place"
        for size in sizes:
            resize(disk, size)
            with no_thread_is_left():
                try:
                    within(20, lambda: copy(manifest, [source], place, destination=Filling(place)))
                except NoSpace:
                    refused += 1
                    check_unfinished(manifest, source, place)
            resize(disk, 2 * MIB)
            kept = right_bytes(manifest, place)
            assert copy(manifest, [source], place) == CopyReport(SIZE - kept, kept)
            assert contents_of(place) == contents_of(source)
            shutil.rmtree(place)
    assert len(sizes) - 6 <= refused < len(sizes)


def test_a_full_disk_is_refused_at_once(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    with memory(tmp_path / "disk", 300 * KIB) as disk:
        with pytest.raises(NoSpace, match="are missing"):
            copy(manifest, [source], disk / "place")
        assert set(contents_of(disk / "place")) == {"bundle.json.partial", "bundle.json.bak", "SHA256SUMS"}


def test_a_file_system_without_large_files(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    """As on FAT, where the limit is 4 GiB; here it is in the middle of a block."""
    place = tmp_path / "place"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * BLOCK + 100, before[1]))
    try:
        with no_thread_is_left(), pytest.raises(FileTooLarge) as caught:
            within(20, lambda: copy(manifest, [source], place))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "--part-size" in caught.value.advice
    check_unfinished(manifest, source, place)
    assert (place / "shop.oci.tar.001.partial").stat().st_size == 3 * BLOCK + 100
    assert copy(manifest, [source], place) == CopyReport(SIZE - 3 * BLOCK, 3 * BLOCK)


def test_a_read_only_destination(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    with ext4(tmp_path / "stick", 4 * MIB) as stick:
        place = stick.place / "place"
        copy(manifest, [source], place)
        flip(place / "shop.oci.tar.001", 1)
        before = contents_of(place)
        stick.read_only()
        for path in (place, stick.place / "new"):
            with pytest.raises(NotWritable, match="Read-only"):
                copy(manifest, [source], path)
        assert contents_of(place) == before


def carry(stick: Mounted, source: Path, manifest: BundleManifest) -> None:
    """Copy a bundle with a bad block to a stick, beside the files of others; heal it there; copy it back."""
    (stick.place / "System Volume Information").mkdir()
    (stick.place / "holiday.jpg").write_bytes(b"mine")
    flip(source / "shop.oci.tar.002", 3 * BLOCK + 1)
    report = copy(manifest, [source], stick.place)
    assert (report.bytes_copied, report.bytes_bad) == (SIZE - BLOCK, BLOCK)
    check_unfinished(manifest, source, stick.place)
    flip(source / "shop.oci.tar.002", 3 * BLOCK + 1)
    assert copy(manifest, [source], stick.place) == CopyReport(BLOCK, SIZE - BLOCK)
    assert copy(manifest, [source], stick.place) == CopyReport(bytes_kept=SIZE)
    back = source.parent / "back"
    assert copy(manifest, [stick.place], back) == CopyReport(SIZE)
    assert contents_of(back) == contents_of(source)
    assert (stick.place / "holiday.jpg").read_bytes() == b"mine"


def test_exfat(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    with exfat(tmp_path / "stick", 16 * MIB) as stick:
        carry(stick, source, manifest)


def test_exfat_that_is_full(tmp_path: Path) -> None:
    manifest = make_bundle(tmp_path / "source", size=12 * MIB, part_bytes=3 * MIB)
    with exfat(tmp_path / "stick", 8 * MIB) as stick, no_thread_is_left():
        with pytest.raises(NoSpace):
            copy(manifest, [tmp_path / "source"], stick.place)
        with pytest.raises(NoSpace):
            copy(manifest, [tmp_path / "source"], stick.place, destination=Filling(stick.place))
        check_unfinished(manifest, tmp_path / "source", stick.place)
        assert 4 * MIB < right_bytes(manifest, stick.place) < 8 * MIB


def test_vfat(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    with vfat(tmp_path / "stick", 40 * MIB) as stick:
        carry(stick, source, manifest)
