"""Uploads that were begun, kept on disk, so that another process can go on with them.

One small file for each upload lies in the user's state directory, named by a hash of what it is for. It is
advice, never proof: the registry is asked what it really has. What cannot be read or written is passed over, a
push works without. The URL of an upload lets everybody write to it who knows it: only the user can read the file.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Annotated

import msgspec

from bundler.content.file_lock import FileLock
from bundler.content.files import FileStream, disk_errors, partial, write_all
from bundler.content.hashing import sha256
from bundler.content.streams import read_all
from bundler.errors import AirbundleError, MalformedDocument
from bundler.model.digest import Digest
from bundler.model.json_documents import canonical_json, convert, parse_json
from bundler.transports.registry.upload.protocol import UploadState

_MOST_BYTES = 16 << 10
#: Registries drop unfinished uploads after a week.
_KEPT_SECONDS = 8 * 86_400.0
_MOST_LOOKED_AT = 10_000
_SUFFIX, _LOCK_SUFFIX = ".json", ".lock"
_PRIVATE = 0o600
_Count = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


class SavedState(msgspec.Struct, frozen=True):
    """What a file holds: what it is for, and where that upload goes on."""

    registry: str
    repository: str
    digest: Digest
    location: str
    offset: _Count
    least_piece: _Count = 0


def parse_saved_state(raw: bytes) -> SavedState:
    """Read such a file.

    Raises:
        MalformedDocument: it is none.
    """
    what = "the state of an upload"
    state = convert(parse_json(raw, what, limit=_MOST_BYTES), SavedState, what)
    location = state.location
    if not location.startswith(("http://", "https://")) or not all("!" <= char <= "~" for char in location):
        raise MalformedDocument(f"{what} holds no URL")
    return state


def default_directory() -> Path | None:
    """Return where uploads are kept (XDG Base Directory Specification); ``None`` for a user without a home."""
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    try:
        # The specification wants relative paths to be passed over.
        home = given if given.is_absolute() else Path.home() / ".local" / "state"
    except RuntimeError:
        return None
    return home / "airbundle" / "uploads"


class SavedUploads:
    """The directory. Safe to use from several threads and processes."""

    def __init__(self, directory: Path | None) -> None:
        """Keep uploads in a directory, which need not exist; with ``None`` nothing is kept."""
        self._directory = directory
        self._lock = threading.Lock()
        self._is_clean = False

    def claim(self, registry: str, repository: str, digest: Digest) -> SavedUpload:
        """Take the upload of a blob for oneself; where another run has it, nothing is loaded or saved."""
        nothing = SavedUpload(None, registry, repository, digest, None)
        if self._directory is None:
            return nothing
        path = _file(self._directory, registry, repository, digest)
        try:
            with self._lock, disk_errors(self._directory):
                self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._drop_old(self._directory)
            lock = FileLock(path.with_suffix(_LOCK_SUFFIX), mode=_PRIVATE)
            return SavedUpload(path, registry, repository, digest, lock)
        except AirbundleError:
            return nothing

    def drop(self, registry: str, repository: str, digest: Digest) -> None:
        """Keep nothing of the upload of a blob that is there: a run may have been killed before it tidied up.

        What another run is sending at this moment is left to it.
        """
        if self._directory is None:
            return
        path = _file(self._directory, registry, repository, digest)
        if any(map(os.path.lexists, (path, partial(path), path.with_suffix(_LOCK_SUFFIX)))):
            left = self.claim(registry, repository, digest)
            left.forget()
            left.release()

    def _drop_old(self, directory: Path) -> None:
        if self._is_clean:
            return
        self._is_clean = True
        oldest = time.time() - _KEPT_SECONDS
        with os.scandir(directory) as entries:
            for _, entry in zip(range(_MOST_LOOKED_AT), entries, strict=False):
                with contextlib.suppress(OSError):
                    if (
                        entry.is_file(follow_symlinks=False)
                        and entry.stat(follow_symlinks=False).st_mtime < oldest
                    ):
                        Path(entry.path).unlink()


class SavedUpload:
    """The upload of one blob, held until :meth:`release`."""

    def __init__(
        self, path: Path | None, registry: str, repository: str, digest: Digest, lock: FileLock | None
    ) -> None:
        self._path = path
        self._registry = registry
        self._repository = repository
        self._digest = digest
        self._lock = lock
        self._saved: UploadState | None = None

    def load(self) -> UploadState | None:
        """Return the upload that an earlier run left, if it left one."""
        self._saved = None
        if self._path is None:
            return None
        try:
            stream = FileStream(self._path)
            try:
                state = parse_saved_state(read_all(stream, _MOST_BYTES))
            finally:
                stream.close()
        except AirbundleError:
            return None
        if (state.registry, state.repository, state.digest) != (self._registry, self._repository, self._digest):
            return None
        self._saved = UploadState(state.location, state.offset, state.least_piece)
        return self._saved

    def save(self, upload: UploadState) -> None:
        """Keep an upload instead of what was kept before."""
        if self._path is None or upload == self._saved:
            return
        state = SavedState(
            self._registry, self._repository, self._digest, upload.location, upload.offset, upload.least_piece
        )
        with contextlib.suppress(AirbundleError):
            _write_private(self._path, canonical_json(state))
            self._saved = upload

    def forget(self) -> None:
        """Keep nothing: the blob is complete, or the upload gone."""
        self._saved = None
        if self._path is not None:
            for left in (self._path, partial(self._path)):
                with contextlib.suppress(OSError):
                    left.unlink(missing_ok=True)

    def release(self) -> None:
        """Let other runs have it; may be called more than once."""
        lock, self._lock = self._lock, None
        if lock is not None and self._path is not None:
            with contextlib.suppress(OSError):
                self._path.with_suffix(_LOCK_SUFFIX).unlink(missing_ok=True)
            lock.release()
        self._path = None


def _file(directory: Path, registry: str, repository: str, digest: Digest) -> Path:
    # A hash of the key: no path is taken from outside.
    key = "\n".join((registry, repository, digest)).encode("utf-8", "surrogateescape")
    return directory / f"{sha256(key).hex}{_SUFFIX}"


def _write_private(path: Path, data: bytes) -> None:
    # Not synced: after a loss of power a file may be empty, and is then passed over.
    beside = partial(path)
    with disk_errors(path):
        descriptor = os.open(
            beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), _PRIVATE
        )
        try:
            write_all(descriptor, data)
        finally:
            os.close(descriptor)
        beside.replace(path)
