"""A disk that fails at a chosen operation: full from there on, full once, or gone altogether."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

#: What also a full disk still does.
_TAKES_NONE = ("rename", "unlink")


class Disk:
    """Counts the operations below one directory, and lets some of them fail.

    Attributes:
        fails_at: number of the first operation that fails; 0 lets all pass.
        lasting: every later one fails as well.
        gone: renames and unlinks fail too, as on a stick that was pulled out. With ``lasting`` the directory
            is left exactly as by a process that was killed there.
        done: operations so far, those that failed included.
    """

    def __init__(self, below: Path, fails_at: int, *, lasting: bool, gone: bool) -> None:
        self._below = str(below)
        self._fails_at = fails_at
        self._lasting = lasting
        self._gone = gone
        self._lock = threading.Lock()
        self.done = 0
        self.failed = 0

    def operation(self, kind: str, path: str | Path) -> None:
        """Count one operation, and fail if it is its turn."""
        if not str(path).startswith(self._below) or (kind in _TAKES_NONE and not self._gone):
            return
        with self._lock:
            self.done += 1
            turn = self.done == self._fails_at or (self._lasting and self.done > self._fails_at > 0)
            self.failed += turn
        if turn:
            number = errno.EIO if self._gone else errno.ENOSPC
            raise OSError(number, os.strerror(number), str(path))


class _File:
    """A file opened for writing, whose writes are operations of the disk."""

    def __init__(self, file: IO[bytes], path: Path, disk: Disk) -> None:
        self._file, self._path, self._disk = file, path, disk

    def write(self, data: bytes) -> int:
        self._disk.operation("write", self._path)
        return self._file.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@contextmanager
def failing_disk(below: Path, fails_at: int = 0, *, lasting: bool = True, gone: bool = False) -> Iterator[Disk]:
    """Let the disk below a directory fail inside the block."""
    disk = Disk(below, fails_at, lasting=lasting, gone=gone)
    with pytest.MonkeyPatch.context() as patch:
        _patch_descriptors(patch, disk)
        _patch_paths(patch, disk)
        yield disk


def _path_of(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def _inside(directory: int | None, path: Any) -> Any:
    return path if directory is None else Path(_path_of(directory)) / path


def _patch_descriptors(patch: pytest.MonkeyPatch, disk: Disk) -> None:
    opened, write, sync, rename, unlink = os.open, os.write, os.fsync, os.replace, os.unlink

    def open_file(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_CREAT:
            disk.operation("create", _inside(more.get("dir_fd"), path))
        return opened(path, flags, *rest, **more)

    def rename_inside(path: Any, target: Any, **more: Any) -> None:
        if more:
            disk.operation("rename", _inside(more["src_dir_fd"], path))
        rename(path, target, **more)

    def unlink_inside(path: Any, **more: Any) -> None:
        if more:
            disk.operation("unlink", _inside(more["dir_fd"], path))
        unlink(path, **more)

    def write_bytes(descriptor: int, data: Any) -> int:
        disk.operation("write", _path_of(descriptor))
        return write(descriptor, data)

    def sync_file(descriptor: int) -> None:
        disk.operation("sync", _path_of(descriptor))
        sync(descriptor)

    patch.setattr(os, "open", open_file)
    patch.setattr(os, "write", write_bytes)
    patch.setattr(os, "fsync", sync_file)
    patch.setattr(os, "replace", rename_inside)
    patch.setattr(os, "unlink", unlink_inside)


def _patch_paths(patch: pytest.MonkeyPatch, disk: Disk) -> None:
    opened, replace, unlink, touch = Path.open, Path.replace, Path.unlink, Path.touch

    def open_path(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if "w" not in mode:
            return opened(self, mode, *rest, **more)
        disk.operation("open for writing", self)
        return _File(opened(self, mode, *rest, **more), self, disk)

    def replace_path(self: Path, target: Any) -> Path:
        disk.operation("rename", self)
        return replace(self, target)

    def unlink_path(self: Path, missing_ok: bool = False) -> None:
        disk.operation("unlink", self)
        unlink(self, missing_ok=missing_ok)

    def touch_path(self: Path, *rest: Any, **more: Any) -> None:
        disk.operation("touch", self)
        touch(self, *rest, **more)

    patch.setattr(Path, "open", open_path)
    patch.setattr(Path, "replace", replace_path)
    patch.setattr(Path, "unlink", unlink_path)
    patch.setattr(Path, "touch", touch_path)
