"""What is read is what the file holds, whichever way the medium is asked."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest

from bundler.content.read_back import MediumReader, drop_cache
from bundler.errors import DiskError, NotFound, NotRegular
from tests.builders import noise

DATA = noise("medium", 50_001)
#: On and beside the grid of sectors, across it, at the end of the file and behind it.
RANGES = [(0, 20_000), (4096, 4096), (1, 1), (4095, 2), (49_000, 1001), (49_000, 5000), (50_001, 10), (90_000, 10)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


def read_all(reader: MediumReader) -> None:
    for offset, length in RANGES:
        assert bytes(reader.read(offset, length)) == DATA[offset : offset + length]


@pytest.mark.parametrize("around_cache", [True, False])
def test_ranges(file: Path, around_cache: bool) -> None:
    reader = MediumReader(20_000, around_cache=around_cache)
    assert reader.open(file) == len(DATA)
    read_all(reader)
    reader.close()
    assert around_cache or reader.way == "plain"


def test_what_was_just_written_is_read(file: Path) -> None:
    reader = MediumReader(20_000)
    reader.open(file)
    with file.open("r+b") as other:
        other.seek(5000)
        other.write(b"new")
        other.flush()
        assert bytes(reader.read(4990, 20)) == DATA[4990:5000] + b"new" + DATA[5003:5010]
    reader.close()


class _Refusing:
    """A file whose file system takes direct reads until it is read."""

    def __init__(self, number: int) -> None:
        self._file = open(number, "rb", buffering=0)  # noqa: SIM115  # it is closed by `close`
        self.refused = 0

    def readinto(self, buffer: memoryview) -> int:
        import fcntl

        if fcntl.fcntl(self._file.fileno(), fcntl.F_GETFL) & os.O_DIRECT:
            self.refused += 1
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return self._file.readinto(buffer) or 0

    def fileno(self) -> int:
        return self._file.fileno()

    def seek(self, offset: int) -> None:
        self._file.seek(offset)

    def close(self) -> None:
        self._file.close()


def test_a_file_system_that_refuses_direct_reads_when_it_reads(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[_Refusing] = []

    def open_file(number: int) -> _Refusing:
        opened.append(_Refusing(number))
        return opened[-1]

    monkeypatch.setattr(io, "FileIO", open_file)
    reader = MediumReader(20_000)
    reader.open(file)
    was_direct = reader.way == "direct"
    read_all(reader)
    reader.close()
    assert reader.way == "uncached"
    assert opened[0].refused == was_direct


def test_a_system_without_direct_reads(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_DIRECT", raising=False)
    reader = MediumReader(20_000)
    reader.open(file)
    assert reader.way == "uncached"
    read_all(reader)
    reader.close()


def test_a_system_that_forgets_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "O_DIRECT", raising=False)
    monkeypatch.delattr(os, "posix_fadvise")
    reader = MediumReader(20_000)
    reader.open(file)
    assert reader.way == "plain"
    read_all(reader)
    reader.close()


def test_one_file_after_another(file: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"other")
    reader = MediumReader(4096)
    reader.open(file)
    assert reader.open(tmp_path / "other") == 5
    assert bytes(reader.read(0, 4096)) == b"other"
    reader.close()
    reader.close()


def test_what_is_no_file(tmp_path: Path) -> None:
    reader = MediumReader(4096)
    with pytest.raises(NotFound):
        reader.open(tmp_path / "nothing")
    with pytest.raises(NotRegular):
        reader.open(tmp_path)
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(NotRegular):
        reader.open(tmp_path / "link")


def test_a_medium_that_refuses(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(_Refusing):
        def readinto(self, buffer: memoryview) -> int:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(io, "FileIO", Broken)
    reader = MediumReader(4096)
    reader.open(file)
    with pytest.raises(DiskError, match="Input/output"):
        reader.read(0, 10)
    reader.close()


def test_dropping_changes_nothing(file: Path) -> None:
    with file.open("r+b") as changed:
        changed.write(b"not synced yet")
        changed.flush()
        drop_cache(changed.fileno(), 3, 7000)
    assert file.read_bytes() == b"not synced yet" + DATA[14:]
