"""A lock belongs to one holder, goes with the file when that is renamed, and ends with its holder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bundler.content.file_lock import FileLock, SharedLock
from bundler.errors import NotFound, OutputExists


def test_one_holder(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    with pytest.raises(OutputExists, match="another run"):
        FileLock(tmp_path / "lock")
    (tmp_path / "lock").rename(tmp_path / "renamed")
    with pytest.raises(OutputExists, match="another run"):
        FileLock(tmp_path / "renamed", create=False)
    lock.release()
    lock.release()
    FileLock(tmp_path / "renamed", create=False).release()


def test_nothing_is_created_unasked(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        FileLock(tmp_path / "lock", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_holder_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, bundler.content.file_lock as f\n"
        "lock = f.FileLock(pathlib.Path(sys.argv[1]))\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "lock")],
        cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(OutputExists):
            FileLock(tmp_path / "lock")
        process.kill()
    FileLock(tmp_path / "lock").release()


def test_a_lock_of_several(tmp_path: Path) -> None:
    one, two = SharedLock(tmp_path / "lock"), SharedLock(tmp_path / "lock")
    assert not one.upgrade()
    one.release()
    one.release()
    assert two.upgrade()
    assert not one.upgrade()
    two.release()
