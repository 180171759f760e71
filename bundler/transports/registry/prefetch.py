"""Several streams are read ahead while one is consumed: in threads, in order, within a bound on memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from bundler.content.stopping import Stopping
from bundler.content.streams import ByteStream

#: How many streams are open at once, and what is kept of each that nobody has taken yet. All together with the
#: pieces that are just being filled this is less than 64 MiB.
STREAMS = 4
KEPT_BYTES = 12 << 20
_PIECE_BYTES = 512 << 10

Opener = Callable[[Stopping], ByteStream]


class Prefetch:
    """Opens streams ahead of their consumer. Used by one thread.

    Streams begin in their order; the next one begins when the first one that still runs has come to its end or
    was closed. What goes wrong in one shows when it is read, as if it were read directly.
    """

    def __init__(self, openers: Sequence[Opener]) -> None:
        """Open nothing yet: with a single stream, only that one is ever opened, by whoever reads it."""
        self._waiting = deque(openers)
        self._running: deque[_Ahead] = deque()
        self.stopping = Stopping()

    def next(self) -> ByteStream:
        """Return the next stream, which the caller closes before it asks for another.

        Raises:
            AirbundleError: it cannot be opened.
        """
        self._begin()
        return self._running.popleft()

    def _begin(self) -> None:
        while self._waiting and len(self._running) < STREAMS:
            self._running.append(_Ahead(self._waiting.popleft(), self.stopping))

    def close(self) -> None:
        """End all threads: at once where they wait for the consumer, else when their peer says something."""
        self.stopping.cut()
        for ahead in self._running:
            ahead.close()


class _Ahead:
    """One stream, read by a thread of its own."""

    def __init__(self, opener: Opener, stopping: Stopping) -> None:
        self._opener = opener
        self._stopping = stopping
        self._changed = threading.Condition()
        self._pieces: deque[memoryview] = deque()
        self._kept = 0
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None
        threading.Thread(target=self._read, name="airbundle-prefetch", daemon=True).start()

    def readinto(self, buffer: memoryview) -> int:
        """Take what is there, and wait where nothing is.

        Raises:
            AirbundleError: what went wrong when it was opened or read.
        """
        if not len(buffer):
            return 0
        with self._changed:
            while not self._pieces and not self._ended:
                self._changed.wait()
            if not self._pieces:
                if self._error is not None:
                    raise self._error
                return 0
            piece = self._pieces.popleft()
            count = min(len(piece), len(buffer))
            if count < len(piece):
                self._pieces.appendleft(piece[count:])
            self._kept -= count
            self._changed.notify_all()
        buffer[:count] = piece[:count]
        return count

    def close(self) -> None:
        """Keep nothing more, and let the thread end."""
        with self._changed:
            self._closed = True
            self._pieces.clear()
            self._changed.notify_all()

    def _read(self) -> None:
        try:
            stream = self._opener(self._stopping)
            try:
                while self._has_room() and self._fill(stream):
                    pass
            finally:
                stream.close()
        except BaseException as error:  # noqa: BLE001  # raised again in the thread that reads
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _has_room(self) -> bool:
        """Wait for room; return whether anybody still wants more."""
        with self._changed:
            while self._kept >= KEPT_BYTES and not self._closed:
                self._changed.wait()
            return not self._closed and not self._stopping.asked

    def _fill(self, stream: ByteStream) -> bool:
        """Read one piece, as full as the stream makes it; return whether there is more."""
        piece, filled, count = memoryview(bytearray(_PIECE_BYTES)), 0, 1
        try:
            while filled < len(piece) and (count := stream.readinto(piece[filled:])):
                filled += count
        finally:
            if filled:
                with self._changed:
                    if not self._closed:
                        self._pieces.append(piece[:filled])
                        self._kept += filled
                        self._changed.notify_all()
        return bool(count)
