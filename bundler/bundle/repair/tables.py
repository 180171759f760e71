"""The small files of a bundle that lies where it is mended: bundle.json, its copy, SHA256SUMS, README.txt."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from bundler.bundle.checksums import write_checksums
from bundler.bundle.findings import Finding
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.names import BUNDLE_JSON, BUNDLE_JSON_COPY, CHECKSUMS, PARITY_JSON, README
from bundler.bundle.repair.aside import set_aside
from bundler.content.file_lock import FileLock
from bundler.content.files import disk_errors, is_regular, partial, sync_directory, write_all, write_file
from bundler.errors import NotFound

_UNFINISHED = partial(Path(BUNDLE_JSON)).name
#: What bundle.json is called while it is made again. ``bundle.json.partial`` would mean an unfinished copy.
_NEW = f"{BUNDLE_JSON}.repair.partial"
#: Files that a run locks: the first of them that is there.
_LOCKED = (BUNDLE_JSON, _UNFINISHED, BUNDLE_JSON_COPY, PARITY_JSON)


class BundleTables:
    """The small files of one directory, and the lock on it. Held from its making until ``release``."""

    def __init__(self, directory: Path, manifest: BundleManifest) -> None:
        """Lock the directory, as packs and copies do too; nothing in it changes.

        Raises:
            OutputExists: another run is writing there.
            NotWritable: this user may not write there. DiskError: the disk refused.
            NotFound: it holds no file of this bundle.
        """
        self._directory = directory
        self._manifest = manifest
        self._locks = [_lock(directory, manifest)]

    def wrong(self, findings: Sequence[Finding]) -> list[str]:
        """Return the files that are to be written, given what is wrong with them."""
        known = (BUNDLE_JSON, BUNDLE_JSON_COPY, CHECKSUMS, README)
        files = {found.file for found in findings if found.file in known and found.mendable}
        return sorted(files | ({README} if self._lacks_readme() else set()))

    def put_right(self, files: Sequence[str], readme: bytes) -> None:
        """Write some of the files; each is as before or right at any moment.

        Raises:
            OutputExists: a directory has the name of one, and cannot be set aside. DiskError: the disk refused.
        """
        table = self._manifest
        contents = {BUNDLE_JSON_COPY: table.raw, CHECKSUMS: write_checksums(table), README: readme}
        for file in files:
            set_aside(self._directory / file)
            if file == BUNDLE_JSON:
                self._write_table()
            else:
                write_file(self._directory / file, contents[file])

    def finish_copy(self, readme: bytes) -> None:
        """Say that a copy that was cut is whole now: every small file is written, bundle.json last.

        Raises:
            DiskError: the disk refused.
        """
        files = (BUNDLE_JSON_COPY, CHECKSUMS, *((README,) if self._lacks_readme() else ()), BUNDLE_JSON)
        self.put_right(files, readme)
        with disk_errors(self._directory):
            (self._directory / _UNFINISHED).unlink(missing_ok=True)
            sync_directory(self._directory)

    def release(self) -> None:
        """Let others have the directory; may be called more than once."""
        while self._locks:
            self._locks.pop().release()

    def _lacks_readme(self) -> bool:
        return not os.path.lexists(self._directory / README)

    def _write_table(self) -> None:
        """Write bundle.json, into a file that is locked before it has that name."""
        path = self._directory / _NEW
        with contextlib.suppress(OSError):
            # From a run that was killed; it may be anything.
            path.unlink()
        self._locks.append(FileLock(path))
        with disk_errors(path):
            flags = os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
            file = os.open(path, flags)
            try:
                write_all(file, self._manifest.raw)
                os.fsync(file)
            finally:
                os.close(file)
            path.replace(self._directory / BUNDLE_JSON)
            sync_directory(self._directory)


def _lock(directory: Path, manifest: BundleManifest) -> FileLock:
    # Without any table the first part that is there serves, until there is a table again.
    parts = [name for part in manifest.parts for name in (part.file, partial(Path(part.file)).name)]
    for name in (*_LOCKED, *parts):
        # A link or a pipe in its place is damage, and nothing to lock.
        if is_regular(directory / name):
            try:
                return FileLock(directory / name, create=False)
            except NotFound:
                continue
    raise NotFound(f"{directory} holds no file of this bundle")
