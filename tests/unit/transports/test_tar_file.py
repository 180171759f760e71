import io
import os
import tarfile
from pathlib import Path

import pytest

from bundler.content.streams import read_all
from bundler.errors import AirbundleError, DamagedContent, MalformedDocument, NotFound, UsageError
from bundler.model.limits import Limits
from bundler.transports.archive_files import open_archive

Entry = tuple[str, bytes | None, str]


def write_tar(path: Path, *entries: Entry) -> Path:
    """Write files, and links where there is no payload: symbolic, or hard for names that begin with '='."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data, target in entries:
            info = tarfile.TarInfo(name)
            if data is None:
                info.type = tarfile.LNKTYPE if target.startswith("=") else tarfile.SYMTYPE
                info.linkname = target.removeprefix("=")
                tar.addfile(info)
            else:
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return path


def file(name: str, data: bytes) -> Entry:
    return name, data, ""


def link(name: str, target: str) -> Entry:
    return name, None, target


def test_files_are_read_by_name_in_any_order_and_from_any_offset(tmp_path: Path) -> None:
    tar = open_archive(write_tar(tmp_path / "t", file("./a/b", b"first"), file("c", b"second")))
    assert list(tar) == ["a/b", "c"]
    assert (tar.read("c", 6), tar.read("a/b", 99), tar.size("c")) == (b"second", b"first", 6)
    stream = tar.open("c", 4)
    assert read_all(stream, 9) == b"nd"
    stream.close()
    tar.close()
    tar.close()


def test_an_offset_outside_of_the_file_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    tar = open_archive(write_tar(tmp_path / "t", file("a", b"12")))
    with pytest.raises(ValueError, match="offset 3"):
        tar.open("a", 3)


def test_links_are_followed_inside_the_archive_also_to_later_entries(tmp_path: Path) -> None:
    tar = open_archive(
        write_tar(
            tmp_path / "t", link("x/l", "../y/f"), link("h", "=x/l"), file("y/f", b"data"), link("up", "/y/f")
        )
    )
    assert [tar.read(name, 9) for name in ("x/l", "h", "up")] == [b"data"] * 3
    assert tar.resolve("h") == "y/f"


@pytest.mark.parametrize("target", ["../../etc/passwd", "/etc/passwd", "nowhere"])
def test_a_link_out_of_the_archive_leads_nowhere(tmp_path: Path, target: str) -> None:
    tar = open_archive(write_tar(tmp_path / "t", link("l", target)))
    assert "l" not in tar
    with pytest.raises(NotFound, match="no file 'l'"):
        tar.open("l")


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    tar = open_archive(write_tar(tmp_path / "t", link("a", "b"), link("b", "a")))
    with pytest.raises(MalformedDocument, match="circle"):
        tar.read("a", 1)


def test_of_doubled_entries_the_last_counts(tmp_path: Path) -> None:
    tar = open_archive(write_tar(tmp_path / "t", file("a", b"old"), file("b", b""), file("./a", b"new")))
    assert tar.read("a", 9) == b"new"


def test_directories_are_no_files(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t", "w") as tar:
        info = tarfile.TarInfo("d")
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    assert "d" not in open_archive(tmp_path / "t")


def test_reading_more_than_allowed_is_refused_before_it_begins(tmp_path: Path) -> None:
    tar = open_archive(write_tar(tmp_path / "t", file("a", b"12345")))
    with pytest.raises(MalformedDocument, match="5 bytes, more than the 4"):
        tar.read("a", 4)


def test_a_pipe_a_directory_and_nothing_are_told_apart(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    with pytest.raises(UsageError, match="pipe"):
        open_archive(tmp_path / "pipe")
    with pytest.raises(UsageError, match="directory"):
        open_archive(tmp_path)
    with pytest.raises(NotFound):
        open_archive(tmp_path / "nothing")
    with pytest.raises(DamagedContent, match="empty"):
        open_archive(tmp_path / "empty")


@pytest.mark.parametrize("size", [0, 1, 511, 512, 700, 1024 + 300])
def test_a_truncated_archive_is_never_taken_for_a_whole_one(tmp_path: Path, size: int) -> None:
    whole = write_tar(tmp_path / "t", file("a", b"x" * 600), file("b", b"y" * 600)).read_bytes()
    (tmp_path / "t").write_bytes(whole[:size])
    with pytest.raises(DamagedContent):
        open_archive(tmp_path / "t")


def test_what_is_no_tar_is_malformed(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"<html>" * 1000)
    with pytest.raises(MalformedDocument, match="not a tar"):
        open_archive(tmp_path / "t")


def test_an_archive_that_shrinks_while_it_is_read_is_damaged(tmp_path: Path) -> None:
    tar = open_archive(write_tar(tmp_path / "t", file("a", b"x" * 5000)))
    os.truncate(tmp_path / "t", 2000)
    with pytest.raises(DamagedContent, match="truncated"):
        tar.read("a", 5000)


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "t", *(file(str(number), b"") for number in range(9)))
    with pytest.raises(MalformedDocument, match="the limit archive_entries is 5"):
        open_archive(path, Limits(archive_entries=5))


def test_any_flipped_byte_gives_a_declared_error_or_a_reading(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "t", file("a", b"x"), link("b", "a")).read_bytes()
    for position in range(1536):
        (tmp_path / "t").write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            tar = open_archive(tmp_path / "t")
            for name in tar:
                if name in tar:
                    tar.read(name, 10)
        except AirbundleError:
            continue
