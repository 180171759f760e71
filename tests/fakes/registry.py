"""A small conforming registry in this process, with faults that a test switches on while it runs."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.products.product import Asked, Product
from tests.fakes.registry_doorman import Doorman
from tests.fakes.registry_store import Rejected, Store

_PATH = re.compile(r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs/uploads|blobs|tags|referrers)/(?P<rest>[^/]*)")
_INDEX = "application/vnd.oci.image.index.v1+json"


@dataclass
class Logged:
    """One request: ``received`` are the bytes of its body that were read so far, ``port`` is the client's."""

    method: str
    path: str
    headers: Mapping[str, str]
    received: int = 0
    port: int = 0


@dataclass
class Script:
    """An answer that is given instead of the right one, so many times; always if that is ``None``."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    uses: int | None = None


@dataclass
class Quirks:
    """How this registry differs from a plain one. All may be changed while it runs.

    Attributes:
        largest_request: larger ones get a 413 in HTML before their body is read, as from a proxy.
        html_errors: errors are pages, not JSON.
        location: of uploads: ``absolute``, ``relative`` (a path) or ``inner`` (another host that nobody reaches).
        storage: blobs are redirected to another host, which wants no Authorization.
        ignore_range: a Range is answered with 200 and everything.
        wrong_range: a Range is answered with another one.
        digest_header: what Docker-Content-Digest says: ``right``, ``wrong``, ``broken`` or ``missing``.
        truncate: bodies of blobs end after so many bytes, with the connection.
        cuts: so many more bodies of blobs end in their middle, with the connection.
        append: bytes behind each blob.
        refuse_mount: every mount becomes an upload.
        short_piece: of each PATCH the last so many bytes are dropped, and the answer says so.
        nonsense: bytes that are sent instead of any HTTP answer.
        scripts: answers by regular expression over ``METHOD path``.
        stall: PATCH and PUT of blobs wait for this event before they answer.
        keeps_cut: of a PATCH that breaks off the bytes are kept, and the upload's status tells their number
            whatever its URL says, as with distribution 3; else the upload is lost, as with distribution 2.8.
        least_piece: what OCI-Chunk-Min-Length says; smaller pieces are refused, but for the last one.
        no_pieces: every PATCH is answered with this status.
        bytes_per_second: how fast PATCH and PUT of blobs are read.
        referrers: whether it has the referrers API of distribution-spec 1.1: it then lists what has a subject, and
            says so in its answer to the PUT.
        referrers_page: how many referrers one answer lists; all if that is 0.
        referrers_host: where the next page is, instead of here.
        tags_page: most tags in one answer, whatever is asked for.
    """

    largest_request: int | None = None
    html_errors: bool = False
    location: str = "absolute"
    storage: bool = False
    ignore_range: bool = False
    wrong_range: bool = False
    digest_header: str = "right"
    truncate: int | None = None
    cuts: int = 0
    append: bytes = b""
    refuse_mount: bool = False
    short_piece: int = 0
    nonsense: bytes = b""
    scripts: dict[str, Script] = field(default_factory=dict)
    stall: threading.Event | None = None
    keeps_cut: bool = False
    least_piece: int = 0
    no_pieces: int = 0
    bytes_per_second: float = 0.0
    referrers: bool = False
    referrers_page: int = 0
    referrers_host: str = ""
    tags_page: int = 1 << 30


class FakeRegistry:
    """The registry: a context manager that serves on 127.0.0.1 from enter to exit.

    Attributes:
        address: ``127.0.0.1:PORT``.
        plain_http: what clients must be told.
        quirks: see :class:`Quirks`.
        doorman: who may come in; anybody by default.
        product: whose rules and words it has besides; none by default.
        log: all requests, in the order in which they came.
        storage_log: requests at the other host.
    """

    plain_http = True

    def __init__(self, *, doorman: Doorman | None = None, product: Product | None = None) -> None:
        self.store = Store()
        self.product = product or Product()
        self.product.store = self.store
        self.quirks = Quirks()
        self.doorman = doorman or Doorman()
        self.log: list[Logged] = []
        self.storage_log: list[Logged] = []
        self.faults: list[BaseException] = []
        self._server = _Server(self, _RegistryHandler)
        self._storage = _Server(self, _StorageHandler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self.storage_address = f"127.0.0.1:{self._storage.server_port}"

    def requests(self, method: str, part: str = "") -> list[Logged]:
        """Return the logged requests of a method whose path holds ``part``."""
        return [entry for entry in self.log if entry.method == method and part in entry.path]

    def wrap(self, context: ssl.SSLContext) -> None:
        """From now on speak TLS."""
        self._server.tls = context

    def __enter__(self) -> FakeRegistry:
        for server in (self._server, self._storage):
            _begin(server)
        return self

    def kill(self) -> None:
        """Break every connection and listen no more; what was received stays."""
        self._server.shutdown()
        self._server.server_close()
        self._server.break_connections()

    def again(self) -> None:
        """Listen on the same port again."""
        self._server = _Server(self, _RegistryHandler, self._server.server_port)
        _begin(self._server)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in (self._server, self._storage):
            server.shutdown()
            server.server_close()
        if error is None and self.faults:
            raise self.faults[0]


def _begin(server: _Server) -> None:
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, fake: FakeRegistry, handler: type[BaseHTTPRequestHandler], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.fake = fake
        self._connections: set[socket.socket] = set()
        self.tls: ssl.SSLContext | None = None

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.tls is not None:
            # The handshake comes with the first read, in the connection's own thread.
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def break_connections(self) -> None:
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        error = sys.exc_info()[1]
        # Clients may leave whenever they like; everything else is a fault of the fake.
        if error is not None and not isinstance(error, (ConnectionError, ssl.SSLError)):
            self.fake.faults.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in two writes; without this the second one waits for an acknowledgement.
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class has it
        pass

    def reply(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        given = {"Content-Length": str(len(body)), **(headers or {})}
        self.send_response(status)
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _StorageHandler(_Handler):
    """The host that a registry's object storage is: it checks signed URLs and takes no other credentials."""

    def do_GET(self) -> None:
        fake = self.server.fake
        fake.storage_log.append(Logged(self.command, self.path, dict(self.headers)))
        if self.headers.get("Authorization"):
            self.reply(400, b"Only one auth mechanism allowed")
            return
        data = fake.store.blobs[urlsplit(self.path).path.removeprefix("/")]
        first = int(self.headers.get("Range", "bytes=0-")[6:].rstrip("-"))
        headers = {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"}
        self.reply(206 if first else 200, data[first:], headers if first else {})

    do_HEAD = do_GET  # noqa: N815  # the base class looks for this


class _RegistryHandler(_Handler):
    def do_GET(self) -> None:
        fake, quirks = self.server.fake, self.server.fake.quirks
        self._kept: bytes | None = None
        self.logged = Logged(self.command, self.path, dict(self.headers), port=self.client_address[1])
        fake.log.append(self.logged)
        length = int(self.headers.get("Content-Length", 0))
        try:
            if quirks.nonsense:
                self.wfile.write(quirks.nonsense)
                self.close_connection = True
            elif quirks.largest_request is not None and length > quirks.largest_request:
                self._refuse_unread(413, b"<html><h1>413 Request Entity Too Large</h1></html>")
            elif script := self._scripted():
                self._read()
                self.close_connection = script.headers.get("Connection") == "close"
                self.reply(script.status, script.body, script.headers)
            elif answer := fake.product.answer(
                Asked(self.command, self.path, self.logged.headers, fake.address), self._body
            ):
                self._read()
                self.reply(answer.status, answer.body, answer.headers)
            elif refusal := fake.doorman.refuse(self.command, self.path, self.logged.headers, fake.address):
                self._read()
                self.reply(refusal.status, refusal.body, refusal.headers)
            else:
                self._serve()
        except Rejected as error:
            self._read()
            self._reply_error(error)

    do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815  # the base class looks for these

    def _scripted(self) -> Script | None:
        for pattern, script in self.server.fake.quirks.scripts.items():
            if script.uses != 0 and re.search(pattern, f"{self.command} {self.path}"):
                if script.uses is not None:
                    script.uses -= 1
                return script
        return None

    def _serve(self) -> None:
        url = urlsplit(self.path)
        token = self.server.fake.doorman.token_answer(self.command, self.path, self.logged.headers, self._read)
        if token is not None:
            self.reply(token.status, token.body, token.headers)
            return
        if url.path == "/v2/":
            self.reply(200, b"{}", {"Content-Type": "application/json"})
            return
        match = _PATH.fullmatch(url.path)
        if match is None:
            raise Rejected(404, "NAME_UNKNOWN")
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        serve = {
            "manifests": self._manifests,
            "blobs": self._blobs,
            "blobs/uploads": self._uploads,
            "tags": self._tags,
            "referrers": self._referrers,
        }[match["kind"]]
        serve(match["name"], match["rest"], query)

    # -- what is there --------------------------------------------------------------------------------------

    def _tags(self, name: str, rest: str, query: dict[str, str]) -> None:
        tags = [tag for tag in sorted(self.server.fake.store.repo(name).tags) if tag > query.get("last", "")]
        most = min(int(query.get("n", 1 << 30)), self.server.fake.quirks.tags_page)
        headers = {"Content-Type": "application/json"}
        if len(tags) > most:
            headers["Link"] = f'</v2/{name}/tags/list?last={tags[most - 1]}&n={most}>; rel="next"'
        self.reply(200, json.dumps({"name": name, "tags": tags[:most]}).encode(), headers)

    def _manifests(self, name: str, rest: str, query: dict[str, str]) -> None:
        store = self.server.fake.store
        if self.command == "PUT":
            if "Content-Length" not in self.headers:
                self._refuse_unread(411, b"")
                return
            digest = store.put_manifest(name, rest, self.headers.get("Content-Type", ""), self._read())
            subject = store.subject(name, digest) if self.server.fake.quirks.referrers else None
            listed = {"OCI-Subject": subject} if subject else {}
            self.reply(201, b"", {"Location": f"/v2/{name}/manifests/{digest}", **listed, **self._digest(digest)})
            return
        digest, media_type, raw = store.manifest(name, rest, ", ".join(self.headers.get_all("Accept", [])))
        self.reply(200, raw, {"Content-Type": media_type, **self._digest(digest)})

    def _referrers(self, name: str, subject: str, query: dict[str, str]) -> None:
        quirks = self.server.fake.quirks
        if not quirks.referrers:
            raise Rejected(404, "NOT_FOUND")
        found, first = self.server.fake.store.referrers(name, subject), int(query.get("first", 0))
        last = first + quirks.referrers_page if quirks.referrers_page else len(found)
        index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": found[first:last]}
        link = f'<{quirks.referrers_host}/v2/{name}/referrers/{subject}?first={last}>; rel="next"'
        more = {"Link": link} if last < len(found) else {}
        self.reply(200, json.dumps(index).encode(), {"Content-Type": _INDEX, **more})

    def _blobs(self, name: str, digest: str, query: dict[str, str]) -> None:
        fake, quirks = self.server.fake, self.server.fake.quirks
        data = fake.store.blob(name, digest)
        if quirks.storage and self.command == "GET":
            location = f"http://{fake.storage_address}/{digest}?signature=1"
            self.reply(307, b"", {"Location": location})
            return
        data += quirks.append
        headers = {"Content-Type": "application/octet-stream", **self._digest(digest)}
        status, first = 200, 0
        if self.headers.get("Range") and not quirks.ignore_range:
            first = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if first >= len(data):
                # Such registries announce the length of the whole blob, and send less.
                self.reply(416, b"{}", {"Content-Length": str(len(data))})
                return
            said = first + 1 if quirks.wrong_range else first
            status, headers["Content-Range"] = 206, f"bytes {said}-{len(data) - 1}/{len(data)}"
        body = data[first:]
        if quirks.truncate is not None and self.command == "GET":
            headers["Content-Length"] = str(len(body))
            body = body[: quirks.truncate]
            self.close_connection = True
        elif quirks.cuts and self.command == "GET":
            quirks.cuts -= 1
            headers["Content-Length"] = str(len(body))
            body = body[: len(body) // 2]
            self.close_connection = True
        self.reply(status, body, headers)

    # -- uploads --------------------------------------------------------------------------------------------

    def _uploads(self, name: str, identity: str, query: dict[str, str]) -> None:
        store, quirks = self.server.fake.store, self.server.fake.quirks
        if self.command == "POST":
            digest = query.get("mount", "")
            if digest and not quirks.refuse_mount and store.mount(name, digest, query.get("from", "")):
                self.reply(201, b"", {"Location": f"/v2/{name}/blobs/{digest}", **self._digest(digest)})
            else:
                self._reply_upload(name, store.start_upload())
            return
        free = (quirks.keeps_cut and self.command == "GET") or self.server.fake.product.stateless
        store.check_upload(identity, query.get("_state", ""), mistaken=416 if quirks.keeps_cut else 404, free=free)
        if self.command == "DELETE":
            del store.uploads[identity]
            self.reply(204)
            return
        if self.command == "GET":
            self._reply_upload(name, identity, 204)
            return
        if not self._receive(identity, last=self.command == "PUT"):
            self.close_connection = True
            return
        if quirks.stall is not None:
            quirks.stall.wait(60)
        if self.command == "PATCH":
            store.check_upload(identity, "", free=True)
            if quirks.short_piece:
                del store.uploads[identity][-quirks.short_piece :]
            self._reply_upload(name, identity)
            return
        store.finish(name, identity, query.get("digest", ""))
        location = {"Location": f"/v2/{name}/blobs/{query['digest']}"}
        self.reply(201, b"", {**location, **self._digest(query["digest"])})

    def _receive(self, identity: str, *, last: bool) -> bool:
        """Take the body of a PATCH or PUT as it comes; tell whether it came whole."""
        store, quirks = self.server.fake.store, self.server.fake.quirks
        if self.command == "PATCH" and quirks.no_pieces:
            raise Rejected(quirks.no_pieces, "UNSUPPORTED")
        left = int(self.headers.get("Content-Length", 0))
        given, least = self.headers.get("Content-Range", ""), quirks.least_piece
        held = store.check_piece(identity, given, left, least, last=last) if left else bytearray()
        while left:
            data = self.rfile.read(min(left, 64 << 10))
            self.logged.received += len(data)
            held += data
            left -= len(data)
            if not data:
                if not quirks.keeps_cut:
                    # What its URL says and what it has do not agree any more.
                    store.uploads.pop(identity, None)
                return False
            if quirks.bytes_per_second:
                time.sleep(len(data) / quirks.bytes_per_second)
        return True

    def _reply_upload(self, name: str, identity: str, status: int = 202) -> None:
        fake = self.server.fake
        held = len(fake.store.uploads[identity])
        state = "" if fake.product.stateless else f"?_state={held}"
        path = f"/v2/{name}/blobs/uploads/{identity}{state}"
        hosts = {"relative": "", "inner": "http://registry.internal:5000"}
        location = hosts.get(fake.quirks.location, f"http://{fake.address}") + path
        least = fake.quirks.least_piece
        more = {"OCI-Chunk-Min-Length": str(least)} if least else {}
        self.reply(status, b"", {"Location": location, "Range": f"0-{max(held - 1, 0)}", **more})

    # -- answers --------------------------------------------------------------------------------------------

    def _digest(self, digest: str) -> dict[str, str]:
        said = {"wrong": "sha256:" + "0" * 64, "broken": "sha256:xyz", "missing": ""}
        value = said.get(self.server.fake.quirks.digest_header, digest)
        return {"Docker-Content-Digest": value} if value else {}

    def _reply_error(self, error: Rejected) -> None:
        if self.server.fake.quirks.html_errors:
            self.reply(error.status, b"<html><h1>Error</h1></html>", {"Content-Type": "text/html"})
            return
        body = {"errors": [{"code": error.code, "message": error.code.lower(), "detail": error.detail}]}
        self.reply(error.status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _refuse_unread(self, status: int, body: bytes) -> None:
        self.close_connection = True
        self.reply(status, body, {"Content-Type": "text/html", "Connection": "close"})

    def reply(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        super().reply(status, body, {**self.server.fake.product.head(), **(headers or {})})

    def _body(self) -> bytes:
        """Read the whole body for somebody who looks at it before it is served."""
        self._kept = self._read()
        return self._kept

    def _read(self) -> bytes:
        if self._kept is not None:
            return self._kept
        left = int(self.headers.get("Content-Length", 0)) - self.logged.received
        data = self.rfile.read(left) if left > 0 else b""
        self.logged.received += len(data)
        return data
