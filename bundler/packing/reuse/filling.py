"""Fills a cache with what a pack writes, while it writes it.

The bytes are written twice instead of copied from the archive afterwards: they are in memory now, and no file
system shares ranges of files that begin where a blob of an archive does. What goes wrong here fails no pack.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from bundler.bundle.manifest import Archive, Blob, Part
from bundler.content.files import write_all
from bundler.model.digest import Digest
from bundler.model.media_types import INDEXES, MANIFESTS
from bundler.packing.reuse.cache import BLOB_SUFFIX, NOTE_SUFFIX, Cache
from bundler.packing.reuse.entries import Entry, write_entry
from bundler.packing.writing.archive_sink import ArchiveSink
from bundler.progress import SILENT, Progress


class CacheFiller:
    """A ``Recorder`` that puts each blob into a cache when it is recorded, and sees its bytes before.

    Used by one thread at a time, as archives are.
    """

    def __init__(self, cache: Cache, progress: Progress = SILENT) -> None:
        """Keep what is written, at most as many bytes as the cache may have; ``progress`` hears why not."""
        self._cache = cache
        self._progress = progress
        self._left = cache.most_bytes
        self._file: int | None = None
        self._path = Path()
        self._size = 0
        self._is_broken = False

    def watch(self, archive: ArchiveSink) -> ArchiveSink:
        """Return the archive as the pack shall use it."""
        return _Watched(archive, self)

    def begin(self, digest: Digest | None) -> None:
        """Hear that a blob begins; nothing is kept of one that the cache has."""
        self.drop()
        if digest is not None and self._cache.blob(digest) is not None:
            self._cache.touch(digest)
        elif not self._is_broken and self._left > 0:
            self._size = 0
            with self._no_failure():
                self._file = self._create()

    def append(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the blob."""
        if self._file is None:
            return
        self._size += len(data)
        if self._size > self._left:
            self.drop()
            return
        with self._no_failure():
            write_all(self._file, data)

    def blob(self, row: Blob) -> None:
        """Put the blob that ended last into the cache, unless every source gives it with its first answer."""
        if self._file is None or self._size != row.size or row.media_type in (MANIFESTS | INDEXES):
            self.drop()
            return
        with self._no_failure():
            self._publish(row.digest, BLOB_SUFFIX)
            self._file = self._create()
            write_all(self._file, write_entry(Entry.of(row)))
            self._publish(row.digest, NOTE_SUFFIX)
            self._left -= row.size

    def config(self, digest: Digest, raw: bytes) -> None:
        """Wait until it is written as a blob."""

    def part(self, archive: str, number: int, row: Part) -> None:
        """Parts do not count here."""

    def archive(self, name: str, size: int) -> None:
        """Archives do not count here."""

    def drop(self) -> None:
        """Forget the blob that has begun, if there is one."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                os.close(file)
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _create(self) -> int:
        self._path = self._cache.path / f"new-{secrets.token_hex(8)}.partial"
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)

    def _publish(self, digest: Digest, suffix: str) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
        self._path.replace(self._cache.path_of(digest, suffix))

    @contextlib.contextmanager
    def _no_failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._is_broken = True
            self.drop()
            self._progress.message(f"{self._cache.name} takes no more: {error.strerror or error}")


class _Watched:
    """An ``ArchiveSink`` whose blobs a cache sees too."""

    def __init__(self, archive: ArchiveSink, filler: CacheFiller) -> None:
        self.name = archive.name
        self._archive = archive
        self._filler = filler

    def begin_blob(self, digest: Digest | None = None, size: int = 0) -> int:
        """Begin a blob, see ``ArchiveSink``."""
        offset = self._archive.begin_blob(digest, size)
        self._filler.begin(digest)
        return offset

    def append(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the blob."""
        self._archive.append(data)
        self._filler.append(data)

    def end_blob(self, digest: Digest) -> int:
        """End the blob."""
        return self._archive.end_blob(digest)

    def add_file(self, name: str, data: bytes) -> None:
        """Take a small file, of which the cache keeps nothing."""
        self._archive.add_file(name, data)

    def finish(self, *, with_end_marker: bool) -> Archive:
        """Complete the archive."""
        return self._archive.finish(with_end_marker=with_end_marker)

    def abandon(self) -> None:
        """Stop."""
        self._filler.drop()
        self._archive.abandon()
