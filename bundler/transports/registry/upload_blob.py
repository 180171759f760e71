"""A whole blob from a reader into a repository: in pieces, in bounded memory, whatever size is accepted."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from bundler.content.images import BlobReader
from bundler.content.streams import BUFFER_BYTES, ByteStream
from bundler.errors import AirbundleError, DamagedContent, Interrupted, Refused, UsageError
from bundler.model.descriptor import Descriptor
from bundler.progress import Task
from bundler.transports.registry.client import Repository
from bundler.transports.registry.uploads import (
    PieceTooLarge,
    UploadState,
    cancel_upload,
    finish_upload,
    send_piece,
    start_upload,
)
from bundler.transports.registry.wire import Body

DEFAULT_PIECE_BYTES = 64 << 20
#: A server that refuses even requests of this size cannot be used.
LEAST_PIECE_BYTES = 64 << 10
_SHRINK = 4
#: The unit of sending: a socket must get rid of it within its timeout, also over a slow line.
_SLICE_BYTES = 256 << 10


class Uploader:
    """Uploads blobs to one registry and remembers how large a request it takes. Safe for several threads."""

    def __init__(self, piece_bytes: int = DEFAULT_PIECE_BYTES) -> None:
        """Prepare.

        Args:
            piece_bytes: Size of one request at most, at least 64 KiB; made smaller when a server wants that.

        Raises:
            UsageError: the size is too small.
        """
        if piece_bytes < LEAST_PIECE_BYTES:
            raise UsageError(f"pieces of {piece_bytes} bytes are too small; the least is {LEAST_PIECE_BYTES}")
        self.piece_bytes = piece_bytes

    def upload(
        self,
        repository: Repository,
        descriptor: Descriptor,
        reader: BlobReader,
        task: Task,
        *,
        state: UploadState | None = None,
        cancelled: threading.Event | None = None,
    ) -> None:
        """Send a blob; on return the repository has it, its digest proven by the registry.

        Args:
            repository: Where to.
            descriptor: Of the blob.
            reader: Gives the blob, also again from an offset.
            task: Is advanced by each byte of the blob once, however often it had to be sent.
            state: An upload that was begun already, such as by a mount that was not granted.
            cancelled: Once set, the upload stops with ``Interrupted`` after at most 256 KiB more.

        Raises:
            DamagedContent: the blob is not what its digest says; nothing was stored.
            Interrupted: ``cancelled`` was set.
            Refused, Unreachable, ProtocolError: the registry.
        """
        source = _Source(descriptor, reader, task, cancelled or threading.Event())
        run = _Run(repository, source, state or start_upload(repository))
        try:
            while not run.done:
                self._go_on(run)
        except (DamagedContent, Refused):
            # Nobody will complete it: let the registry have its space back.
            with contextlib.suppress(AirbundleError):
                cancel_upload(repository, run.state)
            raise
        finally:
            source.close()
        source.count_to(descriptor.size)

    def _go_on(self, run: _Run) -> None:
        """Send one request of a size that is believed to be accepted; when it is not, believe in less."""
        length = min(run.left, self.piece_bytes)
        if run.left - length == 1:
            # A piece of one byte must not be left over.
            length -= 1
        try:
            run.send(length)
        except PieceTooLarge:
            if length <= LEAST_PIECE_BYTES:
                raise
            self.piece_bytes = min(self.piece_bytes, max(length // _SHRINK, LEAST_PIECE_BYTES))


class _Run:
    """One blob on its way."""

    def __init__(self, repository: Repository, source: _Source, state: UploadState) -> None:
        self.state = state
        self.done = False
        self._repository = repository
        self._source = source

    @property
    def left(self) -> int:
        """Bytes that the registry does not have yet."""
        return self._source.descriptor.size - self.state.offset

    def send(self, length: int) -> None:
        """Send the next bytes; the request that completes the upload carries a whole small blob itself."""
        body = self._source.body(self.state.offset, length)
        if length < self.left or (self.state.offset and length > 1):
            self.state = send_piece(self._repository, self.state, body)
            return
        try:
            finish_upload(self._repository, self.state, self._source.descriptor.digest, body)
        except PieceTooLarge:
            raise
        except Refused:
            # Where reading was begun anew in the middle, only the registry saw the digest: whose fault is it?
            self._source.verify()
            raise
        self.done = True


class _Source:
    """The bytes of a blob in order, read once unless a request has to be repeated."""

    def __init__(self, descriptor: Descriptor, reader: BlobReader, task: Task, cancelled: threading.Event) -> None:
        self.descriptor = descriptor
        self._reader = reader
        self._task = task
        self._cancelled = cancelled
        self._stream: ByteStream | None = None
        self._position = 0
        self._counted = 0
        self._verified = True

    def body(self, offset: int, length: int) -> Body:
        """Make the body of a request."""
        return Body(length, lambda: self._pieces(offset, length))

    def count_to(self, position: int) -> None:
        """Tell the task of bytes that it was not told of before."""
        if position > self._counted:
            self._task.advance(position - self._counted)
            self._counted = position

    def verify(self) -> None:
        """Read the blob from its beginning, unless that was done: raises ``DamagedContent`` if it is bad."""
        if self._verified:
            return
        stream = self._open(0)
        buffer = memoryview(bytearray(BUFFER_BYTES))
        while stream.readinto(buffer):
            self._check_cancelled()

    def close(self) -> None:
        """Close what is open."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _pieces(self, offset: int, length: int) -> Iterator[memoryview]:
        stream, end = self._open(offset), offset + length
        buffer = memoryview(bytearray(min(_SLICE_BYTES, length)))
        while self._position < end:
            self._check_cancelled()
            count = stream.readinto(buffer[: end - self._position])
            if count == 0:
                raise DamagedContent(f"blob {self.descriptor.digest} ends at byte {self._position}")
            self._position += count
            position = self._position
            yield buffer[:count]
            self.count_to(position)

    def _open(self, offset: int) -> ByteStream:
        if self._stream is None or self._position != offset:
            self.close()
            self._stream = self._reader.open_blob(self.descriptor, offset)
            self._position = offset
            self._verified = offset == 0
        return self._stream

    def _check_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Interrupted("the upload was stopped")
