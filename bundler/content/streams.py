"""Streams of bytes that come from outside, and the reader that trusts none of them."""

from __future__ import annotations

from typing import Protocol

from bundler.content.hashing import Sha256
from bundler.errors import DamagedContent
from bundler.model.digest import Digest
from bundler.model.limits import beyond

#: The unit of reading: large enough that the cost of a call vanishes, small enough to keep many.
BUFFER_BYTES = 1 << 20


class ByteStream(Protocol):
    """A readable stream that is read once, from front to back, by one thread at a time."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill the front of the buffer; return the number of bytes, 0 only at the end or for no buffer."""

    def close(self) -> None:
        """Release what the stream holds; may be called more than once, and before the end."""


class VerifiedStream:
    """Passes a stream on, bounded by its size and hashed as it is read (OCI descriptor.md, "Verification").

    The last bytes are handed over only after the digest was found right and nothing was found behind them,
    so a consumer that saw the end has seen the right bytes.
    """

    def __init__(self, stream: ByteStream, size: int, digest: Digest, what: str = "content") -> None:
        """Verify that ``stream`` has exactly ``size`` bytes of this digest; ``what`` names it in errors."""
        self._stream = stream
        self._left = size
        self._digest = digest
        self._what = what
        self._hash = Sha256()
        self._checked = False
        self._is_longer = False

    def readinto(self, buffer: memoryview) -> int:
        """Read on.

        Raises:
            DamagedContent: the stream ends early, goes on behind its size, or has another digest.
        """
        if self._left == 0:
            self._check_end()
            return 0
        count = self._stream.readinto(buffer[: self._left])
        if count == 0 and len(buffer):
            raise DamagedContent(f"{self._what} {self._digest} is truncated: {self._left} bytes are missing")
        self._hash.update(buffer[:count])
        self._left -= count
        if self._left == 0:
            self._check_end()
        return count

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()

    def _check_end(self) -> None:
        if self._checked:
            return
        if self._hash.digest != self._digest:
            raise DamagedContent(f"{self._what} {self._digest} is damaged: its bytes hash to {self._hash.digest}")
        # Remembered: the byte is gone, and whoever asks again must not hear that all is well.
        self._is_longer = self._is_longer or bool(self._stream.readinto(memoryview(bytearray(1))))
        if self._is_longer:
            raise DamagedContent(f"{self._what} {self._digest} is longer than its size says")
        self._checked = True


class MemoryStream:
    """A stream over bytes in memory."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self._position = 0

    def readinto(self, buffer: memoryview) -> int:
        """Copy the next bytes."""
        piece = self._data[self._position : self._position + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def close(self) -> None:
        """Nothing to release."""


class StreamFile:
    """Gives a stream the methods that libraries ask of a file for reading."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, all that are left for a negative size; ``b""`` at the end.

        Fewer than asked for (at most 1 MiB) only at the end: gzip takes a short read of its header for the end.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(BUFFER_BYTES), b""))
        buffer = bytearray(min(size, BUFFER_BYTES))
        count = read_exactly(self._stream, memoryview(buffer))
        return bytes(memoryview(buffer)[:count])

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill a buffer; fewer bytes than it has only at the end, for the same reason."""
        return read_exactly(self._stream, memoryview(buffer).cast("B"))


def read_all(stream: ByteStream, limit: int, what: str = "content") -> bytes:
    """Read a stream that must be small.

    Raises:
        MalformedDocument: it has more than ``limit`` bytes; LimitExceeded, if that is a field of ``Limits``.
    """
    result, buffer = bytearray(), memoryview(bytearray(min(limit + 1, BUFFER_BYTES)))
    while count := stream.readinto(buffer):
        result += buffer[:count]
        if len(result) > limit:
            raise beyond(limit, f"{what} has {len(result)} bytes or more")
    return bytes(result)


def read_exactly(stream: ByteStream, buffer: memoryview) -> int:
    """Fill the buffer as far as the stream goes; return less than its length only at the end."""
    filled = 0
    while filled < len(buffer) and (count := stream.readinto(buffer[filled:])):
        filled += count
    return filled
