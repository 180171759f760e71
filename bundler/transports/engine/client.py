"""The one client of the Docker Engine API, on top of the docker SDK."""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, cast

from bundler.content.chain_ids import chain_ids
from bundler.content.streams import BUFFER_BYTES, ByteStream
from bundler.errors import NotFound, ProtocolError
from bundler.model.digest import Digest
from bundler.model.json_documents import parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.model.reference import Reference
from bundler.transports.engine.containers import Containers
from bundler.transports.engine.contexts import check_address, require_engine_address
from bundler.transports.engine.facts import (
    EngineImage,
    EngineInfo,
    parse_available,
    parse_engine_image,
    parse_engine_info,
    parse_image_ids,
)
from bundler.transports.engine.failures import engine_errors, understood, unreachable
from bundler.transports.engine.load_answer import read_load_answer

if TYPE_CHECKING:
    import requests

_DEFAULT_TIMEOUT = 60.0
_ANSWER_PIECE = 64 << 10
#: From this version of the API on, a list of images tells which manifests are there with all their content.
_API_WITH_MANIFESTS = (1, 47)


class Api(Protocol):
    """What is used of the SDK's low-level client: its connections, addresses and judgement of answers.

    Its own methods for images read answers of any length into memory, and copy a saved image in small pieces.
    """

    api_version: str

    base_url: str

    def _url(self, pathfmt: str, *args: str) -> str: ...

    def _get(self, url: str, **options: Any) -> requests.Response: ...

    def _post(self, url: str, **options: Any) -> requests.Response: ...

    def _delete(self, url: str, **options: Any) -> requests.Response: ...

    def _raise_for_status(self, response: requests.Response) -> None: ...

    def close(self) -> None:
        """Close all connections."""


class EngineClient:
    """A connection to an engine. Used by one thread; streams it gave may be read in another one."""

    def __init__(
        self, host: str | None = None, timeout: float = _DEFAULT_TIMEOUT, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        """Connect as the docker command does (DOCKER_HOST, then its current context), or to ``host``.

        Args:
            host: Such as ``unix:///var/run/docker.sock``.
            timeout: Seconds to wait for short answers; saving and loading are never cut short.
            limits: Bounds the engine's answers.

        Raises:
            Unreachable: no engine answers there. Unauthorised: this user may not use it.
            ConfigError: DOCKER_HOST, the context or ``host`` is no address of an engine, or one over ssh.
            NotFound: there is no such context.
        """
        with engine_errors("connecting to the Docker engine"):
            import docker

            if host is None:
                require_engine_address()
            else:
                check_address(host, "the caller")
            seconds = cast(int, timeout)
            client = (
                docker.DockerClient(base_url=host, timeout=seconds)
                if host is not None
                else docker.from_env(timeout=seconds)
            )
            self._api = cast(Api, client.api)
        self._timeout = timeout
        self._limits = limits
        self._chains: dict[Digest, tuple[Digest, ...]] = {}

    @cached_property
    def info(self) -> EngineInfo:
        """What the engine is; asked once.

        Raises:
            Unreachable: it does not answer, or not as a Docker engine does.
        """
        with understood("asking the engine what it is"):
            return parse_engine_info(self._json("/version"), self._json("/info"))

    @property
    def is_near(self) -> bool:
        """Whether it is on this machine, where what it sends crosses no network."""
        return self._api.base_url.startswith("http+docker:")

    def inspect(self, name: str) -> EngineImage | None:
        """Return what the engine knows about an image, by name or ID; ``None`` if it has no such image.

        Raises:
            Unreachable, Refused: the engine.
        """
        with suppress(NotFound), understood(f"inspecting {name}"):
            return parse_engine_image(self._json("/images/{0}/json", name))
        return None

    def is_listed(self, image_id: Digest) -> bool:
        """Tell whether the engine lists an image; a containerd store leaves out what it cannot use.

        Raises:
            Unreachable, Refused: the engine.
        """
        with understood("listing the engine's images"):
            return image_id in parse_image_ids(self._json("/images/json"))

    def available_manifests(self, image_id: Digest) -> frozenset[Digest] | None:
        """Return which manifests of an image are there with all their content; ``None`` if it cannot tell.

        Raises:
            Unreachable, Refused: the engine.
        """
        if _numbers(self._api.api_version) < _API_WITH_MANIFESTS:
            return None
        with understood("listing the engine's images"):
            return parse_available(self._json("/images/json", params={"manifests": "1"}), image_id)

    def present_chains(self) -> frozenset[Digest]:
        """Return the ChainIDs of all layers in a classic store.

        Raises:
            Unreachable, Refused: the engine.
        """
        with understood("listing the engine's images"):
            ids = parse_image_ids(self._json("/images/json", params={"all": "1"}))
        for image_id in ids:
            # In a classic store the ID is the digest of the config: its layers never change.
            if image_id not in self._chains and (image := self.inspect(image_id)) is not None:
                self._chains[image_id] = chain_ids(image.diff_ids)
        return frozenset(chain for image_id in ids for chain in self._chains.get(image_id, ()))

    def save(self, *names: str) -> ByteStream:
        """Return one tar of images, by name or ID, as the engine sends it; nothing of it is verified.

        It holds each layer once, and the images in any order. The engine first prepares all of it, silently and
        often for minutes; this call waits for it.

        Args:
            names: At least one: without any, an engine sends an empty tar.

        Raises:
            NotFound: there is no such image.
            Unreachable, Refused: the engine.
        """
        more = f" and {len(names) - 1} more images" if len(names) > 1 else ""
        doing = f"reading {names[0]}{more} from the engine"
        with engine_errors(doing):
            response = self._api._get(
                self._api._url("/images/get"),
                params={"names": names},
                stream=True,
                timeout=(self._timeout, None),
            )
            try:
                self._api._raise_for_status(response)
            except BaseException:
                response.close()
                raise
        return _SaveStream(response, doing)

    def load(self, chunks: Iterable[bytes], doing: str = "loading into the engine") -> tuple[str, ...]:
        """Send an archive and return what the engine said about it, which proves nothing.

        An exception of ``chunks`` passes through; the engine then keeps nothing. ``doing`` begins errors.

        Raises:
            Refused, NoSpace: the engine reports an error, also inside an answer that began as a success.
            Unreachable: it broke off.
        """
        with engine_errors(doing):
            # No timeout at all: a busy engine may leave the body unread for a while as well.
            response = self._api._post(
                self._api._url("/images/load"),
                data=iter(chunks),
                params={"quiet": "1"},
                headers={"Content-Type": "application/x-tar"},
                stream=True,
                timeout=None,
            )
            try:
                self._api._raise_for_status(response)
                return read_load_answer(response.iter_content(_ANSWER_PIECE), doing, self._limits)
            finally:
                response.close()

    def tag(self, image: str, reference: Reference) -> None:
        """Let the name of a reference, which has a tag, point to an image.

        Raises:
            NotFound, Unreachable, Refused: the engine.
        """
        with engine_errors(f"naming {reference}"):
            url = self._api._url("/images/{0}/tag", image)
            self._finish(self._api._post(url, params={"repo": reference.name, "tag": reference.tag}))

    def untag(self, name: str) -> None:
        """Remove a name, and the image with it if that was its last one; no such name is no error.

        Raises:
            Unreachable, Refused: the engine.
        """
        with suppress(NotFound), engine_errors(f"removing the name {name}"):
            self._finish(self._api._delete(self._api._url("/images/{0}", name), params={"noprune": "1"}))

    @property
    def containers(self) -> Containers:
        """What runs containers in this engine."""
        return Containers(self._api, self._timeout, self._limits)

    def close(self) -> None:
        """Close all connections; may be called more than once."""
        self._api.close()

    def _json(self, path: str, *args: str, params: dict[str, str] | None = None) -> object:
        response = self._api._get(self._api._url(path, *args), params=params, stream=True)
        try:
            self._api._raise_for_status(response)
            body, most = bytearray(), self._limits.engine_answer_bytes
            for piece in response.iter_content(_ANSWER_PIECE):
                body += piece
                if len(body) > most:
                    raise ProtocolError(str(beyond(most, "the engine's answer is too long")))
        finally:
            response.close()
        return parse_json(bytes(body), "the engine's answer", limit=most, limits=self._limits)

    def _finish(self, response: requests.Response) -> None:
        try:
            self._api._raise_for_status(response)
        finally:
            response.close()


class _SaveStream:
    """The body of a saved image. Large reads matter: the SDK's own iterator gives small pieces only."""

    def __init__(self, response: requests.Response, doing: str) -> None:
        self._response = response
        self._doing = doing
        self._closed = False

    def readinto(self, buffer: memoryview) -> int:
        """Read on.

        Raises:
            Unreachable: the connection broke before the end.
        """
        if not len(buffer) or self._closed:
            return 0
        import urllib3

        try:
            piece: bytes = self._response.raw.read(min(len(buffer), BUFFER_BYTES))
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            raise unreachable(f"it broke off: {error}", self._doing) from error
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        """Drop the connection; the engine stops to send."""
        self._closed = True
        self._response.close()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(field) for field in version.split(".") if field.isdigit())
