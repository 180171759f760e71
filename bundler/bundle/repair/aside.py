"""Room for a file where a directory has its name: nobody else may need what is in it, so it stays, beside."""

from __future__ import annotations

import os
from pathlib import Path

from bundler.content.files import disk_errors, sync_directory
from bundler.errors import OutputExists

_SUFFIX = ".aside"


def check_place(path: Path) -> None:
    """Find out whether a path can be had, as far as names tell.

    Raises:
        OutputExists: a directory lies there, and another one has the name that it would get.
        DiskError: the disk refused.
    """
    aside = path.with_name(path.name + _SUFFIX)
    with disk_errors(path):
        if _is_directory(path) and os.path.lexists(aside):
            raise OutputExists(f"{path} is a directory, and {aside.name} is there too", advice="Move them away.")


def set_aside(path: Path) -> None:
    """Rename a directory to ``<name>.aside``, where one lies in the place of a file; anything else stays.

    Raises:
        OutputExists: that name is taken. DiskError: the disk refused.
    """
    check_place(path)
    with disk_errors(path):
        if _is_directory(path):
            path.rename(path.with_name(path.name + _SUFFIX))
            sync_directory(path.parent)


def _is_directory(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
