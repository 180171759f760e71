"""How much a disk still takes."""

from __future__ import annotations

import shutil
from pathlib import Path

from bundler.content.files import disk_errors
from bundler.errors import DiskError, NotFound


def free_bytes(path: Path) -> int:
    """Return how many bytes this user may still write below the nearest existing directory.

    Raises:
        DiskError: the disk refused.
    """
    with disk_errors(path):
        return shutil.disk_usage(nearest_existing(path)).free


def nearest_existing(path: Path) -> Path:
    """Return the path itself, or the nearest one above it that exists: whose file system it will lie on.

    Raises:
        NotFound: a file stands in its way. DiskError: the disk refused, or nothing above it exists.
    """
    for candidate in (path, *path.absolute().parents):
        try:
            with disk_errors(path):
                candidate.stat()
        except NotFound as error:
            if isinstance(error.__cause__, NotADirectoryError):
                raise
            continue
        return candidate
    raise DiskError(f"{path}: no directory above it exists")


def taken_bytes(path: Path) -> int:
    """Return how many bytes of a file have their place on the disk already: what its holes need is not there yet.

    A file that does not exist has none.

    Raises:
        DiskError: the disk refused.
    """
    with disk_errors(path):
        try:
            facts = path.lstat()
        except FileNotFoundError:
            return 0
    # Some file systems do not count blocks, and Windows does not know them.
    held = getattr(facts, "st_blocks", 0) * 512
    return min(facts.st_size, held) if held else facts.st_size
