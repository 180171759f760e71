"""Peers that send a byte now and then, to keep a command for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest

from bundler.errors import Unreachable
from bundler.transports.registry import pools, wire
from bundler.transports.registry.access.access import RegistryAccess
from bundler.transports.registry.manifests import fetch_manifest
from bundler.transports.registry.pace import Pace
from bundler.transports.registry.retries import NO_RETRIES, ConnectionLost
from bundler.transports.registry.wire import NO_BODY, Wire
from tests.fakes import http_peers
from tests.unit.transports.registry.clients import Clients

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\n"


@contextmanager
def trickling(at_once: bytes, then: bytes) -> Iterator[str]:
    """Serve an answer that begins at once and goes on for ever, byte by byte."""

    def make(peer: http_peers.Peer) -> Callable[[BaseHTTPRequestHandler], None]:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.close_connection = True
            request.wfile.write(at_once)
            while not peer.stopping.wait(0.02):
                request.wfile.write(then)

        return answer

    with http_peers.serve(make) as peer:
        yield peer.address


def test_a_body_that_trickles(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundler.transports.registry.pace._STRETCH_SECONDS", 0.5)
    with (
        trickling(HEAD + b"Content-Length: 100000\r\n\r\n", b" ") as address,
        pytest.raises(Unreachable, match="sent only"),
    ):
        fetch_manifest(clients.repository(address, policy=NO_RETRIES), "1")


def test_a_head_that_trickles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "_HEAD_SECONDS", 0.5)
    with trickling(HEAD + b"X: ", b"x") as address:
        access = RegistryAccess(plain_http=True)
        made = Wire(address, pools.Pools(access.address(address), access, 1))
        with pytest.raises(ConnectionLost):
            made.send("GET", f"http://{address}/", {}, NO_BODY)
        made.close()
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_an_error_that_trickles(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_SHORT_TIMEOUT", 0.3)
    began = time.monotonic()
    with (
        trickling(b"HTTP/1.1 500 No\r\nContent-Length: 60000\r\n\r\n", b"x") as address,
        pytest.raises(Unreachable, match="500"),
    ):
        fetch_manifest(clients.repository(address, policy=NO_RETRIES), "1")
    assert time.monotonic() - began < 5


def test_the_rule() -> None:
    now = 0.0
    pace = Pace("reg.test", lambda: now)
    for _ in range(100):
        now += 10
        pace.count(171)  # a little more than 1 KiB in a minute
    pace.count(100)
    now += 60
    with pytest.raises(ConnectionLost):
        pace.count(1)
