"""One container at a time, locked in as far as an engine can, for a command that must end by itself."""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from bundler.errors import MalformedDocument, NotFound, ProtocolError, Refused
from bundler.model.digest import Digest
from bundler.model.json_documents import convert, parse_json
from bundler.model.limits import Limits, beyond
from bundler.transports.engine.failures import clean, engine_errors

if TYPE_CHECKING:
    import requests

    from bundler.transports.engine.client import Api

#: Whoever ends this program by force finds with it what was left: `docker ps -a --filter label=airbundle.check`.
LABEL = "airbundle.check"
_MIB = 1 << 20
_MEMORY_BYTES = 512 * _MIB
_TMPFS_MIB = 64
_PROCESSES = 256
#: What a shell says of a command that cannot be run or is not there.
_NO_COMMAND = (126, 127)
_ANSWER_PIECE = 64 << 10
#: How long an interrupt waits for an engine that is just making a container.
_PATIENCE_SECONDS = 5.0
_FRAME_HEADER = 8


@dataclass(frozen=True)
class Ended:
    """How a command in a container ended.

    Attributes:
        exit_status: ``None`` if its time was over, and it was ended.
        reason: what the engine says of it besides, such as that it had no memory left; ``""`` for nothing.
        output: the end of what it wrote.
    """

    exit_status: int | None
    reason: str
    output: str


class _State(msgspec.Struct, rename="pascal"):
    exit_code: int = 0
    oom_killed: bool = msgspec.field(name="OOMKilled", default=False)
    error: str = ""


class _Container(msgspec.Struct, rename="pascal"):
    state: _State


class Containers:
    """Runs containers in the engine of a client."""

    def __init__(self, api: Api, timeout: float, limits: Limits) -> None:
        self._api = api
        self._timeout = timeout
        self._limits = limits

    def run(self, image_id: Digest, command: Sequence[str], seconds: float) -> Ended:
        """Run a command in a container of an image, in place of its entrypoint, and remove the container.

        It has no network, a root that cannot be written but for small /tmp and /run in memory, no capabilities,
        and bounded memory and processes. It is removed whatever happens here, an interrupt too, with volumes that
        the image asks for.

        Raises:
            Refused: the engine did not run it for a reason of its own. NotFound: the image is gone.
            Unreachable, ProtocolError: the engine.
        """
        # A name of our own: so it can be removed also if the answer with its ID never came.
        name = f"airbundle-check-{secrets.token_hex(8)}"
        with engine_errors(f"running {command[0]} in a container"):
            try:
                self._create(name, image_id, command)
                return self._ended(name, command[0], seconds)
            finally:
                try:
                    self._remove(name)
                except KeyboardInterrupt:
                    self._remove(name)
                    raise

    def _create(self, name: str, image_id: Digest, command: Sequence[str]) -> None:
        """Let the engine make a container.

        An interrupt waits for its answer: an engine goes on making what nobody waits for any more, and it would
        be there only after it was to be removed.
        """
        url, described = self._api._url("/containers/create"), _described(image_id, command)
        answer: Future[bytes] = Future()

        def ask() -> None:
            try:
                answer.set_result(self._ask(self._api._post, url, params={"name": name}, json=described))
            except Exception as error:  # noqa: BLE001  # raised where the answer is waited for
                answer.set_exception(error)

        try:
            threading.Thread(target=ask, name="create a container", daemon=True).start()
            answer.result()
        except KeyboardInterrupt:
            with suppress(Exception):
                answer.result(_PATIENCE_SECONDS)
            raise

    def _ended(self, name: str, program: str, seconds: float) -> Ended:
        try:
            with engine_errors("starting a container"):
                self._ask(self._api._post, self._url(name, "start"))
        except Refused as error:
            state = self._state(name)
            status = state.exit_code if state.exit_code in _NO_COMMAND else _status_of(str(error), program)
            if status is None:
                raise
            return Ended(status, clean(state.error or str(error)), "")
        if not self._waited(name, seconds):
            # It may have ended meanwhile.
            with suppress(Refused, NotFound), engine_errors("ending a container"):
                self._ask(self._api._post, self._url(name, "kill"))
            return Ended(None, f"it did not end within {seconds:g} s", self._output(name))
        state = self._state(name)
        reason = "it had no memory left" if state.oom_killed else clean(state.error)
        return Ended(state.exit_code, reason, self._output(name))

    def _waited(self, name: str, seconds: float) -> bool:
        """Wait for its end; tell whether it came."""
        import requests

        try:
            self._ask(self._api._post, self._url(name, "wait"), timeout=(self._timeout, seconds))
        except (requests.exceptions.ReadTimeout, requests.exceptions.ConnectionError) as error:
            if not _is_timeout(error):
                raise
            return False
        return True

    def _state(self, name: str) -> _State:
        raw = self._ask(self._api._get, self._url(name, "json"))
        try:
            value = parse_json(
                raw, "the engine's answer", limit=self._limits.engine_answer_bytes, limits=self._limits
            )
            return convert(value, _Container, "the engine's description of a container").state
        except MalformedDocument as error:
            raise ProtocolError(f"running a container: {error}") from error

    def _output(self, name: str) -> str:
        """Return the end of what it wrote: the engine keeps little of it, and no more than a bound is read."""
        response = self._api._get(
            self._url(name, "logs"),
            params={"stdout": "1", "stderr": "1", "tail": "200"},
            stream=True,
            timeout=self._timeout,
        )
        try:
            self._api._raise_for_status(response)
            pieces = response.iter_content(_ANSWER_PIECE)
            return tail_of_output(pieces, self._limits).decode("utf-8", "replace")
        finally:
            response.close()

    def _remove(self, name: str) -> None:
        # It may never have been created; a volume that it was given goes with it.
        with suppress(NotFound), engine_errors(f"removing the container {name}"):
            self._ask(self._api._delete, self._url(name), params={"force": "1", "v": "1"})

    def _url(self, name: str, *rest: str) -> str:
        return self._api._url("/".join(["/containers/{0}", *rest]), name)

    def _ask(self, send: Callable[..., requests.Response], url: str, **options: Any) -> bytes:
        """Send a request and return its bounded answer."""
        options.setdefault("timeout", self._timeout)
        response = send(url, stream=True, **options)
        try:
            self._api._raise_for_status(response)
            body = bytearray()
            for piece in response.iter_content(_ANSWER_PIECE):
                body += piece
                if len(body) > self._limits.engine_answer_bytes:
                    raise ProtocolError(
                        str(beyond(self._limits.engine_answer_bytes, "the engine's answer is long"))
                    )
            return bytes(body)
        finally:
            response.close()


def tail_of_output(pieces: Iterable[bytes], limits: Limits) -> bytes:
    """Return the last ``smoke_output_bytes`` of what a container wrote, as the engine sends it.

    That is in frames: a stream's number, three zeros, the length in four bytes, and the payload (Engine API,
    "Stream format"). What has no such frames is taken as it is. At most ``engine_answer_bytes`` are read.
    """
    kept, frames, total = bytearray(), _Frames(), 0
    for piece in pieces:
        kept += frames.payload(piece)
        del kept[: -limits.smoke_output_bytes]
        total += len(piece)
        if total > limits.engine_answer_bytes:
            break
    return bytes(kept)


class _Frames:
    """Takes the payload out of frames that come in pieces of any size."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._left = 0
        self._is_raw = False

    def payload(self, piece: bytes) -> bytes:
        """Return what of a piece is payload."""
        result = bytearray()
        rest = memoryview(piece)
        while rest and not self._is_raw:
            if self._left:
                result += rest[: self._left]
                taken = min(len(rest), self._left)
                self._left -= taken
                rest = rest[taken:]
                continue
            missing = _FRAME_HEADER - len(self._header)
            self._header += rest[:missing]
            rest = rest[missing:]
            if len(self._header) == _FRAME_HEADER:
                self._is_raw = self._header[0] > 2 or any(self._header[1:4])
                self._left = int.from_bytes(self._header[4:], "big")
                result += self._header if self._is_raw else b""
                self._header.clear()
        return bytes(result + rest)


def _status_of(said: str, program: str) -> int | None:
    """Return what a shell would end with where a runtime said that it cannot run this program; else ``None``.

    Podman hands on what runc or crun said, and keeps no status of a container that never ran.
    """
    marks = (f"exec: {json.dumps(program)}: ", f"executable file `{program}` not found", "open executable: ")
    if not any(mark in said for mark in marks):
        return None
    is_missing = "not found" in said or "no such file" in said.lower()
    return 127 if is_missing else 126


def _described(image_id: Digest, command: Sequence[str]) -> dict[str, object]:
    """Return what the engine is asked for (Engine API, "Create a container")."""
    tmpfs = f"rw,nosuid,nodev,size={_TMPFS_MIB}m,mode=1777"
    return {
        "Image": str(image_id),
        "Entrypoint": list(command),
        "Cmd": [],
        "NetworkDisabled": True,
        "Labels": {LABEL: "1"},
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "Tmpfs": {"/tmp": tmpfs, "/run": tmpfs},  # noqa: S108  # in the container
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "Memory": _MEMORY_BYTES,
            "MemorySwap": _MEMORY_BYTES,
            "PidsLimit": _PROCESSES,
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "1"}},
            "RestartPolicy": {"Name": "no"},
        },
    }


def _is_timeout(error: Exception) -> bool:
    """Tell whether nothing came in time, and no connection broke."""
    import requests
    import urllib3

    causes = (error, *error.args)
    return any(
        isinstance(one, (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError)) for one in causes
    )
