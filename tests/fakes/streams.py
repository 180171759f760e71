"""Streams that behave badly in one chosen way."""

from __future__ import annotations

from bundler.content.streams import ByteStream, MemoryStream


class SlowStream:
    """Gives at most ``step`` bytes per call, as a socket may."""

    def __init__(self, data: bytes, step: int = 1) -> None:
        self._inner = MemoryStream(data)
        self._step = step
        self.closed = 0

    def readinto(self, buffer: memoryview) -> int:
        return self._inner.readinto(buffer[: self._step])

    def close(self) -> None:
        self.closed += 1


class FailingStream:
    """Gives its bytes and then raises."""

    def __init__(self, data: bytes, error: BaseException) -> None:
        self._inner = MemoryStream(data)
        self._error = error

    def readinto(self, buffer: memoryview) -> int:
        count = self._inner.readinto(buffer)
        if not count and len(buffer):
            raise self._error
        return count

    def close(self) -> None:
        pass


def drain(stream: ByteStream, step: int = 1 << 16) -> bytes:
    """Read a stream to its end in buffers of ``step`` bytes."""
    out, buffer = bytearray(), memoryview(bytearray(step))
    while count := stream.readinto(buffer):
        out += buffer[:count]
    return bytes(out)


def read_and_close(stream: ByteStream) -> bytes:
    """Read a stream to its end and close it, whatever happens."""
    try:
        return drain(stream)
    finally:
        stream.close()
