"""The directory that a bundle is written to: who may write there, whether there is room, and how it ends."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from bundler.bundle.checksums import write_checksums
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.names import (
    BUNDLE_JSON,
    BUNDLE_JSON_COPY,
    CHECKSUMS,
    README,
    is_part_name,
    is_system_file,
)
from bundler.content.file_lock import FileLock
from bundler.content.files import PARTIAL_SUFFIX, disk_errors, partial, write_file
from bundler.errors import NoSpace, OutputExists
from bundler.model.sizes import format_size

#: Says that the files beside it belong to a pack that is not finished.
UNFINISHED = partial(Path(BUNDLE_JSON)).name
#: What is kept of a pipe while it is packed; only ever as ``*.partial``.
STANDARD_INPUT = "standard-input"


class OutputDirectory:
    """A directory that belongs to one pack, from ``prepare`` on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_prepared = False
        self._lock: FileLock | None = None

    def prepare(self) -> None:
        """Create the directory if need be, and make it this pack's own.

        What an unfinished pack left there is removed; anything else is never touched. Once it was done it is
        not done again. Until ``release`` no other pack gets the directory; a crash releases it too.

        Raises:
            OutputExists: it holds a bundle, or files that no pack wrote, or another pack is writing there.
            NotWritable, DiskError: it cannot be created or written to.
        """
        if self._is_prepared:
            return
        with disk_errors(self.path):
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except FileExistsError as error:
                raise OutputExists(f"{self.path} is a file") from error
        self._refuse_strangers()
        self._lock = FileLock(self.path / UNFINISHED)
        try:
            # Only now is it certain that nobody changes it: look again, then clear it.
            leftovers = self._refuse_strangers()
            with disk_errors(self.path):
                for name in leftovers:
                    if name != UNFINISHED:
                        (self.path / name).unlink()
        except BaseException:
            self.release()
            raise
        self._is_prepared = True

    def release(self) -> None:
        """Let others have the directory; may be called more than once."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _refuse_strangers(self) -> list[str]:
        """Return what an unfinished pack left there; raise ``OutputExists`` for anything else."""
        with disk_errors(self.path):
            found = sorted(entry.name for entry in self.path.iterdir() if not is_system_file(entry.name))
        if BUNDLE_JSON in found:
            raise OutputExists(f"{self.path} already holds a bundle")
        strangers = [name for name in found if not _is_leftover(self.path / name)]
        if strangers or (found and UNFINISHED not in found):
            named = ", ".join((strangers or found)[:3])
            raise OutputExists(f"{self.path} is not empty: it holds {named}")
        return found

    def check_space(self, needed: int) -> None:
        """Refuse to begin where the disk has less than ``needed`` bytes free.

        Raises:
            NoSpace: it has.
        """
        free = free_bytes(self.path)
        if needed > free:
            raise NoSpace(f"{self.path}: {format_size(needed)} are needed, {format_size(free)} are free")

    def write_tables(self, manifest: BundleManifest, readme: str) -> None:
        """Write everything but the parts; with ``bundle.json``, the last one, the bundle is whole.

        Raises:
            DiskError: the disk refused.
        """
        write_file(self.path / README, readme.encode("utf-8"))
        write_file(self.path / CHECKSUMS, write_checksums(manifest))
        write_file(self.path / BUNDLE_JSON_COPY, manifest.raw)
        # This also replaces the mark of the unfinished pack.
        write_file(self.path / BUNDLE_JSON, manifest.raw)

    def withdraw(self, parts: Iterable[str]) -> None:
        """After an error: leave nothing of this pack under a final name.

        A disk that refuses this too, as a stick that was pulled out does, is not an error of its own: each part
        under its final name is whole, and without bundle.json nobody takes the directory for a bundle.
        """
        # The table first: it must never stand beside parts that are gone.
        for name in (BUNDLE_JSON, *parts):
            with contextlib.suppress(OSError):
                (self.path / name).replace(partial(self.path / name))
        for name in (README, CHECKSUMS, BUNDLE_JSON_COPY):
            with contextlib.suppress(OSError):
                (self.path / name).unlink(missing_ok=True)


def free_bytes(path: Path) -> int:
    """Return how many bytes this user may still write below the nearest existing directory.

    Raises:
        DiskError: the disk refused.
    """
    with disk_errors(path):
        for candidate in (path, *path.absolute().parents):
            try:
                return shutil.disk_usage(candidate).free
            except FileNotFoundError:
                continue
    raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def _is_leftover(path: Path) -> bool:
    whole = path.name.removesuffix(PARTIAL_SUFFIX)
    is_ours = is_part_name(whole) or whole in (BUNDLE_JSON, BUNDLE_JSON_COPY, CHECKSUMS, README)
    is_ours = is_ours or path.name == partial(Path(STANDARD_INPUT)).name
    # A pack writes files only; what a link leads to must not be written over.
    return is_ours and path.is_file() and not path.is_symlink()
