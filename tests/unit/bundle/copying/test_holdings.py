"""Whose a directory is, judged by what lies there."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.bundle.checksums import write_checksums
from bundler.bundle.copying.holdings import Holding, examine
from bundler.bundle.copying.report import CopyReport
from bundler.bundle.manifest import BundleManifest
from bundler.errors import NotReadable, OutputExists
from tests.builders import contents_of, flip
from tests.copies import BLOCK, SIZE, copy, make_bundle


@pytest.fixture
def manifest(tmp_path: Path) -> BundleManifest:
    return make_bundle(tmp_path / "source")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def test_other_files_of_a_stick_count_for_nothing(place: Path, manifest: BundleManifest) -> None:
    (place / "System Volume Information").mkdir()
    (place / "._bundle.json").write_bytes(b"x")
    (place / "holiday.jpg").write_bytes(b"x")
    (place / "shop.oci.tar.old").write_bytes(b"x")
    (place / "link").symlink_to("holiday.jpg")
    assert examine(place, manifest) is Holding.NOTHING


def test_a_whole_and_an_unfinished_copy(place: Path, manifest: BundleManifest) -> None:
    (place / "bundle.json").write_bytes(manifest.raw)
    (place / "shop.oci.tar.001").write_bytes(b"x")
    (place / "shop.oci.tar.002.partial").write_bytes(b"x")
    assert examine(place, manifest) is Holding.WHOLE
    (place / "bundle.json").rename(place / "bundle.json.partial")
    assert examine(place, manifest) is Holding.UNFINISHED


@pytest.mark.parametrize("torn", [b"", b"{", b"\0" * 500, None])
def test_a_table_that_a_crash_tore(place: Path, manifest: BundleManifest, torn: bytes | None) -> None:
    (place / "bundle.json.partial").write_bytes(manifest.raw[:300] + b"\0" * 99 if torn is None else torn)
    assert examine(place, manifest) is Holding.NOTHING
    # Beside a part it is not the table of a copy: that one is durable before the first part.
    (place / "shop.oci.tar.001.partial").write_bytes(b"x")
    with pytest.raises(OutputExists, match=r"holds shop\.oci\.tar\.001\.partial, which"):
        examine(place, manifest)


@pytest.mark.parametrize("name", ["bundle.json", "bundle.json.partial"])
def test_a_damaged_table_beside_a_right_copy_of_it(place: Path, manifest: BundleManifest, name: str) -> None:
    (place / name).write_bytes(manifest.raw)
    flip(place / name, 7)
    (place / "shop.oci.tar.001").write_bytes(b"x")
    with pytest.raises(OutputExists):
        examine(place, manifest)
    (place / "bundle.json.bak").write_bytes(manifest.raw)
    assert examine(place, manifest) is Holding.UNFINISHED
    (place / name).unlink()
    assert examine(place, manifest) is Holding.UNFINISHED


@pytest.mark.parametrize("name", ["bundle.json", "bundle.json.partial", "bundle.json.bak"])
def test_another_bundle(place: Path, manifest: BundleManifest, tmp_path: Path, name: str) -> None:
    other = make_bundle(tmp_path / "other", name="plant8")
    (place / name).write_bytes(other.raw)
    with pytest.raises(OutputExists, match=f"plant8 1 .*{other.id.hex}"):
        examine(place, manifest)


def test_a_bundle_of_another_version(place: Path, manifest: BundleManifest) -> None:
    raw = manifest.raw.replace(b"airbundle.manifest.v1", b"airbundle.manifest.v9")
    assert raw != manifest.raw
    (place / "bundle.json").write_bytes(raw)
    with pytest.raises(OutputExists, match="v9"):
        examine(place, manifest)


@pytest.mark.parametrize("name", ["bundle.json", "bundle.json.partial", "bundle.json.bak"])
def test_a_table_of_another_bundle_is_no_proof_beside_our_parts(
    place: Path, manifest: BundleManifest, tmp_path: Path, name: str
) -> None:
    """One changed letter makes another table that makes sense; but the parts, and the sums, are ours."""
    other = make_bundle(tmp_path / "other", name="plant8")
    (place / name).write_bytes(other.raw)
    shutil.copy(tmp_path / "source" / "shop.oci.tar.002", place)
    assert examine(place, manifest) is Holding.UNFINISHED
    # What its sums prove is another bundle, whatever lies beside it.
    (place / "SHA256SUMS").write_bytes(write_checksums(other))
    with pytest.raises(OutputExists, match="plant8"):
        examine(place, manifest)
    (place / "SHA256SUMS").write_bytes(write_checksums(manifest))
    assert examine(place, manifest) is Holding.UNFINISHED


@pytest.mark.parametrize("table", [None, b"", b"{", b'{"mediaType": 1}', bytes(500), b"\xff" * 500])
def test_parts_tell_where_no_table_does(
    place: Path, manifest: BundleManifest, tmp_path: Path, table: bytes | None
) -> None:
    for name in ("bundle.json.partial", "bundle.json.bak") if table is not None else ():
        (place / name).write_bytes(table or b"")
    source = tmp_path / "source"
    first = bytearray((source / "shop.oci.tar.001").read_bytes())
    first[5] ^= 1
    (place / "shop.oci.tar.001.partial").write_bytes(first[: 3 * BLOCK - 9])
    (place / "shop.oci.tar.003.partial").touch()
    assert examine(place, manifest) is Holding.UNFINISHED
    # One file that has no right block is somebody else's.
    (place / "shop.oci.tar.002").write_bytes(first)
    with pytest.raises(OutputExists, match=r"shop\.oci\.tar"):
        examine(place, manifest)
    (place / "shop.oci.tar.002").unlink()
    (place / "erp.oci.tar").touch()
    with pytest.raises(OutputExists, match=r"erp\.oci\.tar"):
        examine(place, manifest)


def test_both_tables_of_a_stick_are_damaged(place: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "source", place, dirs_exist_ok=True)
    for name in ("bundle.json", "bundle.json.bak"):
        flip(place / name, 5)
    assert examine(place, manifest) is Holding.UNFINISHED
    assert copy(manifest, [tmp_path / "source"], place) == CopyReport(bytes_kept=SIZE)
    assert contents_of(place) == contents_of(tmp_path / "source")


def test_empty_files_prove_nothing(place: Path, manifest: BundleManifest) -> None:
    (place / "shop.oci.tar.001.partial").touch()
    with pytest.raises(OutputExists, match="001"):
        examine(place, manifest)


@pytest.mark.parametrize("name", ["bundle.json", "bundle.json.bak", "shop.oci.tar.001"])
def test_what_this_user_may_not_read_tells_nothing(
    place: Path, manifest: BundleManifest, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (place / name).write_bytes(b"x")
    opened = os.open

    def refuse(path: Path, flags: int, *rest: int, **more: int) -> int:
        if path == place / name:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(NotReadable, match=name):
        examine(place, manifest)


@pytest.mark.parametrize(
    "name",
    ["shop.oci.tar.001", "web.oci.tar.partial", "SHOP.OCI.TAR.002", "README.txt", "readme.txt", "SHA256SUMS"],
)
def test_files_named_like_ours_without_a_table(place: Path, manifest: BundleManifest, name: str) -> None:
    (place / name).write_bytes(b"x")
    with pytest.raises(OutputExists, match=name):
        examine(place, manifest)


def test_a_part_that_is_none_of_this_bundle(place: Path, manifest: BundleManifest) -> None:
    (place / "bundle.json").write_bytes(manifest.raw)
    for number in range(4, 9):
        (place / f"shop.oci.tar.00{number}").write_bytes(b"x")
    with pytest.raises(OutputExists, match=r"004, shop\.oci\.tar\.005, shop\.oci\.tar\.006 and 2 more"):
        examine(place, manifest)


@pytest.mark.parametrize(
    "name", ["bundle.json", "shop.oci.tar.001", "shop.oci.tar.002.partial", "SHA256SUMS.partial"]
)
def test_links_and_directories(place: Path, manifest: BundleManifest, name: str) -> None:
    (place / "bundle.json.partial").write_bytes(manifest.raw)
    (place / "target").write_bytes(manifest.raw)
    (place / name).symlink_to("target")
    with pytest.raises(OutputExists, match="link"):
        examine(place, manifest)
    (place / name).unlink()
    (place / name).mkdir()
    with pytest.raises(OutputExists, match="directory"):
        examine(place, manifest)


def test_a_file_that_another_copy_renames_meanwhile_is_not_there(
    place: Path, manifest: BundleManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = place / "bundle.json.bak.partial"
    listed = Path.iterdir

    def listing(directory: Path) -> Iterator[Path]:
        yield from listed(directory)
        yield gone

    monkeypatch.setattr(Path, "iterdir", listing)
    assert examine(place, manifest) is Holding.NOTHING
