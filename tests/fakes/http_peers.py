"""Small HTTP servers that behave badly in one way each; real sockets, real time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


class Peer:
    """A running server.

    Attributes:
        address: ``127.0.0.1:PORT``.
        asked: is set when the first request has come for which the answer calls ``note``.
        stopping: is set when the server ends; an answer that waits must wait for this.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.asked = threading.Event()
        self.stopping = threading.Event()


@contextmanager
def serve(make_answer: Callable[[Peer], Answer]) -> Iterator[Peer]:
    """Answer every request, of any method, by one function, on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            # A client that breaks off is what these tests are about.
            try:
                answer(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    peer = Peer(f"127.0.0.1:{server.server_address[1]}")
    answer = make_answer(peer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield peer
    finally:
        peer.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()


def reply(request: BaseHTTPRequestHandler, status: int, body: bytes, content_type: str, **headers: str) -> None:
    """Send one whole answer; the body is left out for HEAD."""
    request.send_response(status)
    request.send_header("Content-Type", content_type)
    request.send_header("Content-Length", str(len(body)))
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)


def html(status: int) -> Callable[[Peer], Answer]:
    """Make a server that knows nothing but a web page, as captive portals and wrong ports do."""

    def make(peer: Peer) -> Answer:
        def answer(request: BaseHTTPRequestHandler) -> None:
            # The body of an upload must not be taken for the next request.
            request.close_connection = True
            reply(request, status, b"<html><body>Welcome</body></html>", "text/html")

        return answer

    return make


def nonsense(body: bytes) -> Callable[[Peer], Answer]:
    """Make a server that answers everything with the same bytes, and calls them a manifest."""

    def make(peer: Peer) -> Answer:
        def answer(request: BaseHTTPRequestHandler) -> None:
            reply(request, 200, body, "application/vnd.oci.image.manifest.v1+json")

        return answer

    return make


def unavailable(peer: Peer) -> Answer:
    """Answer 503 for ever, and ask to come back at once."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        peer.asked.set()
        request.close_connection = True
        reply(request, 503, b"", "text/plain", Retry_After="0")

    return answer


def stalling(blobs: dict[str, bytes], manifest: dict[str, object], stalled: str) -> Callable[[Peer], Answer]:
    """Make a read-only registry of one image that stops in the middle of one blob and says no more."""

    def make(peer: Peer) -> Answer:
        def answer(request: BaseHTTPRequestHandler) -> None:
            path = request.path.split("?")[0]
            if path.rstrip("/") == "/v2":
                return reply(request, 200, b"{}", "application/json")
            wanted = path.rpartition("/")[2]
            if "/manifests/" in path:
                body = blobs[str(manifest["digest"])]
                headers = {"Docker_Content_Digest": str(manifest["digest"])}
                return reply(request, 200, body, str(manifest["mediaType"]), **headers)
            if wanted not in blobs:
                return reply(request, 404, b"{}", "application/json")
            if wanted != stalled or request.command == "HEAD":
                return reply(request, 200, blobs[wanted], "application/octet-stream")
            request.send_response(200)
            request.send_header("Content-Length", str(len(blobs[wanted])))
            request.end_headers()
            request.wfile.write(blobs[wanted][: len(blobs[wanted]) // 2])
            peer.asked.set()
            peer.stopping.wait()
            request.close_connection = True

        return answer

    return make
