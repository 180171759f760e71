"""The directory that parts are copied to: whose it is, who may write there, and when it is whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from bundler.bundle.checksums import write_checksums
from bundler.bundle.copying.holdings import TABLES, UNFINISHED, Holding, examine
from bundler.bundle.copying.pinned_directory import PinnedDirectory
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.names import BUNDLE_JSON, BUNDLE_JSON_COPY, CHECKSUMS, PARITY_JSON, is_parity_name
from bundler.content.file_lock import FileLock
from bundler.content.files import disk_errors, whole_name, write_all
from bundler.content.free_space import free_bytes
from bundler.errors import DiskError, NotFound, OutputExists


class CopyDestination:
    """A directory that belongs to one copy, from ``prepare`` until ``release`` or the end of the process.

    Until the copy is complete its table of contents is called ``bundle.json.partial``; that file is also the
    lock that copies and packs take. Files that are not named like those of a bundle are left alone.

    Whatever is mounted at its path meanwhile is not written to.
    """

    def __init__(self, path: Path) -> None:
        """Name the directory; nothing is touched before ``prepare``."""
        self.path = path
        self._lock: FileLock | None = None
        self._manifest: BundleManifest | None = None
        self._is_whole = False
        self._directory: PinnedDirectory | None = None

    @property
    def directory(self) -> PinnedDirectory:
        """The directory, held from ``prepare`` on, or from when it is first asked for."""
        if self._directory is None:
            self._directory = PinnedDirectory(self.path)
        return self._directory

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Let an error inside the block be that the medium is gone, if it is; and never that a name is wrong.

        Raises:
            DiskError: instead of ``NotFound``, or of another one where the medium is gone.
        """
        try:
            yield
        except (NotFound, DiskError) as error:
            self.directory.require()
            if isinstance(error, NotFound):
                raise DiskError(f"{error}; it was there a moment ago") from error
            raise

    def prepare(self, manifest: BundleManifest) -> None:
        """Create the directory if need be, and make it this copy's own; a second call does nothing.

        Afterwards a table of contents stands there, durable: ``bundle.json`` where a finished copy of the
        same bundle was found, ``bundle.json.partial`` otherwise, and what proves that.

        Raises:
            OutputExists: it holds something else, or another run is writing there; the message says what.
            NotWritable, NoSpace, DiskError: it cannot be created or written to.
        """
        if self._lock is not None:
            return
        with disk_errors(self.path):
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except FileExistsError as error:
                raise OutputExists(f"{self.path} is a file") from error
        examine(self.path, manifest)
        held = self.directory
        try:
            self._lock = self._take_lock()
            held.require()
            # Only now is it certain that nobody changes it: look again.
            holding = examine(self.path, manifest)
            self._manifest = manifest
            self._is_whole = holding is Holding.WHOLE
            if not self._is_whole:
                self._begin(manifest)
        except BaseException:
            self.release()
            raise

    def unseal(self) -> None:
        """Say that parts will be touched: no ``bundle.json`` stands there any more, also after a loss of power.

        Raises:
            DiskError: the disk refused.
        """
        if self._is_whole:
            self._prove()
            self.directory.require()
            self.directory.rename(BUNDLE_JSON, UNFINISHED)
            self.directory.sync()
            self._is_whole = False

    def drop_other_parity(self, table: bytes, files: Collection[str]) -> None:
        """Remove parity that is another one than that which will be copied: its table first, then files.

        Args:
            table: The bytes of the parity.json that will lie here.
            files: The names of its parity files; what of them lies here stays, to be compared block by block.

        Raises:
            DiskError: the disk refused.
        """
        with self.watched():
            self.directory.require()
            if not self.directory.holds(PARITY_JSON, table):
                self.directory.unlink(PARITY_JSON)
                self.directory.sync()
            for lying in self.directory.names():
                if is_parity_name(whole_name(lying)) and whole_name(lying) not in files:
                    self.directory.unlink(lying)

    def finish(self, small_files: Mapping[str, bytes]) -> None:
        """Write the files beside the parts; then ``bundle.json``, the last one, says that all is whole.

        Call it only when every part that shall lie here does. Files that are right already are not written.

        Args:
            small_files: Content of ``README.txt``, ``SHA256SUMS`` and, as far as the bundle has them,
                ``bundle.json.sig`` and ``parity.json``.
                The copy of the table, ``bundle.json.bak``, is written without being asked for.

        Raises:
            DiskError: the disk refused. The directory stays unfinished.
        """
        assert self._manifest is not None, "finish before prepare"
        assert set(small_files) <= set(TABLES) - {BUNDLE_JSON}, f"not files of a bundle: {sorted(small_files)}"
        with self.watched():
            self._write({**small_files, BUNDLE_JSON_COPY: self._manifest.raw})
            self.directory.require()
            if not self._is_whole:
                self.directory.rename(UNFINISHED, BUNDLE_JSON)
                self.directory.sync()
                self._is_whole = True

    def release(self) -> None:
        """Let others have the directory; may be called more than once."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()
        directory, self._directory = self._directory, None
        if directory is not None:
            directory.close()

    def free_bytes(self) -> int:
        """Return how many bytes this user may still write there; ``prepare`` need not have been called.

        Raises:
            DiskError: the disk refused.
        """
        return free_bytes(self.path)

    def _take_lock(self) -> FileLock:
        """Lock the table under whichever of its two names it has: a rename takes the lock along."""
        try:
            return FileLock(self.path / BUNDLE_JSON, create=False)
        except NotFound:
            lock = FileLock(self.path / UNFINISHED)
        if os.path.lexists(self.path / BUNDLE_JSON):
            # Another run finished in between; what was locked is a new, empty file.
            with contextlib.suppress(OSError):
                (self.path / UNFINISHED).unlink()
            lock.release()
            raise OutputExists(f"another run was writing to {self.path}", advice="Run the command again.")
        return lock

    def _begin(self, manifest: BundleManifest) -> None:
        """Write the table under its unfinished name, into the file that is locked, and what proves it."""
        directory = self.directory
        with self.watched():
            if directory.holds_name(BUNDLE_JSON):
                # A damaged one; other files prove whose it is.
                directory.rename(BUNDLE_JSON, UNFINISHED)
            if not directory.holds(UNFINISHED, manifest.raw):
                descriptor = directory.open(UNFINISHED, os.O_WRONLY)
                try:
                    with disk_errors(self.path / UNFINISHED):
                        os.ftruncate(descriptor, 0)
                        write_all(descriptor, manifest.raw)
                        os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            # The new name of a file that was there before may not be durable either.
            directory.sync()
            self._prove()

    def _prove(self) -> None:
        """Write what proves the table: were it changed before the copy is finished, nobody else could tell."""
        assert self._manifest is not None, "nothing to prove before prepare"
        self._write({CHECKSUMS: write_checksums(self._manifest), BUNDLE_JSON_COPY: self._manifest.raw})

    def _write(self, files: Mapping[str, bytes]) -> None:
        for file, content in files.items():
            if not self.directory.holds(file, content):
                self.directory.write_file(file, content)
