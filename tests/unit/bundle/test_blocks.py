"""Reading an archive through its parts: any range, and never a byte of a damaged block."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bundler.bundle.blocks import ArchiveParts, ArchiveStream
from bundler.bundle.manifest import Archive, Part
from bundler.content.hashing import PartSums
from bundler.errors import DamagedBundle, DiskError, IncompleteBundle
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
    return ArchiveParts(tmp_path, Archive(name="web", size=start, parts=tuple(rows)), BLOCK)


def path(parts: ArchiveParts, number: int) -> Path:
    return parts.path_of(parts.archive.parts[number])


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
    with pytest.raises(DiskError if kind == "socket" else DamagedBundle):
        within(10, lambda: read(parts, 10, 7))


def test_a_bad_sector(parts: ArchiveParts, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: int, buffers: list[memoryview]) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "readv", refuse)
    with pytest.raises(DiskError, match=r"web\.oci\.tar\.001"):
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
