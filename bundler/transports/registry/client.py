"""Requests to one registry: authenticated, redirected, and with every refusal as a declared error."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TypeVar

from bundler.errors import ProtocolError, Unreachable
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.transports.registry.access.access import RegistryAccess
from bundler.transports.registry.address import RegistryAddress
from bundler.transports.registry.answers import failure, require
from bundler.transports.registry.auth import Authenticator, Guest
from bundler.transports.registry.pools import Pools
from bundler.transports.registry.rate_limits import RateLimit, parse_rate_limit
from bundler.transports.registry.retries import Retries, Tell
from bundler.transports.registry.wire import NO_BODY, Answer, Body, CertificateWanted, Wire

T = TypeVar("T")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DEFAULT_CONNECTIONS = 8


class RegistryClient:
    """A client of the OCI distribution protocol for one registry. Safe to use from several threads.

    Credentials and tokens go to the registry's own scheme, host and port only, never along a redirect.
    """

    def __init__(
        self,
        address: RegistryAddress,
        access: RegistryAccess | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
        connections: int = _DEFAULT_CONNECTIONS,
        retries: Retries | None = None,
    ) -> None:
        """Prepare a client; nothing is asked yet, not even for credentials.

        Args:
            address: Where the registry is, and whether plain HTTP is allowed.
            access: Credentials, trust and proxies.
            limits: Bounds what is read.
            connections: How many connections are kept open to one host.
            retries: How often a request is sent again that failed in a way that may pass.
        """
        access = access or RegistryAccess()
        self.address = address
        self.limits = limits
        self._access = access
        self._wire = Wire(address.name, Pools(address, access, connections))
        self.retries = replace(
            retries or Retries(),
            reached=lambda: self._wire.answered,
            wait_for_rate_limit=access.wait_for_rate_limit,
        )
        #: What the registry last said of how much it still gives, if it ever did.
        self.rate_limit: RateLimit | None = None
        self._auth = Authenticator(lambda: self.address, self._wire, access.credentials, limits)
        self._settling = threading.Lock()
        self._settled = address.plain_http or not address.insecure
        #: Whether the registry has the referrers API; ``None`` as long as nobody asked.
        self.lists_referrers: bool | None = None

    def request(
        self,
        method: str,
        target: str,
        *,
        expected: Collection[int],
        what: str,
        repository: str = "",
        scopes: Collection[str] = (),
        headers: Mapping[str, str] | None = None,
        body: Body = NO_BODY,
    ) -> Answer:
        """Send a request once and return its answer, which the caller closes.

        Args:
            method: Redirects of ``GET`` and ``HEAD`` are followed, of others not.
            target: A path from ``/v2/`` on, or a URL that this registry named.
            expected: The statuses that are returned; every other one is an error.
            what: What is being done, for errors.
            repository: Whose credentials are given, if any are wanted.
            scopes: What a token must allow, such as ``repository:a/b:pull``.
            headers: Besides those of authentication.
            body: What is sent; given again if the request has to be repeated with credentials.

        Raises:
            Unauthorised: credentials are missing or wrong.
            NotFound: 404.
            Refused: any other 4xx.
            ConnectionLost: no answer.
            Busy: 429, 500, 502, 503 or 504; ServerFault: any other 5xx.
            Unreachable: no answer, and another try would get none either.
            ProtocolError: an answer that the protocol does not know here.
            ConfigError: what a file says of credentials or certificates cannot be used.
        """
        self._settle()
        who = Guest(repository, frozenset(scopes))
        url = self.address.origin + target if target.startswith("/") else target
        answer = self._authenticated(method, url, who, headers or {}, body)
        self.rate_limit = parse_rate_limit(answer.header) or self.rate_limit
        for _ in range(self.limits.redirects):
            location = answer.header("Location")
            if method not in ("GET", "HEAD") or answer.status not in _REDIRECTS or not location:
                break
            answer.close()
            url = self.address.redirected(answer.url, location)
            answer = self._authenticated(method, url, who, headers or {}, body)
        if method in ("GET", "HEAD") and answer.status in _REDIRECTS and answer.header("Location"):
            answer.close()
            raise ProtocolError(str(beyond(self.limits.redirects, f"{what}: every answer leads elsewhere")))
        require(answer, expected, self.limits, what)
        return answer

    @property
    def is_anonymous(self) -> bool:
        """Whether credentials were wanted, and there are none."""
        return self._auth.is_anonymous

    def look(self, path: str) -> Answer:
        """Ask as a stranger, once: without credentials, and following nothing. The caller closes the answer.

        Raises:
            ConnectionLost, Unreachable: no answer.
        """
        self._settle()
        return self._wire.send("GET", self.address.origin + path, {}, NO_BODY)

    def beside(self, method: str, path: str, *, repository: str, body: Body = NO_BODY) -> Answer:
        """Ask another interface of the same host than the protocol's, once; whatever it answers is returned.

        User and password for a repository go along, if there are any: such interfaces offer no challenge. The
        caller closes.

        Raises:
            ConnectionLost, Unreachable: no answer.
        """
        self._settle()
        headers = {"Content-Type": "application/json"} if body.length else {}
        headers = _with(headers, self._auth.basic(repository))
        return self._wire.send(method, self.address.origin + path, headers, body)

    def _settle(self) -> None:
        """Find out whether an insecure registry has TLS, before anything but this question is sent to it.

        Raises:
            Unreachable: nobody answers, with TLS or without.
        """
        with self._settling:
            if self._settled:
                return
            plain = replace(self.address, plain_http=True)
            try:
                self._knock(self.address)
            except CertificateWanted:
                # It has TLS: in plain HTTP nothing would come of it but the loss of that.
                raise
            except Unreachable as with_tls:
                try:
                    self._knock(plain)
                except Unreachable:
                    raise with_tls from None
                self.address = plain
            self._settled = True
            how = "in plain HTTP" if self.address.plain_http else "without checking its certificate"
            self._access.warn(
                f"{self.address.name} is spoken to {how}: whoever is on the way can read and change everything"
            )

    def _knock(self, address: RegistryAddress) -> None:
        """Ask for anything; whatever comes back shows that it is spoken to in the right way, but for one thing.

        Raises:
            Unreachable: nobody answers, or somebody who says that this is a port for HTTPS.
        """
        with self._wire.send("GET", f"{address.origin}/v2/", {}, NO_BODY) as answer:
            if answer.status == 400 and isinstance(
                error := failure(answer, self.limits, address.name), Unreachable
            ):
                raise error

    def _authenticated(self, method: str, url: str, who: Guest, headers: Mapping[str, str], body: Body) -> Answer:
        self.address.check_scheme(url)
        if not self.address.owns(url):
            return self._wire.send(method, url, headers, body)
        used = self._auth.header(who)
        answer = self._wire.send(method, url, _with(headers, used), body)
        if answer.status != 401:
            return answer
        try:
            better = self._auth.answer(answer, who, used)
        except BaseException:
            answer.close()
            raise
        if not better:
            return answer
        answer.close()
        return self._wire.send(method, url, _with(headers, better), body)

    def close(self) -> None:
        """Close the connections; the client may be used again."""
        self._wire.close()


class Repository:
    """One repository of a registry, with the rights that its user needs."""

    def __init__(
        self, client: RegistryClient, name: str, *, push: bool = False, retries: Retries | None = None
    ) -> None:
        """Name a repository, such as ``library/busybox``.

        Args:
            client: Of the registry.
            name: Without the registry.
            push: Ask for the right to write.
            retries: Other manners of waiting than the client's.
        """
        self.client = client
        self.name = name
        self.retries = retries or client.retries
        self.scopes: tuple[str, ...] = (scope(name, push=push),)

    def telling(self, tell: Tell) -> Repository:
        """Return this repository, with somebody who is told of every further try."""
        told = copy.copy(self)
        told.retries = self.retries.with_manners(tell=tell)
        return told

    def waiting(self, wait: Callable[[float], None]) -> Repository:
        """Return this repository, with another way to wait between tries, which may raise to end them."""
        waiting = copy.copy(self)
        waiting.retries = self.retries.with_manners(wait=wait)
        return waiting

    @property
    def limits(self) -> Limits:
        """The bounds of the client."""
        return self.client.limits

    def path(self, rest: str) -> str:
        """Return a path of the protocol below this repository."""
        return f"/v2/{self.name}/{rest}"

    def request(
        self,
        method: str,
        target: str,
        *,
        expected: Collection[int],
        what: str,
        headers: Mapping[str, str] | None = None,
        body: Body = NO_BODY,
        more_scopes: tuple[str, ...] = (),
    ) -> Answer:
        """Send a request once, with the rights of this repository; see :meth:`RegistryClient.request`."""
        return self.client.request(
            method,
            target,
            expected=expected,
            what=f"{self}: {what}",
            repository=self.name,
            scopes=self.scopes + more_scopes,
            headers=headers,
            body=body,
        )

    def ask(
        self,
        method: str,
        target: str,
        read: Callable[[Answer], T],
        *,
        expected: Collection[int],
        what: str,
        headers: Mapping[str, str] | None = None,
        body: Body = NO_BODY,
        more_scopes: tuple[str, ...] = (),
    ) -> T:
        """Send a request, as often as the retries allow, and return what ``read`` makes of its answer.

        Only for requests that may be sent twice; ``read`` is called again when the answer breaks off.

        Raises:
            AirbundleError: see :meth:`RegistryClient.request`.
        """

        def once() -> T:
            with self.request(
                method,
                target,
                expected=expected,
                what=what,
                headers=headers,
                body=body,
                more_scopes=more_scopes,
            ) as answer:
                return read(answer)

        return self.retries.run(once)

    def __str__(self) -> str:
        return f"{self.client.address.name}/{self.name}"


def scope(repository: str, *, push: bool = False) -> str:
    """Return the token scope of a repository."""
    return f"repository:{repository}:{'pull,push' if push else 'pull'}"


def require_header(answer: Answer, name: str, what: str) -> str:
    """Return a header that the protocol promises.

    Raises:
        ProtocolError: it is missing.
    """
    value = answer.header(name)
    if not value:
        raise ProtocolError(f"{what}: the registry's answer has no {name}")
    return value


def _with(headers: Mapping[str, str], authorization: str) -> dict[str, str]:
    return {**headers, "Authorization": authorization} if authorization else dict(headers)
