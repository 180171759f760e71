"""How slow a peer may be: one that sends a byte now and then must not hold anybody for ever."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ProtocolError
from urllib3.response import BaseHTTPResponse

from bundler.transports.registry.retries import ConnectionLost

#: A body must bring at least so many bytes in each stretch of so many seconds.
_LEAST_BYTES = 1 << 10
_STRETCH_SECONDS = 60.0


class Pace:
    """Watches a body arrive."""

    def __init__(self, peer: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._peer = peer
        self._clock = clock
        self._since = clock()
        self._bytes = 0

    def count(self, count: int) -> None:
        """Count bytes that arrived.

        Raises:
            ConnectionLost: they come so slowly that the connection counts as broken.
        """
        self._bytes += count
        now = self._clock()
        if now - self._since < _STRETCH_SECONDS:
            return
        if self._bytes < _LEAST_BYTES:
            raise ConnectionLost(f"{self._peer} sent only {self._bytes} bytes in {now - self._since:.0f} s")
        self._since, self._bytes = now, 0


def bound_heads(pools: urllib3.PoolManager, seconds: float) -> None:
    """Give up connections of these pools on which the head of an answer takes longer than so many seconds.

    The time limit of a socket starts anew with every byte, so it is no limit for who sends them one by one.
    """

    class _Plain(_BoundedHead, HTTPConnection):
        most_seconds = seconds

    class _Secure(_BoundedHead, HTTPSConnection):
        most_seconds = seconds

    class _PlainPool(HTTPConnectionPool):
        ConnectionCls = _Plain

    class _SecurePool(HTTPSConnectionPool):
        ConnectionCls = _Secure

    pools.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


class _BoundedHead(HTTPConnection):
    most_seconds: float

    def getresponse(self) -> BaseHTTPResponse:  # type: ignore[override]  # as urllib3 has it
        late = threading.Event()
        timer = threading.Timer(self.most_seconds, _break, (self.sock, late))
        timer.daemon = True
        timer.start()
        try:
            answer = super().getresponse()
        finally:
            timer.cancel()
        if late.is_set():
            # A head that ends in the middle passes for a whole one.
            answer.close()
            raise ProtocolError("the head of an answer did not come in time")
        return answer


def _break(sock: socket.socket, late: threading.Event) -> None:
    late.set()
    # Whoever waits in a read gets the end of the stream.
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
