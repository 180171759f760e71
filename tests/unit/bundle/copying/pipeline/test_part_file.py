"""The file of a part: its names, its size, and what it never follows."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bundler.bundle.copying.destination import CopyDestination
from bundler.bundle.copying.pipeline.part_file import PartFile
from bundler.bundle.manifest import Part
from bundler.errors import DiskError, FileTooLarge
from tests.copies import BLOCK, make_bundle


@pytest.fixture
def part(tmp_path: Path) -> Part:
    return make_bundle(tmp_path / "source").parts[0]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


def test_a_new_file(place: Path, part: Part) -> None:
    file = PartFile(CopyDestination(place), part)
    assert file.existing() is None
    file.open()
    file.open()
    assert file.existing() == file.unfinished_path
    file.write(BLOCK, memoryview(b"second"))
    file.write(0, memoryview(b"first"))
    file.sync()
    file.seal()
    assert not file.is_open
    assert names(place) == [part.file]
    data = file.path.read_bytes()
    assert (data[:5], data[BLOCK:]) == (b"first", b"second")


def test_what_is_there_is_mended_under_the_unfinished_name(place: Path, part: Part) -> None:
    file = PartFile(CopyDestination(place), part)
    file.path.write_bytes(b"x" * (part.size + 1))
    file.unfinished_path.write_bytes(b"an older one")
    assert file.existing() == file.path
    file.open()
    assert names(place) == [f"{part.file}.partial"]
    assert file.unfinished_path.read_bytes() == b"x" * part.size
    file.close()
    file.close()
    assert names(place) == [f"{part.file}.partial"]


def test_leftovers(place: Path, part: Part) -> None:
    file = PartFile(CopyDestination(place), part)
    file.discard_leftover()
    file.path.write_bytes(b"x")
    file.unfinished_path.write_bytes(b"x")
    file.discard_leftover()
    assert names(place) == [part.file]


def test_a_file_that_no_file_system_holds(place: Path, part: Part) -> None:
    file = PartFile(CopyDestination(place), msgspec.structs.replace(part, size=1 << 62))
    with pytest.raises(FileTooLarge, match=str(1 << 62)) as caught:
        file.open()
    assert "--part-size" in caught.value.advice
    file.close()


def test_a_link_is_not_followed(place: Path, part: Part) -> None:
    file = PartFile(CopyDestination(place), part)
    (place / "mine").write_bytes(b"mine")
    file.unfinished_path.symlink_to("mine")
    with pytest.raises(DiskError):
        file.open()
    assert (place / "mine").read_bytes() == b"mine"
