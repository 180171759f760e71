"""Tars of file trees, cut into layers."""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

#: Software lies there on every system, and nothing that is private.
_OWN_TREES = ("/usr/lib", "/usr/share", "/usr/bin", "/usr/libexec", "/usr/sbin", "/usr/local", "/opt")


class TooFewFiles(Exception):
    """This machine has not enough files to make images of."""


def own_files() -> Iterator[tuple[Path, int]]:
    """Yield regular files of this machine's software and their sizes, in an order that stays the same."""
    for tree in _OWN_TREES:
        for top, directories, names in os.walk(tree):
            directories.sort()
            for name in sorted(names):
                path = Path(top, name)
                try:
                    status = path.lstat()
                except OSError:
                    continue
                if stat.S_ISREG(status.st_mode) and os.access(path, os.R_OK):
                    yield path, status.st_size


def tars_of_own_files(targets: Sequence[tuple[Path, int]]) -> None:
    """Write tars, each of other files of this machine, until each holds so many bytes.

    Raises:
        TooFewFiles: there are not enough.
    """
    files = own_files()
    for target, wanted in targets:
        held = 0
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
            while held < wanted:
                path, size = next(files, (None, 0))
                if path is None:
                    raise TooFewFiles(
                        f"{target.name} would need {wanted >> 20} MiB of software, {held >> 20} are left"
                    )
                # One that ends a layer far above what is wanted belongs to none.
                if size > wanted // 2:
                    continue
                tar.add(path, recursive=False)
                held += size


def cut_tar(source: Path, targets: Sequence[Path]) -> None:
    """Write the members of a tar to several, in their order, each about the same number of bytes."""
    share = source.stat().st_size / len(targets)
    with tarfile.open(source) as tar, contextlib.ExitStack() as ends:
        outputs = [ends.enter_context(tarfile.open(target, "w", format=tarfile.PAX_FORMAT)) for target in targets]
        for member in tar:
            output = outputs[min(int(member.offset / share), len(outputs) - 1)]
            output.addfile(member, tar.extractfile(member) if member.isreg() else None)
