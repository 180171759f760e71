"""The bytes of one blob on their way into requests, read once unless something has to be sent again."""

from __future__ import annotations

from collections.abc import Iterator

from bundler.content.images import BlobReader
from bundler.content.stopping import Stopping
from bundler.content.streams import BUFFER_BYTES, ByteStream
from bundler.errors import DamagedContent
from bundler.model.descriptor import Descriptor
from bundler.progress import Task
from bundler.transports.registry.wire import Body

#: The unit of sending: a socket must get rid of it within its time limit, also over a slow line.
_SLICE_BYTES = 64 << 10


class BlobBytes:
    """A blob as bodies of requests. Used by one thread.

    Attributes:
        descriptor: of the blob.
        sent: bytes given to connections so far, each as often as it was given.
    """

    def __init__(self, descriptor: Descriptor, reader: BlobReader, task: Task, stopping: Stopping) -> None:
        """Prepare; nothing is opened yet. The task is advanced by each byte once."""
        self.descriptor = descriptor
        self.sent = 0
        self._reader = reader
        self._task = task
        self._stopping = stopping
        self._stream: ByteStream | None = None
        self._position = 0
        self._counted = 0
        self._verified = True

    def body(self, offset: int, length: int) -> Body:
        """Make the body of a request.

        Its bytes raise ``DamagedContent`` where the blob is not what its digest says, as far as that can be seen
        from there, and ``Interrupted`` when everything is cut.
        """
        return Body(length, lambda: self._pieces(offset, length))

    def count_to(self, position: int) -> None:
        """Tell the task of bytes that it was not told of before."""
        if position > self._counted:
            self._task.advance(position - self._counted)
            self._counted = position

    def verify(self) -> None:
        """Read the blob from its beginning, unless that was done.

        Raises:
            DamagedContent: it is not what its digest says.
            Interrupted: an end is wanted.
        """
        if self._verified:
            return
        stream = self._open(0)
        buffer = memoryview(bytearray(BUFFER_BYTES))
        while count := stream.readinto(buffer):
            self._position += count
            self._stopping.before_beginning()

    def close(self) -> None:
        """Close what is open."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _pieces(self, offset: int, length: int) -> Iterator[memoryview]:
        stream, end = self._open(offset), offset + length
        buffer = memoryview(bytearray(min(_SLICE_BYTES, length)))
        while self._position < end:
            self._stopping.before_going_on()
            count = stream.readinto(buffer[: end - self._position])
            if count == 0:
                raise DamagedContent(f"blob {self.descriptor.digest} ends at byte {self._position}")
            self._position += count
            position = self._position
            # Before it is known how much of it leaves: a connection that breaks does not tell.
            self.sent += count
            yield buffer[:count]
            self.count_to(position)

    def _open(self, offset: int) -> ByteStream:
        if self._stream is None or self._position != offset:
            self.close()
            self._stream = self._reader.open_blob(self.descriptor, offset)
            self._position = offset
            self._verified = offset == 0
        return self._stream
