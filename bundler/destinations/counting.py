"""Lets a task see the bytes of an image pass by."""

from __future__ import annotations

from bundler.content.images import BlobReader
from bundler.content.streams import ByteStream
from bundler.model.descriptor import Descriptor
from bundler.progress import Task


class CountingReader:
    """A ``BlobReader`` that advances a task by what is read through it, up to the bytes of the image."""

    def __init__(self, reader: BlobReader, task: Task, total: int) -> None:
        """Pass on what ``reader`` gives; ``total`` is the bytes of all blobs of the image."""
        self.reader = reader
        self.task = task
        self._left = total

    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
        """Open a blob of the reader below, with its promises."""
        return _CountingStream(self.reader.open_blob(descriptor, offset), self)

    def advance(self, count: int) -> None:
        """Count bytes, but never more than the image has."""
        count = min(count, self._left)
        self._left -= count
        self.task.advance(count)

    def finish(self) -> None:
        """Count what did not have to be read as done."""
        self.advance(self._left)


class _CountingStream:
    def __init__(self, stream: ByteStream, counting: CountingReader) -> None:
        self._stream = stream
        self._counting = counting

    def readinto(self, buffer: memoryview) -> int:
        count = self._stream.readinto(buffer)
        self._counting.advance(count)
        return count

    def close(self) -> None:
        self._stream.close()
