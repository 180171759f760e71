"""A small HTTP proxy: forwards plain requests, tunnels CONNECT, and knows hosts that nobody else knows."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Mapping
from types import TracebackType


class FakeProxy:
    """A context manager that listens on 127.0.0.1 from enter to exit; one request for each connection.

    Attributes:
        address: ``127.0.0.1:PORT``.
        asked: method and host of each request that was let through.
    """

    def __init__(self, hosts: Mapping[str, str], password: tuple[str, str]) -> None:
        """Lead each ``host:port`` of ``hosts`` to another, for who gives user and password."""
        self._hosts = hosts
        self._wanted = "Basic " + base64.b64encode(":".join(password).encode()).decode()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked: list[str] = []

    def __enter__(self) -> FakeProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head and (data := client.recv(4096)):
                head += data
            method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
            if f"proxy-authorization: {self._wanted}".lower() not in head.decode().lower():
                client.sendall(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            host = target if method == "CONNECT" else target.split("/")[2]
            self.asked.append(f"{method} {host}")
            address, _, port = self._hosts[host].partition(":")
            with socket.create_connection((address, int(port))) as server:
                if method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Go on\r\n\r\n")
                else:
                    path = target.split("/", 3)[3]
                    server.sendall(head.replace(target.encode(), b"/" + path.encode(), 1))
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join(5)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
