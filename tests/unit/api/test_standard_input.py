"""Standard input becomes a file that can be read in any order, and nothing of it stays."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundler.api import standard_input
from bundler.api.standard_input import StandardInput
from bundler.errors import DamagedContent, FileTooLarge, LimitExceeded, OutputExists, UsageError
from bundler.model.limits import Limits
from bundler.packing.writing.output import OutputDirectory
from bundler.progress import SilentProgress

DATA = os.urandom(3_000_000)
Redirect = Callable[[int], None]


class Heard(SilentProgress):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)


@pytest.fixture
def redirect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Redirect]:
    """Make a file descriptor the standard input; pytest's own one stays as it is."""
    used: list[int] = []

    def to(descriptor: int) -> None:
        used.append(descriptor)
        monkeypatch.setattr(standard_input, "_STDIN", descriptor)
        monkeypatch.setattr(standard_input, "_REOPENED", Path(f"/proc/self/fd/{descriptor}"))

    yield to
    for descriptor in used:
        os.close(descriptor)


@pytest.fixture
def pipe(redirect: Redirect, tmp_path: Path) -> Iterator[None]:
    """A pipe of ``DATA`` as standard input."""
    (tmp_path / "data").write_bytes(DATA)
    with subprocess.Popen(
        ["cat", tmp_path / "data"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    ) as writer:
        assert writer.stdout is not None
        redirect(os.dup(writer.stdout.fileno()))
        yield
        writer.kill()


def directory(tmp_path: Path) -> OutputDirectory:
    return OutputDirectory(tmp_path / "out")


def test_a_pipe_is_kept_beside_the_bundle_and_removed_at_the_end(tmp_path: Path, pipe: None) -> None:
    heard = Heard()
    given = StandardInput(directory(tmp_path), progress=heard)
    kept = given.path()
    assert kept == tmp_path / "out" / "standard-input.partial"
    assert kept.read_bytes() == DATA
    assert given.path() == kept  # and it is not read again
    assert heard.messages == [f"standard input is kept in {kept} until the pack ends"]
    given.close()
    given.close()
    assert [path.name for path in kept.parent.iterdir()] == ["bundle.json.partial"]


def test_the_pack_that_follows_leaves_it_alone_and_the_next_one_removes_it(tmp_path: Path, pipe: None) -> None:
    output = directory(tmp_path)
    kept = StandardInput(output).path()
    output.prepare()
    assert kept.exists()
    output.release()  # as the end of a process does, however it comes
    OutputDirectory(tmp_path / "out").prepare()
    assert not kept.exists()


def test_a_file_is_read_where_it_lies(tmp_path: Path, redirect: Redirect) -> None:
    (tmp_path / "file").write_bytes(DATA)
    redirect(os.open(tmp_path / "file", os.O_RDONLY))
    given = StandardInput(None)
    for _ in range(2):
        assert given.path().read_bytes() == DATA
    given.close()
    assert (tmp_path / "file").exists()


def test_a_file_that_is_partly_read_counts_from_there(tmp_path: Path, redirect: Redirect) -> None:
    (tmp_path / "file").write_bytes(DATA)
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    redirect(descriptor)
    os.read(descriptor, 10)
    with pytest.raises(UsageError, match="use it up"):
        StandardInput(None).path()
    assert StandardInput(directory(tmp_path)).path().read_bytes() == DATA[10:]


def test_where_files_cannot_be_opened_again_they_are_kept(
    tmp_path: Path, redirect: Redirect, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(DATA)
    redirect(os.open(tmp_path / "file", os.O_RDONLY))
    monkeypatch.setattr(standard_input, "_REOPENED", tmp_path / "no such thing here")
    assert StandardInput(directory(tmp_path)).path().read_bytes() == DATA


def test_what_is_no_archive_is_refused(
    tmp_path: Path, redirect: Redirect, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, terminal = os.openpty()
    redirect(terminal)
    with pytest.raises(UsageError, match="no archive"):
        StandardInput(directory(tmp_path)).path()
    os.close(ours)
    redirect(os.open(tmp_path, os.O_RDONLY))
    with pytest.raises(UsageError, match="no archive"):
        StandardInput(directory(tmp_path)).path()
    monkeypatch.setattr(sys, "__stdin__", None)
    with pytest.raises(UsageError, match="no standard input"):
        StandardInput(directory(tmp_path)).path()
    assert not (tmp_path / "out").exists()


def test_nothing_is_no_archive(tmp_path: Path, redirect: Redirect) -> None:
    redirect(os.open(os.devnull, os.O_RDONLY))
    with pytest.raises(DamagedContent, match="empty"):
        StandardInput(directory(tmp_path)).path()


def test_an_endless_stream_is_stopped(tmp_path: Path, redirect: Redirect) -> None:
    redirect(os.open("/dev/zero", os.O_RDONLY))
    given = StandardInput(directory(tmp_path), Limits(archive_bytes=5_000_000))
    with pytest.raises(LimitExceeded, match="archive_bytes"):
        given.path()
    given.close()
    assert not (tmp_path / "out" / "standard-input.partial").exists()


@pytest.mark.parametrize(("most", "fits"), [(len(DATA), True), (len(DATA) - 1, False)])
def test_the_bound_is_exact(tmp_path: Path, pipe: None, most: int, fits: bool) -> None:
    given = StandardInput(directory(tmp_path), Limits(archive_bytes=most))
    if fits:
        assert given.path().stat().st_size == len(DATA)
        return
    with pytest.raises(LimitExceeded):
        given.path()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_system_that_cannot_hold_it_is_named_with_what_to_do(tmp_path: Path, pipe: None) -> None:
    given = StandardInput(directory(tmp_path))
    with pytest.raises(FileTooLarge, match="kept in one file") as caught, largest_file(100_000):
        given.path()
    assert "another disk" in caught.value.advice
    given.close()
    assert not (tmp_path / "out" / "standard-input.partial").exists()


def test_a_directory_that_is_not_ours_is_not_written_to(tmp_path: Path, pipe: None) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    given = StandardInput(directory(tmp_path))
    with pytest.raises(OutputExists):
        given.path()
    given.close()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
