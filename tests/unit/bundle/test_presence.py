"""What can be had, told by names and sizes: it agrees with what reading finds, but for damage."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.bundle.presence import Presence
from bundler.bundle.reader import Bundle, open_bundle
from bundler.errors import DamagedBundle, IncompleteBundle
from bundler.model.digest import Digest
from tests.builders import ERP, SHOP, TwoApplications
from tests.fakes.streams import read_and_close


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("intact") / "bundle"
    TwoApplications().pack(directory)
    return directory


@pytest.fixture
def directory(intact: Path, tmp_path: Path) -> Path:
    return shutil.copytree(intact, tmp_path / "bundle")


def found_by_reading(bundle: Bundle, digests: tuple[Digest, ...]) -> tuple[set[str], bool]:
    """Return the parts that reading misses, and whether it finds damage."""
    missing: set[str] = set()
    damage = False
    for digest in digests:
        blob = bundle.manifest.blob_by_digest[digest]
        for part, end in bundle.parts_of(blob.archive).pieces(blob.offset, blob.offset + blob.size):
            start = sum(
                one.size for one in bundle.manifest.archive_by_name[blob.archive].parts if one.file < part.file
            )
            first = max(blob.offset, start)
            try:
                offset = first - blob.offset
                stream = bundle.open_blob(blob.descriptor, offset)
                left = start + end - first
                buffer = memoryview(bytearray(left))
                while left and (count := stream.readinto(buffer[:left])):
                    left -= count
                stream.close()
            except IncompleteBundle as error:
                missing.update(error.parts)
            except DamagedBundle:
                damage = True
    return missing, damage


def unfinished(keep: int) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        other = path.with_name(f"{path.name}.partial")
        path.rename(other)
        os.truncate(other, min(keep, other.stat().st_size))

    return harm


def replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


HARMS: dict[str, Callable[[Path], None]] = {
    "missing": Path.unlink,
    "unfinished, nothing yet": unfinished(0),
    "unfinished, but whole": unfinished(1 << 20),
    "cut": lambda path: os.truncate(path, 0),
    "a directory": replace_by_directory,
}


@pytest.mark.parametrize("harm", HARMS)
def test_each_part_in_turn(intact: Path, tmp_path: Path, harm: str) -> None:
    for part in open_bundle(intact).manifest.parts:
        directory = shutil.copytree(intact, tmp_path / part.file)
        HARMS[harm](directory / part.file)
        bundle = open_bundle(directory)
        presence = Presence(bundle)
        for _, image in bundle.images():
            obstacles = presence.obstacles(image)
            missing, damage = found_by_reading(bundle, image.blobs)
            assert set(obstacles.waiting_for) == missing <= {part.file}
            assert bool(obstacles.damaged) == damage
        is_there = harm in ("cut", "a directory")
        assert presence.missing_parts() == (() if is_there else (part.file,))
        shutil.rmtree(directory)


def test_the_end_of_a_part_may_be_missing_where_an_image_has_nothing(directory: Path) -> None:
    """An unfinished part is enough for the images that lie in its beginning."""
    bundle = open_bundle(directory)
    images = {image.reference: image for _, image in bundle.images()}
    needed: dict[str, int] = {}
    for digest in images[ERP].blobs:
        blob = bundle.manifest.blob_by_digest[digest]
        for part, end in bundle.parts_of(blob.archive).pieces(blob.offset, blob.offset + blob.size):
            needed[part.file] = max(end, needed.get(part.file, 0))
    file = max((file for file in needed if file.startswith("erp")), default="")
    size = (directory / file).stat().st_size
    assert needed[file] < size
    for keep, waits in ((needed[file], False), (needed[file] - 1, True)):
        shutil.copy(directory / file, directory / f"{file}.copy")
        unfinished(keep)(directory / file)
        obstacles = Presence(open_bundle(directory)).obstacles(images[ERP])
        assert obstacles.waiting_for == ((file,) if waits else ())
        (directory / f"{file}.copy").rename(directory / file)


def test_several_directories(directory: Path, tmp_path: Path) -> None:
    stick = shutil.copytree(directory, tmp_path / "stick")
    files = sorted(path.name for path in directory.glob("*.oci.tar*"))
    for number, file in enumerate(files):
        ((directory if number % 2 else stick) / file).unlink()
    bundle = open_bundle(directory, stick)
    presence = Presence(bundle)
    assert presence.missing_parts() == ()
    for _, image in bundle.images():
        assert presence.obstacles(image).waiting_for == ()
        for digest in image.blobs:
            read_and_close(bundle.open_blob(bundle.manifest.blob_by_digest[digest].descriptor))
    alone = open_bundle(stick)
    missing = set(Presence(alone).missing_parts())
    assert missing == set(files[0::2])
    (image,) = (image for _, image in alone.images() if image.reference == SHOP)
    assert set(Presence(alone).obstacles(image).waiting_for) <= missing
