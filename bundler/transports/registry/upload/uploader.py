"""A whole blob from a reader into a repository: in pieces, in bounded memory, whatever breaks on the way."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from bundler.content.images import BlobReader
from bundler.content.stopping import Stopping
from bundler.errors import AirbundleError, DamagedContent, ProtocolError, Refused, Unauthorised
from bundler.model.descriptor import Descriptor
from bundler.progress import Task
from bundler.transports.registry.blobs import has_blob
from bundler.transports.registry.client import Repository
from bundler.transports.registry.retries import Attempts, Busy, ConnectionLost
from bundler.transports.registry.upload.blob_bytes import BlobBytes
from bundler.transports.registry.upload.breaks import Broken
from bundler.transports.registry.upload.piece_size import PieceSize
from bundler.transports.registry.upload.protocol import (
    OutOfStep,
    PiecesRefused,
    PieceTooLarge,
    UnknownUpload,
    UploadState,
    WrongDigest,
    ask_upload,
    cancel_upload,
    finish_upload,
    send_piece,
    start_upload,
)
from bundler.transports.registry.upload.saved import SavedUpload, SavedUploads
from bundler.transports.registry.upload.throttle import Throttle

_DEFAULT_JOBS = 4
_BROKEN_ADVICE = "Connections break under large requests: try a smaller --chunk-size, such as 64KiB."

#: Begins an upload, such as by a mount; ``None`` where the blob is there now without any.
Begin = Callable[[], "UploadState | None"]


@dataclass(frozen=True)
class Sent:
    """What a blob cost.

    Attributes:
        sent: bytes given to connections, each as often as it had to be sent.
        kept: bytes of the blob that the registry had from before.
        again: bytes of ``sent`` that this run had sent before.
    """

    sent: int = 0
    kept: int = 0
    again: int = 0

    @classmethod
    def total(cls, parts: Iterable[Sent]) -> Sent:
        """Return what several blobs cost together."""
        costs = list(parts)
        return cls(sum(c.sent for c in costs), sum(c.kept for c in costs), sum(c.again for c in costs))


class Uploader:
    """Uploads blobs to one registry and learns how it wants them. Safe to use from several threads."""

    def __init__(
        self, piece_bytes: int | None = None, *, jobs: int = _DEFAULT_JOBS, saved: SavedUploads | None = None
    ) -> None:
        """Prepare.

        Args:
            piece_bytes: Size of one request at most, see :class:`PieceSize`.
            jobs: How many pieces are sent at once at most.
            saved: Where uploads are kept for the next run; by default nowhere.

        Raises:
            UsageError: the size is too small.
        """
        self.pieces = PieceSize(piece_bytes)
        self.throttle = Throttle(jobs)
        self._saved = saved or SavedUploads(None)
        self._lock = threading.Lock()
        #: How many blobs were sent to their end.
        self.completed = 0

    def upload(
        self,
        repository: Repository,
        descriptor: Descriptor,
        reader: BlobReader,
        task: Task,
        *,
        begin: Begin | None = None,
        stopping: Stopping | None = None,
    ) -> Sent:
        """Send a blob; on return the repository has it, its digest proven by the registry.

        An upload that an earlier run left is gone on with, as far as the registry has it. After a failure that
        may pass the registry is asked what it has, and sent the rest; an upload that is gone is begun anew.

        Args:
            repository: Where to.
            descriptor: Of the blob.
            reader: Gives the blob, also again from an offset.
            task: Is advanced by each byte of the blob once, however often it had to be sent.
            begin: Begins an upload where there is none to go on with.
            stopping: When an end is asked for, no piece is begun after the running one; the upload is kept.

        Raises:
            DamagedContent: the blob is not what its digest says; nothing was stored.
            Interrupted: ``stopping`` asked for it.
            Refused, Unreachable, ProtocolError: the registry.
        """
        stopping = stopping or Stopping()
        source = BlobBytes(descriptor, reader, task, stopping)
        saved = self._saved.claim(repository.client.address.name, repository.name, descriptor.digest)
        run = _Run(self, repository, source, saved, begin or (lambda: start_upload(repository)), stopping)
        try:
            run.to_the_end()
        except Unauthorised:
            raise
        except (DamagedContent, Refused):
            run.give_up()
            raise
        finally:
            source.close()
            saved.release()
        source.count_to(descriptor.size)
        with self._lock:
            self.completed += 1
        return Sent(source.sent, run.kept, max(0, source.sent - (descriptor.size - run.kept)))

    def forget(self, repository: Repository, descriptor: Descriptor) -> None:
        """Keep nothing of earlier uploads of a blob that the repository has."""
        self._saved.drop(repository.client.address.name, repository.name, descriptor.digest)


class _Run:
    """One blob on its way."""

    def __init__(
        self,
        uploader: Uploader,
        repository: Repository,
        source: BlobBytes,
        saved: SavedUpload,
        begin: Begin,
        stopping: Stopping,
    ) -> None:
        self.kept = 0
        self._uploader = uploader
        self._completed = uploader.completed
        self._pieces = uploader.pieces
        self._throttle = uploader.throttle
        self._repository = repository
        self._source = source
        self._saved = saved
        self._begin = begin
        self._stopping = stopping
        self._attempts = Attempts(repository.retries)
        self._state: UploadState | None = None
        self._furthest = 0
        # Whether a connection broke since there was progress.
        self._is_broken = False
        # Whether all that the registry has came from here in one go.
        self._is_straight = True

    def to_the_end(self) -> None:
        """Send what the registry does not have."""
        self._state = self._left_before()
        if self._state is None:
            self._state = self._begin()
            if self._state is None:
                self.kept = self._source.descriptor.size
        else:
            self._is_straight = False
            self.kept = self._furthest = self._state.offset
            self._source.count_to(self.kept)
        while self._state is not None:
            self._stopping.before_beginning()
            self._state = self._step(self._state)
        self._saved.forget()

    def give_up(self) -> None:
        """Let the registry have its space back: nobody will complete this upload."""
        self._saved.forget()
        if self._state is not None:
            with contextlib.suppress(AirbundleError):
                cancel_upload(self._repository, self._state)

    def _left_before(self) -> UploadState | None:
        """Return the upload that an earlier run left, if the registry still has it."""
        state = self._saved.load()
        if state is None:
            return None
        try:
            address = self._repository.client.address
            location = address.upload_location(address.origin, state.location)
            found = self._ask(UploadState(location, state.offset, state.least_piece))
        except ProtocolError:
            found = None
        if found is None or not found.offset:
            self._saved.forget()
            return None
        return found

    def _ask(self, state: UploadState) -> UploadState | None:
        found = ask_upload(self._repository, state)
        # More than the blob has is not this blob.
        return found if found is not None and found.offset <= self._source.descriptor.size else None

    def _step(self, state: UploadState) -> UploadState | None:
        """Send the next piece; return how the upload goes on, ``None`` when the blob is there."""
        left = self._source.descriptor.size - state.offset
        length = self._pieces.choose(left, state.least_piece)
        self._attempts.begin()
        before = self._source.sent
        try:
            with self._throttle.slot(self._stopping):
                after = self._send(state, length, left)
        except PieceTooLarge:
            if not self._pieces.refused(length) or length <= state.least_piece:
                raise
            return state
        except PiecesRefused:
            if not self._pieces.send_whole() and length == left:
                raise
            return self._begin_anew()
        except WrongDigest as error:
            return self._after_wrong_digest(error)
        except (ConnectionLost, Busy, OutOfStep) as error:
            if self._takes_no_pieces(error, state, length < left):
                return self._begin_anew()
            self._wait_after(error)
            through = self._source.sent - before
            return self._recover(state, self._broken(error, state, length, through))
        self._throttle.succeeded()
        return after

    def _broken(self, error: AirbundleError, state: UploadState, length: int, through: int) -> Broken | None:
        """Return what may be learnt about the size; nothing from an answer, and where nothing left from here."""
        if not isinstance(error, ConnectionLost) or not through:
            return None
        again, self._is_broken = self._is_broken, True
        whole = _completes(state, length, self._source.descriptor.size - state.offset)
        # With credentials that had ended a request is sent twice.
        return Broken(length, min(length, through), whole=whole, again=again)

    def _takes_no_pieces(self, error: AirbundleError, state: UploadState, is_piece: bool) -> bool:
        """Tell whether the registry knows nothing of pieces: of an upload that it has just begun it takes none."""
        if not isinstance(error, UnknownUpload) or not is_piece or state.offset or not self._is_straight:
            return False
        return not self._pieces.are_taken and self._pieces.send_whole()

    def _wait_after(self, error: AirbundleError) -> None:
        """Wait until the next try, unless there shall be none: as long as blobs arrive, this one may too."""
        self._throttle.failed()
        if self._completed != self._uploader.completed:
            self._completed = self._uploader.completed
            self._attempts.go_on()
        try:
            self._attempts.failed(error)
        except ConnectionLost as last:
            if self._pieces.careful:
                last.advice = _BROKEN_ADVICE
            raise

    def _send(self, state: UploadState, length: int, left: int) -> UploadState | None:
        """Send one request; the one that completes the upload carries a whole small blob itself."""
        began, body = time.monotonic(), self._source.body(state.offset, length)
        alone = self._pieces.careful
        if _completes(state, length, left):
            finish_upload(self._repository, state, self._source.descriptor.digest, body, alone=alone)
            return None
        self._saved.save(state)
        after = send_piece(self._repository, state, body, alone=alone)
        self._saved.save(after)
        self._pieces.sent(length, time.monotonic() - began)
        self._reached(after.offset)
        return after

    def _reached(self, offset: int) -> None:
        if offset > self._furthest:
            self._attempts.gained(offset - self._furthest)
            self._furthest = offset
            self._is_broken = False

    def _recover(self, state: UploadState, broken: Broken | None) -> UploadState | None:
        """Find out what became of a piece, and how it goes on."""
        found = self._ask(state)
        if found is not None and found.offset:
            self._is_straight = False
            self._saved.save(found)
            got = found.offset - state.offset
            if broken is not None and got < broken.length:
                self._learn(replace(broken, lost=False, through=got or broken.through), state)
            self._reached(found.offset)
            return found
        if has_blob(self._repository, self._source.descriptor):
            return None  # only the answer was lost
        if broken is not None:
            self._learn(replace(broken, lost=found is None), state)
        return self._begin_anew()

    def _learn(self, broken: Broken, state: UploadState) -> None:
        """Let the next pieces have another size, if the size is to be blamed."""
        if self._pieces.broke(broken) and broken.length > state.least_piece:
            self._attempts.begin_anew()

    def _after_wrong_digest(self, error: WrongDigest) -> UploadState:
        """Where reading was begun in the middle, only the registry saw the digest: whose fault is it?"""
        self._source.verify()
        if self._is_straight:
            raise error
        # What it had from before was not what this blob has; the bytes here are right.
        return self._begin_anew()

    def _begin_anew(self) -> UploadState:
        self.kept = 0
        self._is_straight = True
        self._saved.forget()
        return start_upload(self._repository)


def _completes(state: UploadState, length: int, left: int) -> bool:
    """Tell whether the next bytes go in the request that completes the upload; else that one is empty."""
    return length == left and (state.offset == 0 or length <= 1 or length < state.least_piece)
