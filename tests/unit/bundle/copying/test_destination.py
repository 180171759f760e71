"""A directory belongs to one copy at a time, and is whole only when bundle.json stands there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bundler.bundle.copying.destination import CopyDestination
from bundler.bundle.manifest import BundleManifest
from bundler.errors import OutputExists
from bundler.packing.writing.output import OutputDirectory
from tests.builders import flip
from tests.copies import make_bundle, small_files

TABLES = ["README.txt", "SHA256SUMS", "bundle.json", "bundle.json.bak"]


@pytest.fixture
def manifest(tmp_path: Path) -> BundleManifest:
    return make_bundle(tmp_path / "source")


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def facts(path: Path) -> dict[str, tuple[int, int]]:
    return {entry.name: (entry.stat().st_ino, entry.stat().st_mtime_ns) for entry in path.iterdir()}


def test_a_copy_from_beginning_to_end(tmp_path: Path, manifest: BundleManifest) -> None:
    place = tmp_path / "a" / "b"
    destination = CopyDestination(place)
    assert destination.free_bytes() > 0
    destination.prepare(manifest)
    destination.prepare(manifest)
    assert names(place) == ["SHA256SUMS", "bundle.json.bak", "bundle.json.partial"]
    assert (place / "bundle.json.partial").read_bytes() == manifest.raw
    destination.finish({**small_files(manifest), "bundle.json.sig": b"signature"})
    destination.release()
    destination.release()
    assert names(place) == sorted([*TABLES, "bundle.json.sig"])
    assert (place / "bundle.json").read_bytes() == (place / "bundle.json.bak").read_bytes() == manifest.raw


def test_what_is_right_is_not_written_again(tmp_path: Path, manifest: BundleManifest) -> None:
    place = tmp_path / "place"
    for _ in range(2):
        destination = CopyDestination(place)
        destination.prepare(manifest)
        destination.finish(small_files(manifest))
        before = facts(place)
        destination.finish(small_files(manifest))
        destination.release()
        assert facts(place) == before
    (place / "README.txt").write_bytes(b"longer than what belongs here")
    destination.prepare(manifest)
    destination.finish(small_files(manifest))
    destination.release()
    assert (place / "README.txt").read_bytes() == small_files(manifest)["README.txt"]
    assert facts(place)["bundle.json"] == before["bundle.json"]


@pytest.mark.parametrize("is_whole", [True, False])
def test_one_run_at_a_time(tmp_path: Path, manifest: BundleManifest, is_whole: bool) -> None:
    place = tmp_path / "place"
    holder, other = CopyDestination(place), CopyDestination(place)
    holder.prepare(manifest)
    if is_whole:
        holder.finish(small_files(manifest))
    for intruder in (other.prepare, lambda _: OutputDirectory(place).prepare()):
        with pytest.raises(OutputExists):
            intruder(manifest)
    holder.unseal()
    with pytest.raises(OutputExists, match="another run"):
        other.prepare(manifest)
    holder.release()
    other.prepare(manifest)
    other.release()


def test_not_into_a_pack(tmp_path: Path, manifest: BundleManifest) -> None:
    place = tmp_path / "place"
    pack = OutputDirectory(place)
    pack.prepare()
    with pytest.raises(OutputExists):
        CopyDestination(place).prepare(manifest)
    pack.release()


def test_no_bundle_stands_there_while_parts_change(tmp_path: Path, manifest: BundleManifest) -> None:
    place = tmp_path / "place"
    destination = CopyDestination(place)
    destination.prepare(manifest)
    destination.finish(small_files(manifest))
    destination.unseal()
    destination.unseal()
    assert names(place) == sorted({*TABLES, "bundle.json.partial"} - {"bundle.json"})
    destination.release()
    destination.prepare(manifest)
    destination.finish(small_files(manifest))
    destination.release()
    assert names(place) == TABLES


@pytest.mark.parametrize("name", ["bundle.json", "bundle.json.partial"])
@pytest.mark.parametrize("size", [0, 300, None])
def test_a_damaged_table_is_made_right(
    tmp_path: Path, manifest: BundleManifest, name: str, size: int | None
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / name).write_bytes(manifest.raw)
    if size is None:
        flip(place / name, 40)
    else:
        os.truncate(place / name, size)
    (place / "bundle.json.bak").write_bytes(manifest.raw)
    destination = CopyDestination(place)
    destination.prepare(manifest)
    assert names(place) == ["SHA256SUMS", "bundle.json.bak", "bundle.json.partial"]
    assert (place / "bundle.json.partial").read_bytes() == manifest.raw
    with pytest.raises(OutputExists, match="another run"):
        CopyDestination(place).prepare(manifest)
    destination.finish(small_files(manifest))
    destination.release()
    assert (place / "bundle.json").read_bytes() == manifest.raw


def test_what_is_no_directory(tmp_path: Path, manifest: BundleManifest) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(OutputExists, match="is a file"):
        CopyDestination(tmp_path / "file").prepare(manifest)
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_what_is_refused_is_not_touched(tmp_path: Path, manifest: BundleManifest) -> None:
    place = tmp_path / "place"
    other = make_bundle(place, name="plant8")
    before = facts(place)
    with pytest.raises(OutputExists, match="plant8"):
        CopyDestination(place).prepare(manifest)
    assert facts(place) == before
    assert other.id != manifest.id
