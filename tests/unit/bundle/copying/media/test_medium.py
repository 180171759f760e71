"""What a medium has: asked of the file systems of this machine, and of one that is said to be FAT."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bundler.bundle.copying.media import medium
from bundler.bundle.copying.media.medium import held_parts, measure, mount_point, room_at
from bundler.bundle.copying.media.room import Volume
from bundler.bundle.manifest import BundleManifest
from bundler.errors import NotFound
from tests.builders import KIB, TwoApplications


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    TwoApplications().pack(tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def manifest(tmp_path: Path) -> BundleManifest:
    return TwoApplications().pack(tmp_path / "again")


class TestMeasure:
    def test_what_the_system_says(self, tmp_path: Path) -> None:
        found = measure(tmp_path)
        usage = shutil.disk_usage(tmp_path)
        assert found.total == usage.total
        assert abs(found.free - usage.free) < 1 << 30
        assert found.device == tmp_path.stat().st_dev
        assert found.cluster == os.statvfs(tmp_path).f_frsize
        assert found.largest_file is None

    def test_a_directory_that_is_not_there_yet(self, tmp_path: Path) -> None:
        assert measure(tmp_path / "a" / "b").device == tmp_path.stat().st_dev

    def test_fat(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        device = tmp_path.stat().st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        mounts = tmp_path / "mountinfo"
        line = "36 35 {} / /media/stick rw,relatime shared:1 - {} /dev/sdb1 rw\n"
        monkeypatch.setattr(medium, "_MOUNTS", mounts)
        for kind, limit in (("vfat", (4 << 30) - 1), ("msdos", (4 << 30) - 1), ("exfat", None), ("ext4", None)):
            mounts.write_text("garbage\n\n" + line.format("999:999", "vfat") + line.format(number, kind))
            assert measure(tmp_path).largest_file == limit, kind
        mounts.unlink()
        assert measure(tmp_path).largest_file is None


class TestHeld:
    def test_whole_and_unfinished_parts(self, bundle: Path, manifest: BundleManifest) -> None:
        (bundle / "shop.oci.tar.001").unlink()
        (bundle / "shop.oci.tar.002").rename(bundle / "shop.oci.tar.002.partial")
        os.truncate(bundle / "shop.oci.tar.003", 4 * KIB)
        (bundle / "shop.oci.tar.004").unlink()
        (bundle / "shop.oci.tar.004").symlink_to(bundle / "shop.oci.tar.003")
        held = held_parts(bundle, manifest.parts)
        assert "shop.oci.tar.001" not in held
        assert held["shop.oci.tar.002"] == 64 * KIB
        assert held["shop.oci.tar.003"] == 4 * KIB
        assert "shop.oci.tar.004" not in held
        assert set(held) <= {part.file for part in manifest.parts}

    def test_holes_are_not_there_yet(self, bundle: Path, manifest: BundleManifest) -> None:
        path = bundle / "shop.oci.tar.001"
        path.unlink()
        with path.open("wb") as file:
            file.seek(60 * KIB)
            file.write(bytes(4 * KIB))
        if path.stat().st_blocks * 512 >= 64 * KIB:
            pytest.skip("this file system has no holes")
        assert held_parts(bundle, manifest.parts)["shop.oci.tar.001"] < 64 * KIB

    def test_no_directory(self, tmp_path: Path, manifest: BundleManifest) -> None:
        assert held_parts(tmp_path / "none", manifest.parts) == {}
        assert held_parts(tmp_path / "again" / "bundle.json", manifest.parts) == {}


class TestRoom:
    def test_tables_that_are_there_need_no_room(self, tmp_path: Path, manifest: BundleManifest) -> None:
        def volume(_: Path) -> Volume:
            return Volume(1, 1 << 30, 1 << 30, 1000)

        tables = [("a", 1), ("b", 2500), ("c.partial", 900)]
        # Each rounded up, and the largest once more.
        assert room_at(tmp_path, manifest.parts, tables, volume).tables == 1000 + 3000 + 1000 + 3000
        (tmp_path / "b").touch()
        (tmp_path / "c").touch()
        assert room_at(tmp_path, manifest.parts, tables, volume).tables == 2000
        assert room_at(tmp_path / "again", manifest.parts, [], volume).rest_of(manifest.parts[0]) == 0


class TestMountPoint:
    def test_of_the_system_is_none(self) -> None:
        assert mount_point(Path("/nonexistent/x")) is None

    def test_nearest(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.path.ismount", lambda path: Path(path) == tmp_path)
        assert mount_point(tmp_path / "a" / "b") == tmp_path
        assert mount_point(tmp_path) == tmp_path


def test_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotFound):
        measure(tmp_path / "file" / "x")
