"""Bounded queues between the threads of a pipeline, and a stream that one thread feeds and another reads."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class ChannelClosed(Exception):
    """The other side has given up; what it raised is reported by its own thread."""


class Channel(Generic[T]):
    """A bounded first-in, first-out queue that either side can break off.

    ``queue.Queue`` has no such end before Python 3.13: a thread whose partner died would wait for ever.
    """

    def __init__(self, capacity: int) -> None:
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._ended = False
        self._broken = False
        self._changed = threading.Condition()

    def put(self, item: T) -> None:
        """Add an item; wait while the queue is full.

        Raises:
            ChannelClosed: the channel was broken off.
        """
        with self._changed:
            while len(self._items) >= self._capacity and not self._broken:
                self._changed.wait()
            if self._broken:
                raise ChannelClosed
            self._items.append(item)
            self._changed.notify_all()

    def get(self) -> T | None:
        """Take the next item; wait while there is none. ``None`` after the last one of an ended channel.

        Raises:
            ChannelClosed: the channel was broken off.
        """
        with self._changed:
            while not self._items and not self._ended and not self._broken:
                self._changed.wait()
            if self._broken:
                raise ChannelClosed
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def end(self) -> None:
        """Say that no more items come."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def break_off(self) -> None:
        """Drop what waits and wake both sides."""
        with self._changed:
            self._broken = True
            self._items.clear()
            self._changed.notify_all()


class PushedStream:
    """A byte stream whose bytes another thread pushes."""

    def __init__(self, capacity: int = 4) -> None:
        self._channel: Channel[bytes] = Channel(capacity)
        self._rest = memoryview(b"")

    def push(self, data: bytes) -> None:
        """Hand over bytes; wait while the reader is behind. After ``close`` they are dropped."""
        if not data:
            return  # a reader would take it for the end
        try:
            self._channel.put(data)
        except ChannelClosed:
            return

    def end(self) -> None:
        """Say that the stream is complete."""
        self._channel.end()

    def readinto(self, buffer: memoryview) -> int:
        """Read what has been pushed, waiting for it; 0 at the end."""
        if not self._rest:
            try:
                self._rest = memoryview(self._channel.get() or b"")
            except ChannelClosed:
                return 0
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Stop reading; whoever pushes is no longer held up."""
        self._channel.break_off()
