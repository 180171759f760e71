"""Archives cut into parts: byte for byte one tar, whatever the size of a part."""

from __future__ import annotations

import errno
import io
import os
import tarfile
from pathlib import Path

import pytest

from bundler.bundle.manifest import Archive
from bundler.content.hashing import PartSums, sha256
from bundler.errors import DiskError, NoSpace
from bundler.packing.writing import part_sealer
from bundler.packing.writing.archive_writer import ArchiveWriter, blob_path
from bundler.packing.writing.cut_file import CutFile
from tests.builders import final_names, joined, no_thread_is_left, noise, wait_until

BLOCK = 1000


def write(directory: Path, part_bytes: int, *, known: bool, end: bool = True, count: int = 3) -> Archive:
    """Write ``count`` blobs of odd sizes and a small file."""
    archive = ArchiveWriter(directory, "web", part_bytes, BLOCK)
    archive.add_file("oci-layout", b"{}")
    for number in range(count):
        data = blob(number)
        digest = sha256(data)
        offset = archive.begin_blob(digest, len(data)) if known else archive.begin_blob()
        assert offset % 512 == 0
        for start in range(0, len(data), 700):
            archive.append(data[start : start + 700])
        assert archive.end_blob(digest) == len(data)
    return archive.finish(with_end_marker=end)


def blob(number: int) -> bytes:
    return noise(f"blob {number}", (0, 1, 511, 512, 513, 3000)[number % 6] + 1000 * (number // 6))


def entries(data: bytes) -> dict[str, bytes]:
    result = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            result[member.name] = file.read()
            assert (member.mtime, member.uid, member.gid, member.mode) == (0, 0, 0, 0o644)
    return result


@pytest.mark.parametrize("known", [True, False], ids=["size known", "size known at the end"])
@pytest.mark.parametrize("part_bytes", [0, 17, 100, 511, 512, 513, 777, 1024, 4096, 1 << 20])
def test_every_cut_gives_the_same_archive(tmp_path: Path, part_bytes: int, known: bool) -> None:
    # Tiny parts of all blobs would need thousands of files; a tar of one shows the same.
    count = 1 if part_bytes == 17 else 6
    with no_thread_is_left():
        archive = write(tmp_path, part_bytes, known=known, count=count)
    data = joined(tmp_path, "web")
    assert len(data) == archive.size
    assert data.endswith(bytes(1024))
    assert entries(data) == {
        "oci-layout": b"{}",
        **{blob_path(sha256(blob(number))): blob(number) for number in range(count)},
    }
    assert {part.file for part in archive.parts} == {path.name for path in tmp_path.iterdir()}
    for part in archive.parts:
        sums = PartSums(BLOCK)
        sums.update(memoryview((tmp_path / part.file).read_bytes()))
        assert (part.size, part.sha256, part.xxh3_128, part.blocks) == (
            sums.size, sums.sha256, sums.xxh3_128, sums.blocks,
        )  # fmt: skip
    assert all(part.size == part_bytes for part in archive.parts[:-1])


def test_the_bytes_do_not_depend_on_when_a_size_was_known(tmp_path: Path) -> None:
    for name, part_bytes, known in (("a", 0, True), ("b", 300, False), ("c", 512, True)):
        (tmp_path / name).mkdir()
        write(tmp_path / name, part_bytes, known=known)
    assert joined(tmp_path / "a", "web") == joined(tmp_path / "b", "web") == joined(tmp_path / "c", "web")


def test_a_header_that_is_owed_may_lie_in_two_parts(tmp_path: Path) -> None:
    # The first header begins at byte 1024 behind `oci-layout`; parts of 1100 bytes cut it after 76.
    archive = write(tmp_path, 1100, known=False, count=6)
    assert archive.parts[0].size == 1100
    header = (tmp_path / "web.oci.tar.001").read_bytes()[1024:] + (tmp_path / "web.oci.tar.002").read_bytes()
    assert header[257:262] == b"ustar"
    assert header[:76].decode() == blob_path(sha256(blob(0)))[:76]


def test_an_archive_without_end_marker_can_be_followed_by_another(tmp_path: Path) -> None:
    archive = write(tmp_path, 0, known=False, end=False)
    data = joined(tmp_path, "web")
    assert len(data) == archive.size
    assert not data.endswith(bytes(1024))
    (tmp_path / "next").mkdir()
    write(tmp_path / "next", 0, known=True, count=5)
    assert set(entries(data + joined(tmp_path / "next", "web"))) == {
        "oci-layout",
        *(blob_path(sha256(blob(number))) for number in range(5)),
    }


@pytest.mark.parametrize(("parts", "names"), [(1, ["web.oci.tar"]), (2, ["web.oci.tar.001", "web.oci.tar.002"])])
def test_parts_that_are_exactly_full(tmp_path: Path, parts: int, names: list[str]) -> None:
    whole = write(tmp_path, 0, known=True).size
    (tmp_path / "web.oci.tar").unlink()
    archive = write(tmp_path, whole // parts, known=True)
    assert [part.size for part in archive.parts] == [whole // parts] * parts
    assert final_names(tmp_path) == names == [part.file for part in archive.parts]


@pytest.mark.parametrize(("count", "first", "last"), [(999, "001", "999"), (1000, "0001", "1000")])
def test_more_than_999_parts_get_a_digit_more(tmp_path: Path, count: int, first: str, last: str) -> None:
    archive = ArchiveWriter(tmp_path, "web", 100, BLOCK)
    data = noise("many", 100 * count - 1024)
    archive.begin_blob(sha256(data), len(data))
    archive.append(data)
    # Without the padding of `end_blob` the number of parts is exact.
    archive._cut.write(bytes(512))
    written = archive.finish(with_end_marker=False)
    assert len(written.parts) == count
    assert written.parts[0].file == f"web.oci.tar.{first}"
    assert written.parts[-1].file == f"web.oci.tar.{last}"
    assert [path.name for path in sorted(tmp_path.iterdir())] == [part.file for part in written.parts]
    assert joined(tmp_path, "web")[512:-512] == data


def test_a_final_name_means_whole(tmp_path: Path) -> None:
    archive = ArchiveWriter(tmp_path, "web", 1000, BLOCK)
    data = noise("x", 5000)
    archive.begin_blob()
    archive.append(data)
    # The header of the blob lies in the first part, so nothing of it is final yet.
    assert final_names(tmp_path) == []
    archive.end_blob(sha256(data))
    archive.finish(with_end_marker=True)
    assert len(final_names(tmp_path)) == 7
    assert len(list(tmp_path.iterdir())) == 7


def test_abandon_takes_the_names_of_what_is_not_proven_back(tmp_path: Path) -> None:
    with no_thread_is_left():
        archive = ArchiveWriter(tmp_path, "web", 1000, BLOCK)
        first, second = noise("x", 2800), noise("y", 5000)
        archive.begin_blob(sha256(first), len(first))
        archive.append(first)
        archive.end_blob(sha256(first))
        archive.begin_blob(sha256(second), len(second))
        archive.append(second)
        wait_until(lambda: len(final_names(tmp_path)) == 9)
        archive.abandon()
        archive.abandon()
    # The first blob and its padding end at byte 3584: the fourth part holds bytes of the second one too.
    assert final_names(tmp_path) == [f"web.oci.tar.{number:03}" for number in (1, 2, 3)]
    assert len(list(tmp_path.iterdir())) == 10


def test_abandon_after_finish_changes_nothing(tmp_path: Path) -> None:
    archive = ArchiveWriter(tmp_path, "web", 0, BLOCK)
    archive.add_file("x", b"y")
    archive.finish(with_end_marker=True)
    archive.abandon()
    assert [path.name for path in tmp_path.iterdir()] == ["web.oci.tar"]


@pytest.mark.parametrize("step", ["sync_file", "sync_directory"])
def test_a_disk_that_cannot_keep_what_it_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def refuse(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(part_sealer, step, refuse)
    with no_thread_is_left():
        archive = ArchiveWriter(tmp_path, "web", 0, BLOCK)
        archive.add_file("x", b"y")
        with pytest.raises(NoSpace):
            archive.finish(with_end_marker=True)
        archive.abandon()
    # Where only the directory could not be synced the part has its name, and it is whole.
    assert final_names(tmp_path) == ([] if step == "sync_file" else ["web.oci.tar"])


def test_an_error_while_names_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, count = Path.replace, 0

    def refuse_the_1100th(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == 1100:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse_the_1100th)
    with no_thread_is_left():
        archive = ArchiveWriter(tmp_path, "web", 100, BLOCK)
        archive.begin_blob()
        archive.append(noise("x", 100 * 1001))
        with pytest.raises(DiskError):
            archive.finish(with_end_marker=True)
        monkeypatch.undo()
        archive.abandon()
    assert len(list(tmp_path.iterdir())) == 1017, "none took the place of another"


def test_the_sealer_reports_a_file_that_shrank(tmp_path: Path) -> None:
    archive = ArchiveWriter(tmp_path, "web", 0, BLOCK)
    archive.begin_blob()
    archive.append(noise("x", 3000))
    os.truncate(tmp_path / "web.oci.tar.001.partial", 10)
    archive._sealer.settle(2000)
    with pytest.raises(DiskError, match="shorter"):
        archive.finish(with_end_marker=False)
    archive.abandon()


def test_no_more_than_one_file_is_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    cut = CutFile(tmp_path, "web", 10)
    cut.write(bytes(1000))
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
    cut.patch(5, bytes(100))
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
    cut.close()
    cut.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("part_bytes", [0, 7, 10, 64])
def test_patches_span_parts(tmp_path: Path, part_bytes: int) -> None:
    cut = CutFile(tmp_path, "web", part_bytes)
    data = noise("x", 100)
    cut.write(data)
    cut.patch(13, b"=" * 30)
    cut.close()
    assert joined(tmp_path, "web") == data[:13] + b"=" * 30 + data[43:]
    assert cut.position == 100


def test_a_close_that_fails_is_a_declared_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = CutFile(tmp_path, "web", 0)
    cut.write(b"x")
    close = os.close

    def refuse(descriptor: int) -> None:
        close(descriptor)
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", refuse)
        with pytest.raises(NoSpace):
            cut.close()
    cut.close()
