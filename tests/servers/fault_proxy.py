"""A proxy before a registry that breaks connections, answers by itself, and counts what comes to be stored."""

from __future__ import annotations

import contextlib
import http.client
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit

from tests.fakes.registry import FakeRegistry

_SLICE = 64 << 10
_UPLOAD = re.compile(r"(PATCH|PUT) .*/blobs/uploads/")
_HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive"}


@dataclass(frozen=True)
class Cut:
    """The connection breaks after so many bytes of the body; the registry gets those."""

    after: int


@dataclass(frozen=True)
class LoseAnswer:
    """The request arrives, its answer does not."""


@dataclass(frozen=True)
class Reply:
    """The proxy answers; ``unread`` before it has read the body, as proxies refuse what is too large."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    unread: bool = False


@dataclass(frozen=True)
class ForgetUpload:
    """The registry loses all uploads just before the request."""

    registry: FakeRegistry


Fault = Cut | LoseAnswer | Reply | ForgetUpload
TOO_LARGE = Reply(413, b"<html><h1>413 Request Entity Too Large</h1></html>", {"Content-Type": "text/html"}, True)


@dataclass
class Planned:
    """A fault that is to happen to some requests."""

    pattern: str
    fault: Fault
    skip: int
    times: int
    share: float


class FaultProxy:
    """The proxy: a context manager that serves on 127.0.0.1.

    Attributes:
        address: ``127.0.0.1:PORT``.
        backend: the registry's address; may be changed while it runs.
        upload_bytes: bytes of blobs that came in bodies of PATCH and PUT so far.
        largest: bodies of more bytes get a 413 with a page.
        cut_every: each connection breaks after so many bytes of bodies.
        bytes_per_second: how fast the bodies of one connection pass.
        requests: ``METHOD path`` of all requests.
        plans: the faults that are to happen, see :meth:`plan`.
    """

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self.upload_bytes = 0
        self.largest: int | None = None
        self.cut_every: int | None = None
        self.bytes_per_second: float = 0.0
        self.requests: list[str] = []
        self.plans: list[Planned] = []
        self._lock = threading.Lock()
        self._random = random.Random(5)
        self._server = _Server(self)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def plan(self, pattern: str, fault: Fault, *, skip: int = 0, times: int = 1, share: float = 1.0) -> None:
        """Let a fault happen to requests whose ``METHOD path`` matches.

        It happens after ``skip`` of them, so many times, to about this share of them.
        """
        self.plans.append(Planned(pattern, fault, skip, times, share))

    @property
    def left(self) -> int:
        """How many planned faults did not happen yet."""
        return sum(planned.times for planned in self.plans)

    def __enter__(self) -> FaultProxy:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fault_for(self, request: str) -> Fault | None:
        """Return the fault that this request meets."""
        with self._lock:
            self.requests.append(request)
            for planned in self.plans:
                if planned.times and re.search(planned.pattern, request):
                    if planned.skip:
                        planned.skip -= 1
                        continue
                    if self._random.random() >= planned.share:
                        continue
                    planned.times -= 1
                    return planned.fault
        return None

    def count(self, request: str, size: int) -> None:
        """Count bytes of an upload."""
        if _UPLOAD.match(request):
            with self._lock:
                self.upload_bytes += size


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A test that kills a client in the middle of many requests must not meet a full queue.
    request_queue_size = 64

    def __init__(self, proxy: FaultProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients and registries that leave are what this proxy is for."""


class _Broken(Exception):
    """The connection of this handler is to break now."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    passed = 0

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        proxy, request = self.server.proxy, f"{self.command} {self.path}"
        self.request_line = request
        length = int(self.headers.get("Content-Length", 0))
        fault = proxy.fault_for(request)
        if proxy.largest is not None and length > proxy.largest:
            fault = TOO_LARGE
        try:
            if isinstance(fault, ForgetUpload):
                fault.registry.store.uploads.clear()
            if isinstance(fault, Reply):
                self._reply(fault, length)
            else:
                self._pass_on(fault, length)
        except (_Broken, OSError, http.client.HTTPException):
            self._break()

    do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _reply(self, fault: Reply, length: int) -> None:
        if fault.unread:
            self.close_connection = True
        else:
            for _ in self._body(length, None):
                pass
        self.send_response(fault.status)
        for name, value in {"Content-Length": str(len(fault.body)), **fault.headers}.items():
            self.send_header(name, value)
        if fault.unread:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(fault.body)

    def _pass_on(self, fault: Fault | None, length: int) -> None:
        host = urlsplit(f"//{self.server.proxy.backend}")
        backend = http.client.HTTPConnection(host.hostname or "", host.port, timeout=60)
        try:
            backend.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    backend.putheader(name, value)
            backend.endheaders()
            for piece in self._body(length, fault.after if isinstance(fault, Cut) else None):
                backend.send(piece)
            answer = backend.getresponse()
            body = answer.read()
        finally:
            backend.close()
        if isinstance(fault, LoseAnswer):
            raise _Broken
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        # Of a HEAD the length is that of what a GET would give.
        self.send_header("Content-Length", answer.getheader("Content-Length") or str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self, length: int, cut: int | None) -> Iterator[bytes]:
        proxy = self.server.proxy
        done = 0
        while done < length:
            most = min(_SLICE, length - done)
            if cut is not None:
                most = min(most, cut - done)
            if proxy.cut_every is not None:
                most = min(most, proxy.cut_every - self.passed)
            piece = self.rfile.read(most) if most > 0 else b""
            if not piece:
                raise _Broken
            done += len(piece)
            self.passed += len(piece)
            proxy.count(self.request_line, len(piece))
            yield piece
            if proxy.bytes_per_second:
                time.sleep(len(piece) / proxy.bytes_per_second)

    def _break(self) -> None:
        """Reset the connection, so that the peer sees at once that it is gone."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
