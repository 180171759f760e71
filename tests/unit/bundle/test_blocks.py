"""Reading an archive through its parts: any range, and never a byte of a damaged block."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bundler.bundle.block_reader import PartLocations
from bundler.bundle.blocks import ArchiveParts, ArchiveStream
from bundler.bundle.manifest import Archive, Part
from bundler.content.hashing import PartSums
from bundler.errors import DamagedBundle, IncompleteBundle, NotWritable
from tests.builders import flip, noise, within
from tests.fakes.streams import drain, read_and_close

BLOCK = 7
SIZES = (10, 7, 14, 1, 12)
DATA = noise("archive", sum(SIZES))


@pytest.fixture
def parts(tmp_path: Path) -> ArchiveParts:
    rows, start = [], 0
    for number, size in enumerate(SIZES, 1):
        data = DATA[start : start + size]
        sums = PartSums(BLOCK)
        sums.update(memoryview(data))
        file = f"web.oci.tar.{number:03}"
        (tmp_path / file).write_bytes(data)
        rows.append(Part(file=file, size=size, sha256=sums.sha256, xxh3_128=sums.xxh3_128, blocks=sums.blocks))
        start += size
    return ArchiveParts(PartLocations([tmp_path]), Archive(name="web", size=start, parts=tuple(rows)), BLOCK)


def path(parts: ArchiveParts, number: int) -> Path:
    return parts.locations.directories[0] / parts.archive.parts[number].file


def read(parts: ArchiveParts, offset: int, length: int, step: int = 1 << 16) -> bytes:
    stream = ArchiveStream(parts, offset, length)
    try:
        return drain(stream, step)
    finally:
        stream.close()


@pytest.mark.parametrize("step", [1, 3, 100])
def test_every_range(parts: ArchiveParts, step: int) -> None:
    for offset in range(len(DATA) + 1):
        for length in range(len(DATA) + 1 - offset):
            assert read(parts, offset, length, step) == DATA[offset : offset + length]


def test_places(parts: ArchiveParts) -> None:
    assert [parts.locate(offset) for offset in (0, 9, 10, 16, 17, 31, 32, 43, 44)] == [
        (0, 0), (0, 9), (1, 0), (1, 6), (2, 0), (3, 0), (4, 0), (4, 11), (4, 12),
    ]  # fmt: skip
    assert [parts.start_of(index) for index in range(5)] == [0, 10, 17, 31, 32]


def test_no_byte_of_a_damaged_block_is_handed_on(parts: ArchiveParts) -> None:
    # The second block of the third part: bytes 24 to 30 of the archive.
    flip(path(parts, 2), 13)
    for step in (1, 5, 100):
        stream, got = ArchiveStream(parts, 0, len(DATA)), bytearray()
        buffer = memoryview(bytearray(step))
        while len(got) < 24:
            got += buffer[: stream.readinto(buffer)]
        assert got == DATA[:24]
        with pytest.raises(DamagedBundle, match=r"web\.oci\.tar\.003 is damaged in block 1, at byte 7"):
            stream.readinto(buffer)
        # Asking again does not help.
        with pytest.raises(DamagedBundle):
            stream.readinto(buffer)
        stream.close()
    assert read(parts, 0, 24) == DATA[:24]
    assert read(parts, 31, 13) == DATA[31:]
    for offset in range(24, 31):
        with pytest.raises(DamagedBundle):
            read(parts, offset, 1)


def test_a_block_that_was_mended_can_be_read(parts: ArchiveParts) -> None:
    flip(path(parts, 0), 0)
    stream = ArchiveStream(parts, 0, 10)
    with pytest.raises(DamagedBundle):
        stream.readinto(memoryview(bytearray(1)))
    flip(path(parts, 0), 0)
    assert read_and_close(stream) == DATA[:10]


def test_a_part_that_is_not_there(parts: ArchiveParts) -> None:
    path(parts, 1).unlink()
    assert read(parts, 0, 10) == DATA[:10]
    assert read(parts, 17, 27) == DATA[17:]
    with pytest.raises(IncompleteBundle, match=r"web\.oci\.tar\.002"):
        read(parts, 0, 11)


def test_a_part_that_is_too_short(parts: ArchiveParts) -> None:
    os.truncate(path(parts, 2), 12)
    assert read(parts, 17, 7) == DATA[17:24]
    with pytest.raises(DamagedBundle, match="too short"):
        read(parts, 24, 1)


def test_a_part_that_is_too_long_does_no_harm(parts: ArchiveParts) -> None:
    with path(parts, 2).open("ab") as file:
        file.write(b"more")
    assert read(parts, 0, len(DATA)) == DATA


@pytest.mark.parametrize("kind", ["link", "directory", "pipe", "socket"])
def test_what_is_no_regular_file(parts: ArchiveParts, tmp_path: Path, kind: str) -> None:
    victim = path(parts, 1)
    victim.rename(tmp_path / "elsewhere")
    if kind == "link":
        victim.symlink_to(tmp_path / "elsewhere")
    elif kind == "directory":
        victim.mkdir()
    elif kind == "pipe":
        os.mkfifo(victim)
    else:
        os.mknod(victim, 0o140600)
    with pytest.raises(DamagedBundle):
        within(10, lambda: read(parts, 10, 7))


def test_a_bad_sector(parts: ArchiveParts, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int, buffers: list[memoryview]) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "readv", refuse)
    # As verification says: whoever carried it must copy it again.
    with pytest.raises(DamagedBundle, match=r"web\.oci\.tar\.001 cannot be read in block 0, .* Input/output"):
        read(parts, 0, 1)


def test_systems_without_readv(parts: ArchiveParts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "readv")
    assert read(parts, 0, len(DATA)) == DATA


def test_short_reads(parts: ArchiveParts, monkeypatch: pytest.MonkeyPatch) -> None:
    readv = os.readv
    monkeypatch.setattr(os, "readv", lambda file, buffers: readv(file, [buffers[0][:2]]))
    assert read(parts, 3, 30) == DATA[3:33]


def test_one_file_is_open_and_none_at_the_end(parts: ArchiveParts) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    stream = ArchiveStream(parts, 0, len(DATA))
    assert count() == before
    buffer = memoryview(bytearray(1))
    while stream.readinto(buffer):
        assert count() == before + 1
    stream.close()
    stream.close()
    assert count() == before


def test_an_empty_buffer_reads_nothing(parts: ArchiveParts) -> None:
    assert ArchiveStream(parts, 0, 10).readinto(memoryview(b"")) == 0


# -- several places, and unfinished files -------------------------------------------------------------------


@pytest.fixture
def places(parts: ArchiveParts, tmp_path: Path) -> tuple[ArchiveParts, Path]:
    """The same archive, with a second directory that holds all of it as well."""
    second = tmp_path / "second"
    second.mkdir()
    for part in parts.archive.parts:
        (second / part.file).write_bytes((tmp_path / part.file).read_bytes())
    return ArchiveParts(PartLocations([tmp_path, second]), parts.archive, BLOCK), second


def test_each_directory_mends_the_other(places: tuple[ArchiveParts, Path], tmp_path: Path) -> None:
    parts, second = places
    files = [part.file for part in parts.archive.parts]
    flip(tmp_path / files[2], 0)
    flip(second / files[2], 13)
    (tmp_path / files[0]).unlink()
    (second / files[1]).unlink()
    os.truncate(tmp_path / files[4], 7)
    for step in (1, 100):
        assert read(parts, 0, len(DATA), step) == DATA
    flip(second / files[2], 1)
    with pytest.raises(DamagedBundle, match=r"web\.oci\.tar\.003 is damaged in block 0"):
        read(parts, 0, len(DATA))
    assert read(parts, 24, len(DATA) - 24) == DATA[24:]


@pytest.mark.parametrize("arrived", [0, 3, 7, 13])
def test_an_unfinished_part_gives_what_has_arrived(parts: ArchiveParts, arrived: int) -> None:
    file = path(parts, 2)
    file.rename(file.with_name(f"{file.name}.partial"))
    os.truncate(file.with_name(f"{file.name}.partial"), arrived)
    whole = arrived // BLOCK * BLOCK
    assert read(parts, 17, whole) == DATA[17 : 17 + whole]
    with pytest.raises(IncompleteBundle, match=r"web\.oci\.tar\.003 is unfinished") as caught:
        read(parts, 17 + whole, 1)
    assert caught.value.parts == (file.name,)


def test_a_hole_in_an_unfinished_part_is_no_damage(parts: ArchiveParts) -> None:
    file = path(parts, 2)
    data = file.read_bytes()
    file.unlink()
    file.with_name(f"{file.name}.partial").write_bytes(bytes(BLOCK) + data[BLOCK:])
    with pytest.raises(IncompleteBundle, match="block 0, at byte 0, has not arrived"):
        read(parts, 17, 1)
    assert read(parts, 24, 7) == DATA[24:31]


def test_a_part_that_arrives_meanwhile(parts: ArchiveParts) -> None:
    file = path(parts, 0)
    data = file.read_bytes()
    file.unlink()
    stream = ArchiveStream(parts, 0, 10)
    with pytest.raises(IncompleteBundle):
        stream.readinto(memoryview(bytearray(1)))
    file.write_bytes(data)
    assert read_and_close(stream) == DATA[:10]


def test_a_part_that_must_not_be_read_is_not_called_bad(
    parts: ArchiveParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(NotWritable, match="Permission denied"):
        read(parts, 0, 1)


def test_pieces_of_a_range(parts: ArchiveParts) -> None:
    files = [part.file[-1] for part in parts.archive.parts]
    assert files == ["1", "2", "3", "4", "5"]
    for start in range(len(DATA) + 1):
        for end in range(start, len(DATA) + 1):
            expected: dict[str, int] = {}
            for byte in range(start, end):
                index, inside = parts.locate(byte)
                expected[files[index]] = inside + 1
            assert {part.file[-1]: stop for part, stop in parts.pieces(start, end)} == expected
