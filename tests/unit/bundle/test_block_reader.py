"""Blocks from several directories: the first right one counts, and the most hopeful failure is told."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bundler.bundle.block_reader import BlockReader, PartLocations
from bundler.bundle.manifest import Part
from bundler.content.hashing import PartSums
from tests.builders import flip, noise

BLOCK = 8
DATA = noise("part", 20)
FILE = "web.oci.tar.001"


@pytest.fixture
def part() -> Part:
    sums = PartSums(BLOCK)
    sums.update(memoryview(DATA))
    return Part(file=FILE, size=len(DATA), sha256=sums.sha256, xxh3_128=sums.xxh3_128, blocks=sums.blocks)


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, ...]:
    made = tuple(tmp_path / name for name in ("a", "b"))
    for directory in made:
        directory.mkdir()
    return made


def read(places: tuple[Path, ...], part: Part) -> list[bytes | str]:
    """Return each block, or the code of its failure."""
    reader = BlockReader(PartLocations(places), BLOCK)
    buffer = memoryview(bytearray(BLOCK))
    result: list[bytes | str] = []
    try:
        for number in range(len(part.blocks)):
            failure = reader.read(part, number, buffer)
            result.append(failure.code if failure else bytes(buffer[: reader.length(part, number)]))
    finally:
        reader.close()
    return result


RIGHT = [DATA[:8], DATA[8:16], DATA[16:]]


def test_one_place(places: tuple[Path, ...], part: Part) -> None:
    (places[0] / FILE).write_bytes(DATA)
    assert read(places, part) == RIGHT


def test_nowhere(places: tuple[Path, ...], part: Part) -> None:
    assert read(places, part) == ["missing"] * 3


def test_each_place_mends_the_other(places: tuple[Path, ...], part: Part) -> None:
    for directory, byte in zip(places, (3, 18), strict=True):
        (directory / FILE).write_bytes(DATA)
        flip(directory / FILE, byte)
    assert read(places, part) == RIGHT


def test_an_unfinished_file_gives_what_it_has(places: tuple[Path, ...], part: Part) -> None:
    (places[1] / f"{FILE}.partial").write_bytes(DATA[:16])
    assert read(places, part) == [*RIGHT[:2], "too-short"]


def test_the_most_hopeful_failure_is_told(places: tuple[Path, ...], part: Part) -> None:
    (places[0] / FILE).mkdir()
    (places[1] / FILE).write_bytes(b"\0" + DATA[1:10])
    assert read(places, part) == ["damaged-block", "too-short", "too-short"]


def test_what_this_user_may_not_read_may_be_right(
    places: tuple[Path, ...], part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    (places[0] / FILE).write_bytes(DATA)
    (places[1] / FILE).write_bytes(b"\0" + DATA[1:])
    opened = os.open

    def refuse(path: Path, flags: int) -> int:
        if path == places[0] / FILE:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, flags)

    monkeypatch.setattr(os, "open", refuse)
    assert read(places, part) == ["denied", *RIGHT[1:]]


def test_links_are_not_followed(places: tuple[Path, ...], part: Part) -> None:
    (places[1] / "elsewhere").write_bytes(DATA)
    (places[0] / FILE).symlink_to(places[1] / "elsewhere")
    assert read(places, part) == ["not-regular"] * 3
