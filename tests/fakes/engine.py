"""A small Docker engine: the part of its API that images travel by, over a unix socket, with faults on demand.

It keeps images as the two kinds of real stores do. The suites of the client, the source and the destination run
on it and on real engines alike, so it cannot drift into a behaviour of its own.
"""

from __future__ import annotations

import http.server
import json
import re
import shutil
import socket
import socketserver
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

from tests.fakes.engine_archives import LoadFailed
from tests.fakes.engine_containers import FakeContainers
from tests.fakes.engine_stores import ClassicStore, ContainerdStore, Store

_PIECE = 64 << 10


@dataclass
class Faults:
    """What the engine does wrong until told otherwise.

    Attributes:
        load_error: reported in a line inside a 200 after the body was read; nothing is stored.
        lies_on_load: it says ``Loaded image`` and stores nothing.
        moves_tag_and_fails: it stores the image and its name, then reports an error.
        break_load_after: bytes of the body after which the connection is cut.
        silent_load: it loads the next archive and cuts the connection in place of the answer.
        cut_save_after: bytes of a saved image after which the connection is cut.
        silence: seconds before the first byte of a saved image, and of the answer to a load.
        nonsense: sent as the body of every answer to a GET that asks for JSON.
        saves_at_once: so many requests for saved images must have come before any is answered; if one does not
            come for 30 seconds, all fail.
        refuse_one: of these, one request fails.
        save_prefix: replaces how layers are named in a saved image: ``layer-….tar``, which tells nothing.
    """

    load_error: str | None = None
    lies_on_load: bool = False
    moves_tag_and_fails: bool = False
    break_load_after: int | None = None
    silent_load: bool = False
    cut_save_after: int | None = None
    silence: float = 0.0
    nonsense: bytes | None = None
    saves_at_once: threading.Barrier | None = None
    refuse_one: bool = False
    save_prefix: bool = False


@dataclass
class FakeEngine:
    """An engine that runs while the context is entered.

    Attributes:
        version: what it says it is; from 23 on it reads zstd, from 25 on it saves in the OCI layout.
        kind: of its store.
        host: what ``DOCKER_HOST`` would have to say.
        uploads: the names of the files of each archive that was loaded, in order.
        saves: the names in each request for saved images, in order.
        containers: those that are there, and what was asked for.
    """

    version: str = "20.10.24"
    kind: Literal["classic", "containerd"] = "classic"
    api_version: str = "1.41"
    architecture: str = "amd64"
    faults: Faults = field(default_factory=Faults)
    uploads: list[list[str]] = field(default_factory=list)
    saves: list[list[str]] = field(default_factory=list)
    containers: FakeContainers = field(default_factory=FakeContainers)
    host: str = ""

    def __post_init__(self) -> None:
        major = int(self.version.split(".")[0])
        self.store: Store = (
            ClassicStore(reads_zstd=major >= 23, saves_oci=major >= 25)
            if self.kind == "classic"
            else ContainerdStore()
        )

    def __enter__(self) -> FakeEngine:
        self._directory = tempfile.mkdtemp(prefix="abf", dir="/tmp")
        self.host = f"unix://{self._directory}/s"
        handler = type("Handler", (_Handler,), {"engine": self})
        self._server = _Server(f"{self._directory}/s", handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        shutil.rmtree(self._directory)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is nothing to report."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    engine: FakeEngine

    def do_GET(self) -> None:
        path, query = self._target()
        engine = self.engine
        if path == "/images/get":
            return self._save(query["names"])
        if path == "/version":
            parts = [{"Name": "Engine", "Version": engine.version}]
            answer: Any = {
                "Version": engine.version,
                "ApiVersion": engine.api_version,
                "MinAPIVersion": "1.12",
                "Os": "linux",
                "Arch": engine.architecture,
                "Components": parts,
            }
            return self._send_json(answer)
        if engine.faults.nonsense is not None:
            return self._send(200, engine.faults.nonsense)
        if path == "/info":
            return self._send_json(
                {
                    "Driver": "overlay",
                    "DriverStatus": engine.store.driver_status,
                    "Name": socket.gethostname(),
                    "SystemTime": "2026-11-30T10:00:00.123456789Z",
                }
            )
        if path == "/images/json":
            return self._send_json(engine.store.listing("manifests" in query))
        if match := re.fullmatch(r"/images/(.+)/json", path):
            found = engine.store.inspect(match[1])
            return self._send_json(found) if found else self._missing(match[1])
        if match := re.fullmatch(r"/containers/([^/]+)/(json|logs)", path):
            container = engine.containers.by_name.get(match[1])
            if container is None:
                return self._missing(match[1])
            if match[2] == "logs":
                return self._send(200, container.frames)
            return self._send_json({"State": container.state})
        return self._send_json({"message": "page not found"}, 404)

    def do_POST(self) -> None:
        path, query = self._target()
        if path == "/images/load":
            return self._load()
        if match := re.fullmatch(r"/containers/(?:create|([^/]+)/(start|kill|wait))", path):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            containers = self.engine.containers
            status, answer = (
                containers.post(match[1], match[2])
                if match[1]
                else containers.create(query["name"][0], json.loads(body))
            )
            return self._send(status, b"" if answer is None else json.dumps(answer).encode())
        if match := re.fullmatch(r"/images/(.+)/tag", path):
            found = self.engine.store.find(match[1])
            if found is None:
                return self._missing(match[1])
            self.engine.store.names[f"{query['repo'][0]}:{query['tag'][0]}"] = found
            return self._send(201, b"")
        return self._send_json({"message": "page not found"}, 404)

    def do_DELETE(self) -> None:
        path = self._target()[0]
        if path.startswith("/containers/"):
            status, _ = self.engine.containers.remove(path.rpartition("/")[2])
            return self._send(status, b"")
        match = re.fullmatch(r"/images/(.+)", path)
        if match is None or self.engine.store.find(match[1]) is None:
            return self._missing(match[1] if match else "")
        self.engine.store.remove(match[1])
        return self._send_json([{"Untagged": match[1]}])

    def _save(self, names: list[str]) -> None:
        engine = self.engine
        engine.saves.append(names)
        if None in map(engine.store.find, names):
            return self._send_json({"message": "reference does not exist"}, 404)
        time.sleep(engine.faults.silence)
        if engine.faults.saves_at_once is not None and not self._may_save(engine.faults.saves_at_once):
            return self._send_json({"message": "no space left on device"}, 500)
        data = engine.store.save(names, engine.faults.save_prefix)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-tar")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        end = len(data) if engine.faults.cut_save_after is None else engine.faults.cut_save_after
        for start in range(0, end, _PIECE):
            piece = data[start : min(start + _PIECE, end)]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        if end == len(data):
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True
        return None

    def _may_save(self, all_here: threading.Barrier) -> bool:
        try:
            is_last = all_here.wait(30) == 0
        except threading.BrokenBarrierError:
            return False
        faults = self.engine.faults
        if is_last:
            faults.saves_at_once = None
        return not (is_last and faults.refuse_one)

    def _load(self) -> None:
        engine, body = self.engine, bytearray()
        for piece in self._chunks():
            body += piece
            if engine.faults.break_load_after is not None and len(body) >= engine.faults.break_load_after:
                self.close_connection = True
                return
        if self.close_connection:
            # The client broke off: a real engine keeps nothing of it either.
            return
        time.sleep(engine.faults.silence)
        lines = []
        try:
            if engine.faults.load_error is not None:
                raise LoadFailed(engine.faults.load_error)
            files = engine.store.unpack(bytes(body))
            engine.uploads.append(list(files))
            lines = engine.store.load({} if engine.faults.lies_on_load else files)
            if engine.faults.moves_tag_and_fails:
                raise LoadFailed("failed to register layer")
            answer = [{"stream": f"{line}\n"} for line in lines or ["Loaded image: something:1"]]
        except LoadFailed as error:
            answer = [{"stream": "Loaded image: something:1\n"}]
            answer.append({"errorDetail": {"message": str(error)}, "error": str(error)})  # type: ignore[dict-item]
        if engine.faults.silent_load:
            engine.faults.silent_load, self.close_connection = False, True
            return
        self._send(200, b"".join(json.dumps(line).encode() + b"\r\n" for line in answer))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().strip() or b"-1", 16):
            if size < 0:
                self.close_connection = True
                return
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _target(self) -> tuple[str, dict[str, list[str]]]:
        parsed = urllib.parse.urlsplit(self.path)
        path = re.sub(r"^/v\d+\.\d+", "", urllib.parse.unquote(parsed.path))
        return path, urllib.parse.parse_qs(parsed.query)

    def _missing(self, name: str) -> None:
        self._send_json({"message": f"No such image: {name}"}, 404)

    def _send_json(self, value: object, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads a log of this server."""
