"""One HTTP request and its answer: pooled connections, and every failure below HTTP as a declared error."""

from __future__ import annotations

import contextlib
import http.client
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from bundler.errors import Unreachable
from bundler.transports.registry.pace import Pace
from bundler.transports.registry.pools import Pools
from bundler.transports.registry.retries import ConnectionLost
from bundler.transports.registry.words import clean

#: For the rest of an answer whose head is there, where the rest is short.
_SHORT_TIMEOUT = 5.0
#: How much may be left of an answer so that reading it is cheaper than a new connection.
_DRAIN_BYTES = 64 << 10

_MIXED_UP = ("wrong_version_number", "record_layer_failure", "unknown_protocol", "http_request")
#: What TLS says to who shows no certificate, or one that the peer does not like (RFC 8446 §6.2).
_WANTS_CERTIFICATE = re.compile(
    r"alert[ _](?:bad|unsupported)[ _]certificate|alert[ _]certificate[ _]|alert[ _]unknown[ _]ca"
)
_PROXY_REFUSES = re.compile(r"tunnel connection failed: (4[0-9]{2})", re.ASCII)


class CertificateWanted(Unreachable):
    """The peer speaks TLS, and wants a certificate of this side, or another one."""


@dataclass(frozen=True)
class Body:
    """What a request carries: exactly ``length`` bytes, given again by each call of ``pieces``."""

    length: int
    pieces: Callable[[], Iterable[bytes | memoryview]]

    @classmethod
    def of(cls, data: bytes) -> Body:
        """Make a body of bytes in memory."""
        return cls(len(data), lambda: (data,) if data else ())


NO_BODY = Body.of(b"")


class Answer:
    """An answer whose body is not yet read; a context manager that gives the connection back.

    It is a :class:`~bundler.content.streams.ByteStream` of its body.
    """

    def __init__(
        self, method: str, url: str, response: urllib3.BaseHTTPResponse, peer: str, *, keep: bool = True
    ) -> None:
        self.method = method
        self.url = url
        self.status = response.status
        self._response = response
        self._peer = peer
        self._keep = keep
        self._pace = Pace(peer)

    def header(self, name: str) -> str:
        """Return a header without surrounding space, ``""`` where it is missing."""
        value: str = self._response.headers.get(name, "")
        return value.strip()

    def headers(self, name: str) -> list[str]:
        """Return all headers of one name."""
        return list(self._response.headers.getlist(name))

    def readinto(self, buffer: memoryview) -> int:
        """Read on.

        Raises:
            ConnectionLost: the connection broke before the body was whole, or next to nothing comes.
        """
        if not len(buffer):
            return 0
        with _failures(self._peer):
            # What is there, not all that was asked for: else nobody would see how slowly it comes.
            data = self._response.read1(len(buffer), decode_content=False)
        self._pace.count(len(data))
        buffer[: len(data)] = data
        return len(data)

    def read_up_to(self, limit: int) -> bytes:
        """Return the beginning of a body that comes at once, at most ``limit`` bytes.

        Raises:
            ConnectionLost: the connection broke before that, or it did not come within some seconds.
        """
        result, deadline = bytearray(), time.monotonic() + 2 * _SHORT_TIMEOUT
        with _failures(self._peer), self._impatient():
            while len(result) < limit and (
                data := self._response.read1(limit - len(result), decode_content=False)
            ):
                result += data
                if time.monotonic() > deadline:
                    raise ConnectionLost(f"{self._peer} did not end its answer in time")
        return bytes(result)

    def close(self) -> None:
        """Give the connection back if only a short rest of the body is left, else close it."""
        left = self._response.length_remaining
        # The body of a 416 is known to be shorter than its header says: waiting for the rest would hang.
        if self._keep and self.status != 416 and left is not None and left <= _DRAIN_BYTES:
            with contextlib.suppress(Unreachable):
                self.read_up_to(left + 1)
        # What was read to its end has left the response already; this closes every other connection.
        self._response.close()

    @contextlib.contextmanager
    def _impatient(self) -> Iterator[None]:
        """Wait no longer than an answer of a few lines may take: some announce more than they send."""
        sock = getattr(self._response.connection, "sock", None)
        if sock is None:
            yield
            return
        patience = sock.gettimeout()
        sock.settimeout(_SHORT_TIMEOUT)
        try:
            yield
        finally:
            # The connection may be used again, or be closed by now.
            with contextlib.suppress(OSError):
                sock.settimeout(patience)

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Wire:
    """Connections to a registry and to the hosts that it refers to. Safe to use from several threads."""

    def __init__(self, peer: str, pools: Pools) -> None:
        """Prepare; nothing is connected yet.

        Args:
            peer: The registry's name, for errors.
            pools: Connections, trust and proxies.
        """
        self._peer = peer
        #: Whether anybody has answered yet, other than that nothing behind it can be reached.
        self.answered = False
        self._pools = pools

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> Answer:
        """Send one request; redirects are returned, not followed.

        An answer that comes before the body is sent is returned, even where the connection broke after it. With
        the header ``Connection: close`` no other request follows on the same connection, whatever the peer says.

        Raises:
            ConnectionLost: nothing that is HTTP came back.
            CertificateWanted: the peer refuses this side's certificate, or misses one.
            Unreachable: the same, and nothing will: an unknown host, a certificate that is not trusted.
            ConfigError: certificates for this host cannot be used.
        """
        sent = {"Accept-Encoding": "identity", "User-Agent": "airbundle", **headers}
        if method not in ("GET", "HEAD"):
            # Some registries answer 411 to a request without it, even if its body is empty.
            sent["Content-Length"] = str(body.length)
        with _failures(self._peer):
            response = self._pools.pool(url).urlopen(
                method,
                url,
                headers=sent,
                body=_Pieces(body) if body.length else None,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        if response.status < 500 or "Retry-After" in response.headers:
            self.answered = True
        return Answer(method, url, response, self._peer, keep=headers.get("Connection") != "close")

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pools.clear()


class _Pieces:
    """A body as an iterable, begun anew by each iteration."""

    def __init__(self, body: Body) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes | memoryview]:
        return iter(self._body.pieces())


class _failures:  # noqa: N801  # used as a statement, like contextlib.suppress
    def __init__(self, peer: str) -> None:
        self._peer = peer

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # ValueError and UnicodeError: hosts, ports and headers that are none.
        if isinstance(error, (HTTPError, http.client.HTTPException, OSError, ValueError)):
            raise _explain(self._peer, error) from error


def _explain(peer: str, error: Exception) -> Unreachable:
    text = str(error).lower()
    if isinstance(error, ProxyError):
        return _explain_proxy(peer, error)
    if isinstance(error, SSLError) and _WANTS_CERTIFICATE.search(text):
        return CertificateWanted(
            f"{peer} wants a certificate of this side, or another than it was shown: {clean(str(error))}",
            advice="Put NAME.cert and NAME.key for this registry into its directory in certs.d.",
        )
    if isinstance(error, SSLError) and "certificate" in text:
        return Unreachable(
            f"{peer}: its certificate is not trusted: {clean(str(error))}",
            advice="Add the registry's certificate authority to those that this machine trusts.",
        )
    if isinstance(error, SSLError) and any(sign in text for sign in _MIXED_UP):
        return Unreachable(
            f"{peer} does not speak HTTPS on this port",
            advice="Check the port; use --plain-http only for a registry that has no TLS.",
        )
    if isinstance(error, NameResolutionError):
        return Unreachable(f"{peer}: its host name cannot be resolved", advice="Check the spelling and DNS.")
    if isinstance(error, (ConnectTimeoutError, NewConnectionError)):
        return ConnectionLost(f"{peer}: no connection: {clean(_reason(error))}")
    if isinstance(error, ReadTimeoutError):
        return ConnectionLost(f"{peer} did not answer in time")
    if isinstance(error, (ValueError, TypeError)):
        return Unreachable(f"{peer} cannot be asked so: {clean(_reason(error))}")
    return ConnectionLost(f"{peer} broke off: {clean(_reason(error))}")


def _explain_proxy(peer: str, error: ProxyError) -> Unreachable:
    said = clean(_reason(error))
    advice = "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or ask who runs the proxy."
    if _PROXY_REFUSES.search(said.lower()):
        return Unreachable(f"{peer}: the proxy refuses: {said}", advice=advice)
    return ConnectionLost(f"{peer}: the proxy between does not answer rightly: {said}", advice=advice)


def _reason(error: BaseException) -> str:
    # urllib3 says "('Connection aborted.', RemoteDisconnected(…))": the innermost error is the one to read.
    inner = error.__cause__ or error.__context__
    seen: set[int] = set()
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        error, inner = inner, inner.__cause__ or inner.__context__
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or str(error) or type(error).__name__
