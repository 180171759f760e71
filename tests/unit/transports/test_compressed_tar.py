"""A tar that is compressed as a whole gives what the plain one gives, in bounded memory and few passes."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from bundler.errors import AirbundleError, DamagedContent, LimitExceeded, MalformedDocument, NotFound
from bundler.model.limits import Limits
from bundler.progress import SilentProgress, Task
from bundler.transports import compressed_tar
from bundler.transports.archive_files import open_archive
from bundler.transports.compressed_tar import CompressedTarFile
from bundler.transports.tar_file import TarFile
from bundler.transports.tar_files import TarFiles
from tests.fakes.compressions import COMPRESSIONS
from tests.fakes.memory import CountingTask
from tests.fakes.streams import drain, read_and_close
from tests.unit.transports.test_tar_file import Entry, file, link, write_tar

ENTRIES = (
    link("x/layer.tar", "../z/layer.tar"),
    file("./a", random.Random(1).randbytes(70_000)),
    file("doc.json", b'{"a": 1}'),
    file("twice", b"old"),
    file("empty", b""),
    file("z/layer.tar", random.Random(2).randbytes(3_000)),
    file("twice", b"[new]"),
)


@pytest.fixture(params=COMPRESSIONS)
def compression(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def archive(path: Path, compression: str, *entries: Entry) -> Path:
    write_tar(path, *entries)
    path.write_bytes(COMPRESSIONS[compression][0](path.read_bytes()))
    return path


class Passes:
    """Counts how often a compressed file is opened."""

    def __init__(self) -> None:
        self.count = 0


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Passes:
    counted = Passes()

    class Counting(compressed_tar._Unpacked):
        def __init__(self, path: Path, compression: str, limits: Limits, task: Task | None) -> None:
            counted.count += 1
            super().__init__(path, compression, limits, task)

    monkeypatch.setattr(compressed_tar, "_Unpacked", Counting)
    return counted


def everything(tar: TarFiles) -> dict[str, tuple[str, int, bytes, bytes]]:
    return {
        name: (tar.resolve(name), tar.size(name), tar.start(name), read_and_close(tar.open(name)))
        for name in tar
        if name in tar
    }


def test_it_gives_what_the_plain_file_gives(tmp_path: Path, compression: str) -> None:
    plain = open_archive(write_tar(tmp_path / "plain", *ENTRIES))
    packed = open_archive(archive(tmp_path / "plain.tar", compression, *ENTRIES))
    assert isinstance(plain, TarFile)
    assert isinstance(packed, CompressedTarFile)
    assert list(packed) == list(plain)
    assert everything(packed) == everything(plain)
    assert packed.read("x/layer.tar", 3_000) == plain.read("x/layer.tar", 3_000)
    assert (packed.read("twice", 5), packed.read("doc.json", 8)) == (b"[new]", b'{"a": 1}')
    for tar in (packed, plain):
        assert read_and_close(tar.open("a", 69_990)) == ENTRIES[1][1][69_990:]  # type: ignore[index]
        with pytest.raises(ValueError, match="offset"):
            tar.open("a", 70_001)
        with pytest.raises(MalformedDocument, match="more than the 7"):
            tar.read("doc.json", 7)
        for call in (tar.open, tar.start, tar.size, tar.resolve):
            with pytest.raises(NotFound):
                call("nothing")
        tar.close()
        tar.close()
        assert tar.read("doc.json", 8) == b'{"a": 1}'


def test_files_come_in_the_order_asked_for(tmp_path: Path, compression: str) -> None:
    names = ["z/layer.tar", "nothing", "a", "a", "empty", "x/layer.tar", "twice"]
    plain = open_archive(write_tar(tmp_path / "plain", *ENTRIES))
    packed = open_archive(archive(tmp_path / "packed", compression, *ENTRIES))
    for tar in (plain, packed):
        found = [None if stream is None else drain(stream) for stream in tar.walk(names)]
        assert found == [None if name == "nothing" else read_and_close(tar.open(name)) for name in names]
        # Streams may be left unread, in part too, and closed.
        for number, stream in enumerate(tar.walk(names)):
            if stream is not None and number % 2:
                stream.readinto(memoryview(bytearray(5)))
                stream.close()


def test_one_pass_for_the_order_of_the_archive_and_one_more_for_each_step_back(
    tmp_path: Path, passes: Passes
) -> None:
    tar = open_archive(archive(tmp_path / "t", "gzip", *(file(name, name.encode() * 999) for name in "abcdef")))
    assert passes.count == 1
    for names, expected in (("abcdef", 1), ("ace", 1), ("bacdef", 2), ("fedcba", 6), ("adbecf", 3), ("", 1)):
        passes.count = 0
        assert [drain(stream) for stream in tar.walk(names) if stream] == [n.encode() * 999 for n in names]
        assert passes.count == expected


def test_documents_need_no_further_pass(tmp_path: Path, passes: Passes) -> None:
    documents = [file(f"{number}.json", json.dumps({"n": number}).encode()) for number in range(20)]
    tar = open_archive(archive(tmp_path / "t", "gzip", *documents))
    for name, data, _ in reversed(documents):
        assert tar.read(name, 99) == data
    assert passes.count == 1


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (Limits(archive_entries=6), "archive_entries"),
        (Limits(archive_bytes=70_000), "archive_bytes"),
        (Limits(archive_document_bytes=1024 + 8 + 4), "archive_document_bytes"),
    ],
)
def test_every_bound_is_enforced(tmp_path: Path, limits: Limits, name: str) -> None:
    with pytest.raises(LimitExceeded, match=f"the limit {name} is") as caught:
        open_archive(archive(tmp_path / "t", "gzip", *ENTRIES), limits)
    assert f"--limit {name}=" in caught.value.advice


def test_just_within_every_bound(tmp_path: Path) -> None:
    size = len(write_tar(tmp_path / "plain", *ENTRIES).read_bytes())
    limits = Limits(archive_entries=8, archive_bytes=size, archive_document_bytes=1024 + 8 + 5)
    assert "a" in open_archive(archive(tmp_path / "t", "gzip", *ENTRIES), limits)


def test_a_document_that_is_too_large_is_not_kept(tmp_path: Path) -> None:
    limits = Limits(document_bytes=100, archive_document_bytes=100)
    tar = open_archive(archive(tmp_path / "t", "xz", file("large", b"{" + b" " * 5000)), limits)
    assert read_and_close(tar.open("large")).startswith(b"{ ")


def test_a_bomb_is_stopped_by_its_ratio(tmp_path: Path) -> None:
    path = archive(tmp_path / "t", "zstd", file("zeros", bytes(8 << 20)))
    assert open_archive(path).size("zeros") == 8 << 20
    with pytest.raises(LimitExceeded, match="the limit layer_ratio is 3"):
        open_archive(path, Limits(layer_ratio=3))


def test_memory_stays_flat_whatever_comes_out(tmp_path: Path, compression: str) -> None:
    """64 MiB of zeros in a few KiB, read by a process that may have little more than it starts with."""
    path = archive(tmp_path / "t", compression, file("zeros", bytes(64 << 20)), file("b", b"end"))
    script = (
        "import sys, pathlib, resource\n"
        "from bundler.transports.archive_files import open_archive\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "tar = open_archive(pathlib.Path(sys.argv[1]))\n"
        "assert [s.readinto(memoryview(bytearray(9))) for s in tar.walk(['b', 'zeros', 'b'])] == [3, 9, 3]\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 24 << 10, f"{done.stdout} KiB more"


@pytest.mark.parametrize("step", [1, 97])
def test_every_truncation_is_noticed(tmp_path: Path, compression: str, step: int) -> None:
    entries = (file("a", b"x" * 600), file("b", random.Random(3).randbytes(600)))
    whole = archive(tmp_path / "t", compression, *entries).read_bytes()
    # What stands behind the tar's end marker, such as the sum of the whole, is not looked at.
    end = len(whole) - 60
    for size in range(0, end, step if len(whole) > 2000 else 7):
        (tmp_path / "t").write_bytes(whole[:size])
        with pytest.raises((DamagedContent, MalformedDocument)):
            read_and_close(open_archive(tmp_path / "t").open("b"))


def test_flipped_bytes_give_a_declared_error_or_a_reading(tmp_path: Path, compression: str) -> None:
    whole = archive(tmp_path / "t", compression, file("a", b"x" * 600), link("b", "a")).read_bytes()
    for position in range(len(whole)):
        (tmp_path / "t").write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            everything(open_archive(tmp_path / "t"))
        except AirbundleError:
            continue


def test_a_file_that_changes_between_two_passes_is_damaged(tmp_path: Path) -> None:
    tar = open_archive(archive(tmp_path / "t", "gzip", *ENTRIES))
    archive(tmp_path / "t", "gzip", file("a", b"shorter"))
    for name in ("a", "z/layer.tar"):
        with pytest.raises(DamagedContent, match="truncated"):
            read_and_close(tar.open(name))
        with pytest.raises(DamagedContent, match="truncated"):
            [drain(stream) for stream in tar.walk([name]) if stream]


def test_what_is_compressed_but_no_tar_is_malformed(tmp_path: Path, compression: str) -> None:
    (tmp_path / "t").write_bytes(COMPRESSIONS[compression][0](b"<html>" * 1000))
    with pytest.raises(MalformedDocument, match="not a tar"):
        open_archive(tmp_path / "t")
    (tmp_path / "t").write_bytes(COMPRESSIONS[compression][0](gzip.compress(b"<html>" * 1000)))
    with pytest.raises((MalformedDocument, DamagedContent), match="not a tar"):
        open_archive(tmp_path / "t")


def test_names_of_files_say_nothing(tmp_path: Path) -> None:
    assert isinstance(open_archive(write_tar(tmp_path / "x.tar.gz", *ENTRIES)), TarFile)
    assert isinstance(open_archive(archive(tmp_path / "x.tar", "gzip", *ENTRIES)), CompressedTarFile)


def test_the_first_pass_is_told_in_compressed_bytes(tmp_path: Path, compression: str) -> None:
    task = CountingTask()

    class Watching(SilentProgress):
        def task(self, label: str, total: int | None = None) -> Task:
            assert total == path.stat().st_size
            return task

    path = archive(tmp_path / "t", compression, *ENTRIES)
    tar = open_archive(path, progress=Watching())
    assert 0 < task.done <= path.stat().st_size
    assert task.texts == [f"looking into {path}"]
    before = task.done
    read_and_close(tar.open("a"))
    assert task.done == before
