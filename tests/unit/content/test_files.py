"""Local files: whole or not at all, and the disk's errors as ours."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from bundler.content import files
from bundler.errors import DamagedContent, DiskError, FileTooLarge, NoSpace, NotFound, NotWritable
from tests.fakes.streams import drain


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, NoSpace), (errno.EDQUOT, NoSpace), (errno.EFBIG, FileTooLarge), (errno.EACCES, NotWritable),
     (errno.EPERM, NotWritable), (errno.EROFS, NotWritable), (errno.EIO, DiskError), (errno.ENOENT, NotFound),
     (errno.ENOTDIR, NotFound), (errno.EISDIR, DiskError), (errno.EEXIST, DiskError)],
)  # fmt: skip
def test_errors_of_the_disk_become_ours(number: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="/the/path") as caught, files.disk_errors(Path("/the/path")):
        raise OSError(number, os.strerror(number))
    assert type(caught.value) is kind
    assert os.strerror(number) in str(caught.value)


def test_other_errors_pass() -> None:
    with pytest.raises(KeyError), files.disk_errors(Path("x")):
        raise KeyError
    with pytest.raises(DiskError, match="odd"), files.disk_errors(Path("x")):
        raise OSError("odd")


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_file(path, b"one")
    files.write_file(path, b"two!")
    assert path.read_bytes() == b"two!"
    assert [item.name for item in tmp_path.iterdir()] == ["a.json"]


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_file(path, b"one")
    files.partial(path).mkdir()
    with pytest.raises(DiskError):
        files.write_file(path, b"two")
    assert path.read_bytes() == b"one"
    with pytest.raises(NotFound):
        files.write_file(tmp_path / "no" / "a", b"")


def test_partial_names_stand_beside_the_whole() -> None:
    assert files.partial(Path("d/a.tar.001")) == Path("d/a.tar.001.partial")


def test_short_writes_go_on() -> None:
    reading, writing = os.pipe()
    try:
        os.set_blocking(reading, False)
        files.write_all(writing, memoryview(b"abc" * 1000))
        assert os.read(reading, 10_000) == b"abc" * 1000
    finally:
        os.close(reading)
        os.close(writing)


def test_syncing(tmp_path: Path) -> None:
    files.write_file(tmp_path / "a", b"x")
    files.sync_directory(tmp_path)
    with pytest.raises(OSError, match="No such file"):
        files.sync_directory(tmp_path / "no")


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [(0, None, b"0123456789"), (3, None, b"3456789"), (3, 4, b"3456"), (0, 0, b""), (10, None, b""),
     (8, 99, b"89"), (99, None, b"")],
)  # fmt: skip
def test_a_range_of_a_file(tmp_path: Path, offset: int, length: int | None, expected: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    for step in (1, 3, 100):
        stream = files.FileStream(path, offset, length)
        assert drain(stream, step) == expected
        stream.close()
        stream.close()


def test_skipping_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    stream = files.FileStream(path, 0, 6)
    stream.skip(2)
    assert drain(stream, 3) == b"2345"
    beyond = files.FileStream(path, 0, 6)
    beyond.skip(8)
    assert drain(beyond, 3) == b""
    whole = files.FileStream(path)
    whole.skip(10)
    with pytest.raises(DamagedContent, match="truncated: it has 10 bytes, 11 are needed"):
        whole.skip(1)
    for opened in (stream, beyond, whole):
        opened.close()


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no-such"):
        files.FileStream(tmp_path / "no-such")
    with pytest.raises(DiskError):
        files.FileStream(tmp_path)


def test_a_few_bytes_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert files.read_range(path, 3, 4) == b"3456"
    assert files.read_range(path, 10, 0) == b""
    with pytest.raises(DamagedContent, match="truncated"):
        files.read_range(path, 8, 4)
    with pytest.raises(NotFound):
        files.read_range(tmp_path / "none", 0, 1)


def test_a_file_that_is_rewritten_keeps_its_link_and_its_mode(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    files.rewrite_file(file, b"new")
    file.chmod(0o640)
    link.symlink_to(file.name)
    files.rewrite_file(link, b"newer")
    assert link.is_symlink()
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"newer", 0o640)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]
