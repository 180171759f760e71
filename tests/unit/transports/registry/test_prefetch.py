"""Streams that are read ahead: in order, bounded, and with their errors where they belong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from bundler.content.stopping import Stopping
from bundler.content.streams import ByteStream, MemoryStream, read_all
from bundler.errors import Interrupted, Unreachable
from bundler.transports.registry.prefetch import KEPT_BYTES, STREAMS, Opener, Prefetch


class Counted:
    """Endless bytes, counted."""

    def __init__(self) -> None:
        self.given = 0
        self.closed = threading.Event()

    def readinto(self, buffer: memoryview) -> int:
        self.given += len(buffer)
        return len(buffer)

    def close(self) -> None:
        self.closed.set()


def of(data: bytes) -> Opener:
    return lambda stopping: MemoryStream(data)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_streams_come_in_their_order_whole() -> None:
    contents = [bytes([number]) * (number * 300_000) for number in range(9)]
    ahead = Prefetch([of(data) for data in contents])
    for data in contents:
        stream = ahead.next()
        assert read_all(stream, len(data)) == data
        stream.close()
    ahead.close()


def test_memory_is_bounded_and_only_some_are_open() -> None:
    opened: list[Counted] = []

    def opener(stopping: Stopping) -> ByteStream:
        opened.append(Counted())
        return opened[-1]

    ahead = Prefetch([opener] * 10)
    ahead.next()
    # Each is a piece over its bound at most, and stands still there.
    until(lambda: len(opened) == STREAMS and all(one.given >= KEPT_BYTES for one in opened))
    time.sleep(0.05)
    assert sum(one.given for one in opened) <= STREAMS * (KEPT_BYTES + (512 << 10)) < 64 << 20
    assert len(opened) == STREAMS
    ahead.close()
    until(lambda: sum(one.closed.is_set() for one in opened) >= STREAMS - 1)


def test_a_stream_that_nobody_reads_is_passed_over() -> None:
    ahead = Prefetch([of(b"a"), of(b"b" * (30 << 20)), of(b"c")])
    ahead.next().close()
    ahead.next().close()
    assert read_all(ahead.next(), 1) == b"c"
    ahead.close()


def test_an_error_comes_where_its_stream_is_read() -> None:
    class Broken:
        def __init__(self) -> None:
            self._left = 3

        def readinto(self, buffer: memoryview) -> int:
            self._left -= 1
            if self._left < 0:
                raise Unreachable("broke off")
            buffer[0] = 7
            return 1

        def close(self) -> None:
            pass

    def closed(stopping: Stopping) -> ByteStream:
        raise Unreachable("not there")

    ahead = Prefetch([of(b"a"), lambda stopping: Broken(), closed])
    assert read_all(ahead.next(), 1) == b"a"
    stream, buffer = ahead.next(), memoryview(bytearray(10))
    got = 0
    while got < 3:
        got += stream.readinto(buffer)
    with pytest.raises(Unreachable, match="broke off"):
        stream.readinto(buffer)
    with pytest.raises(Unreachable, match="not there"):
        ahead.next().readinto(buffer)
    ahead.close()


def test_an_end_ends_waits() -> None:
    seen: list[BaseException] = []
    waiting = threading.Event()

    def opener(stopping: Stopping) -> ByteStream:
        waiting.set()
        try:
            stopping.wait(60)
        except Interrupted as error:
            seen.append(error)
            raise
        raise AssertionError

    ahead = Prefetch([opener])
    ahead.next()
    assert waiting.wait(5)
    ahead.close()
    until(lambda: bool(seen))
