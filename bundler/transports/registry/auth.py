"""Authentication (distribution's token specification; RFC 7617): answers challenges, remembers tokens."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

import msgspec

from bundler.errors import MalformedDocument, ProtocolError, Unauthorised
from bundler.model.json_documents import convert, parse_json
from bundler.model.limits import Limits
from bundler.transports.registry.address import RegistryAddress
from bundler.transports.registry.answers import require
from bundler.transports.registry.challenges import Challenge, parse_challenges
from bundler.transports.registry.credentials import CredentialFinder, Credentials
from bundler.transports.registry.wire import NO_BODY, Answer, Body, Wire
from bundler.transports.registry.words import clean

_CLIENT_ID = "airbundle"
#: The token specification's own minimum; a token is renewed a little before it ends.
_DEFAULT_SECONDS, _MOST_SECONDS, _EARLY_SECONDS = 60.0, 86_400.0, 10.0

_Scopes = frozenset[str]


class _TokenAnswer(msgspec.Struct):
    token: str | None = None
    access_token: str | None = None
    expires_in: float | None = None


class Authenticator:
    """Knows what one registry wants to see. Safe to use from several threads."""

    def __init__(self, address: RegistryAddress, wire: Wire, find: CredentialFinder, limits: Limits) -> None:
        self._address = address
        self._wire = wire
        self._find = find
        self._limits = limits
        self._lock = threading.RLock()
        self._credentials: Credentials | None = None
        self._looked_up = False
        self._basic = ""
        self._tokens: dict[_Scopes, tuple[str, float]] = {}

    def header(self, scopes: _Scopes) -> str:
        """Return the Authorization header for these scopes as far as it is known, ``""`` where it is not."""
        with self._lock:
            token, ends = self._tokens.get(scopes, ("", 0.0))
            if token and time.monotonic() < ends:
                return f"Bearer {token}"
            return self._basic

    def answer(self, challenge: Answer, scopes: _Scopes, used: str) -> str:
        """Return a better Authorization header than the ``used`` one, which was answered with 401.

        Returns:
            ``""`` where there is nothing better: the 401 stands.

        Raises:
            Unauthorised: the token service refuses.
            Unreachable, ProtocolError: the token service does not answer, or answers nonsense.
        """
        offered = parse_challenges(challenge.headers("WWW-Authenticate"), self._limits)
        with self._lock:
            known = self.header(scopes)
            if known and known != used:
                # Another thread was challenged before, and has answered.
                return known
            for offer in offered:
                if offer.scheme == "bearer" and "realm" in offer.parameters:
                    return self._fetch_token(offer, scopes)
            if any(offer.scheme == "basic" for offer in offered):
                return self._use_basic(used)
        return ""

    @property
    def is_anonymous(self) -> bool:
        """Whether credentials were looked for in vain."""
        with self._lock:
            return self._looked_up and self._credentials is None

    def basic(self) -> str:
        """Return the Authorization header with user and password, unasked; ``""`` where there are none."""
        with self._lock:
            credentials = self._look_up()
            has_both = credentials is not None and credentials.username and credentials.password
            return _basic(credentials) if credentials is not None and has_both else ""

    def _use_basic(self, used: str) -> str:
        credentials = self._look_up()
        if credentials is None or not credentials.username:
            return ""
        self._basic = _basic(credentials)
        return "" if self._basic == used else self._basic

    def _look_up(self) -> Credentials | None:
        if not self._looked_up:
            self._credentials = self._find(self._address.name)
            self._looked_up = True
        return self._credentials

    def _fetch_token(self, offer: Challenge, scopes: _Scopes) -> str:
        credentials = self._look_up()
        realm = self._check_realm(offer.parameters["realm"], credentials)
        # The registry may know the repository by another name than we: what it asks for is added to our own.
        wanted = sorted(scopes | set(offer.parameters.get("scope", "").split()))
        service = offer.parameters.get("service", "")
        if credentials is not None and credentials.identity_token:
            answer = self._exchange(realm, service, wanted, credentials)
        else:
            answer = self._ask(realm, service, wanted, credentials)
        with answer:
            require(answer, (200,), self._limits, f"token for {self._address.name}")
            token, seconds = self._read_token(answer)
        self._tokens[scopes] = (token, time.monotonic() + seconds)
        return f"Bearer {token}"

    def _check_realm(self, realm: str, credentials: Credentials | None) -> str:
        self._address.check_scheme(realm)
        there, here = urlsplit(realm), urlsplit(self._address.origin)
        if credentials is not None and there.scheme == "http" and there.hostname != here.hostname:
            raise Unauthorised(
                f"{self._address.name} wants its password sent to {clean(there.netloc)} in plain HTTP",
                advice="Have the registry's token service offered over HTTPS.",
            )
        return realm

    def _ask(self, realm: str, service: str, scopes: Sequence[str], who: Credentials | None) -> Answer:
        query = [("service", service)] if service else []
        query += [("scope", scope) for scope in scopes]
        headers = {}
        if who is not None and who.username:
            query.append(("account", who.username))
            headers["Authorization"] = _basic(who)
        url = realm + ("&" if "?" in realm else "?") + urlencode(query)
        return self._wire.send("GET", url, headers, NO_BODY)

    def _exchange(self, realm: str, service: str, scopes: Sequence[str], who: Credentials) -> Answer:
        form = {
            "grant_type": "refresh_token",
            "service": service,
            "client_id": _CLIENT_ID,
            "scope": " ".join(scopes),
            "refresh_token": who.identity_token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._wire.send("POST", realm, headers, Body.of(urlencode(form).encode("ascii")))

    def _read_token(self, answer: Answer) -> tuple[str, float]:
        what = "the token service's answer"
        limit = self._limits.error_body_bytes
        try:
            value = parse_json(answer.read_up_to(limit + 1), what, limit=limit, limits=self._limits)
            fields = convert(value, _TokenAnswer, what)
        except MalformedDocument as error:
            raise ProtocolError(f"{self._address.name}: {clean(str(error))}") from error
        token = fields.token or fields.access_token or ""
        if not token or not all("!" <= char <= "~" for char in token):
            raise ProtocolError(f"{self._address.name}: {what} holds no token")
        seconds = fields.expires_in or _DEFAULT_SECONDS
        return token, min(max(seconds - _EARLY_SECONDS, seconds / 2), _MOST_SECONDS)


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password}".encode()
    return "Basic " + base64.b64encode(pair).decode("ascii")
