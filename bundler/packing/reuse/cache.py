"""A directory that keeps the blobs of earlier packs, up to a size: those not used for longest go first.

A blob is ``<hex>.blob``, and beside it lies ``<hex>.json``, which says what it is made of and whose time of change
is when it was last used. Both appear whole, by renaming, the note last. Nothing is synced and nothing is believed:
a blob counts when it was proven.

Packs that run at the same time share the directory. Each holds a lock as long as it runs, which others may share;
blobs are removed only by one that nobody shares it with, so none loses a blob that it proved and is to copy.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from bundler.bundle.opening import read_small
from bundler.content.compression import Encoder
from bundler.content.file_lock import SharedLock
from bundler.content.files import disk_errors
from bundler.content.regular_file import RegularFileStream
from bundler.content.streams import ByteStream, VerifiedStream
from bundler.errors import AirbundleError, MalformedDocument
from bundler.model.digest import Digest
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.packing.reuse.entries import Entry, parse_entry
from bundler.packing.reuse.stores import Held

DEFAULT_CACHE_SIZE = "20GiB"
BLOB_SUFFIX, NOTE_SUFFIX = ".blob", ".json"
_LOCK = "lock"
_NOTE_NAME = re.compile(r"([0-9a-f]{64})\.json", re.ASCII)
#: Whatever else lies in the directory is somebody else's.
_OWN_NAME = re.compile(r"[0-9a-f]{64}\.(?:blob|json)|new-[0-9a-f]{16}\.partial", re.ASCII)


class Cache:
    """A ``LayerStore`` over such a directory. Looked at once, when it is opened."""

    def __init__(
        self, path: Path, most_bytes: int, limits: Limits = DEFAULT_LIMITS, *, read_only: bool = False
    ) -> None:
        """Open a cache, which is created where it is missing, for this user alone.

        Args:
            path: The directory.
            most_bytes: What it may hold, in bytes, when no pack runs.
            limits: Bounds what is read from it.
            read_only: Change nothing there; what is missing is empty.

        Raises:
            DiskError: the directory cannot be created, locked or read.
        """
        self.path = path
        self.name = f"the cache in {path}"
        self.most_bytes = most_bytes
        self._limits = limits
        self._lock = None if read_only else self._begin()
        try:
            self._entries = dict(self._read_entries())
        except BaseException:
            self._release()
            raise
        self._made = {
            (entry.diff_id, entry.encoder): entry for entry in self._entries.values() if entry.encoder is not None
        }

    def made_of(self, diff_id: Digest, encoder: Encoder) -> Held | None:
        """Find the blob that exactly this recipe made of a layer."""
        entry = self._made.get((diff_id, encoder))
        return Held(self, entry.digest, entry.size) if entry is not None else None

    def blob(self, digest: Digest) -> Held | None:
        """Find a blob by its digest."""
        entry = self._entries.get(digest)
        return Held(self, entry.digest, entry.size) if entry is not None else None

    def open(self, held: Held) -> ByteStream:
        """Open a blob, which counts as used now; its digest is checked as it is read.

        Raises:
            NotFound, DamagedContent, DiskError: it is gone, or not what it was.
        """
        stream = RegularFileStream(self.path_of(held.digest, BLOB_SUFFIX))
        self.touch(held.digest)
        return VerifiedStream(stream, held.size, held.digest, "blob")

    def reject(self, held: Held) -> None:
        """Remove a blob that is not what it should be."""
        self._remove(self.path_of(held.digest, NOTE_SUFFIX), self.path_of(held.digest, BLOB_SUFFIX))

    def touch(self, digest: Digest) -> None:
        """Let a blob count as used now."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.utime(self.path_of(digest, NOTE_SUFFIX))

    def path_of(self, digest: Digest, suffix: str) -> Path:
        """Return where a blob or its note lies."""
        return self.path / f"{digest.hex}{suffix}"

    def close(self) -> None:
        """Let others have it; if nobody else uses it, remove what goes beyond its size. May be called again."""
        if self._lock is not None and self._lock.upgrade():
            self._evict()
        self._release()

    def _begin(self) -> SharedLock:
        with disk_errors(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SharedLock(self.path / _LOCK)

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    def _read_entries(self) -> Iterator[tuple[Digest, Entry]]:
        if self._lock is None and not self.path.exists():
            return
        with disk_errors(self.path):
            names = sorted(path.name for path in self.path.iterdir() if _NOTE_NAME.fullmatch(path.name))
        for name in names:
            note, blob = self.path / name, (self.path / name).with_suffix(BLOB_SUFFIX)
            try:
                entry = parse_entry(read_small(note, self._limits.cache_entry_bytes), self._limits)
                if note.stem != entry.digest.hex or blob.lstat().st_size != entry.size:
                    raise MalformedDocument(f"{note} is of another blob")
            except (AirbundleError, OSError):
                self._remove(note, blob)
                continue
            yield entry.digest, entry

    def _evict(self) -> None:
        """Remove what no pack finished, then the blobs not used for longest until the rest is small enough."""
        kept: list[tuple[float, int, Path, Path]] = []
        for path in self._own_files():
            note, blob = path.with_suffix(NOTE_SUFFIX), path.with_suffix(BLOB_SUFFIX)
            try:
                if path.suffix == BLOB_SUFFIX:
                    used = note.lstat()
                    kept.append((used.st_mtime, used.st_size + blob.lstat().st_size, note, blob))
                elif path.suffix != NOTE_SUFFIX or not blob.exists():
                    self._remove(path)
            except OSError:
                self._remove(path)
        total = sum(size for _, size, _, _ in kept)
        for _, size, note, blob in sorted(kept):
            if total <= self.most_bytes:
                return
            self._remove(note, blob)
            total -= size

    def _own_files(self) -> list[Path]:
        try:
            return [path for path in self.path.iterdir() if _OWN_NAME.fullmatch(path.name)]
        except OSError:
            return []

    def _remove(self, *paths: Path) -> None:
        for path in paths if self._lock is not None else ():
            # A file that is gone already, or cannot be removed, harms nothing: nobody believes it.
            with contextlib.suppress(OSError):
                path.unlink()
