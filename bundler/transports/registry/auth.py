"""Authentication (distribution's token specification; RFC 7617): answers challenges, remembers tokens."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
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
_LONGEST_DATE = 64


@dataclass(frozen=True)
class Guest:
    """Who comes to a registry: with the credentials for a repository, and wanting some scopes."""

    repository: str
    scopes: frozenset[str]


class _TokenAnswer(msgspec.Struct):
    token: str | None = None
    access_token: str | None = None
    expires_in: float | None = None
    issued_at: str | None = None


class Authenticator:
    """Knows what one registry wants to see. Safe to use from several threads.

    What a registry once asked for it is given from then on without being asked again: a token that ends in the
    middle of a long transfer is renewed before the next request, not after a body was sent in vain.
    """

    def __init__(
        self, address: Callable[[], RegistryAddress], wire: Wire, find: CredentialFinder, limits: Limits
    ) -> None:
        """Ask nobody yet; ``address`` may give a better answer later."""
        self._current = address
        self._wire = wire
        self._find = find
        self._limits = limits
        self._lock = threading.RLock()
        self._credentials: dict[str, Credentials | None] = {}
        self._wants_basic = False
        self._offer: Challenge | None = None
        self._tokens: dict[Guest, tuple[str, float]] = {}

    def header(self, who: Guest) -> str:
        """Return the Authorization header as far as it is known what is wanted, ``""`` where it is not.

        Raises:
            Unauthorised: the token service refuses.
            Unreachable, ProtocolError: the token service does not answer, or answers nonsense.
        """
        with self._lock:
            if known := self._known(who):
                return known
            return self._fetch_token(self._offer, who) if self._offer is not None else ""

    def answer(self, challenge: Answer, who: Guest, used: str) -> str:
        """Return a better Authorization header than the ``used`` one, which was answered with 401.

        Returns:
            ``""`` where there is nothing better: the 401 stands.

        Raises:
            Unauthorised: the token service refuses.
            Unreachable, ProtocolError: the token service does not answer, or answers nonsense.
        """
        offered = parse_challenges(challenge.headers("WWW-Authenticate"), self._limits)
        with self._lock:
            known = self._known(who)
            if known and known != used:
                # Another thread was challenged before, and has answered.
                return known
            for offer in offered:
                if offer.scheme == "bearer" and "realm" in offer.parameters:
                    token = self._fetch_token(offer, who)
                    # What it wants for this repository says nothing of the next one.
                    rest = {key: value for key, value in offer.parameters.items() if key in ("realm", "service")}
                    self._offer, self._wants_basic = Challenge("bearer", rest), False
                    return token
            if any(offer.scheme == "basic" for offer in offered):
                self._wants_basic, self._offer = True, None
                better = self._basic_header(who)
                return "" if better == used else better
        return ""

    @property
    def is_anonymous(self) -> bool:
        """Whether credentials were looked for, and always in vain."""
        with self._lock:
            return bool(self._credentials) and not any(self._credentials.values())

    def basic(self, repository: str) -> str:
        """Return the Authorization header with user and password, unasked; ``""`` where there are none."""
        with self._lock:
            credentials = self._look_up(Guest(repository, frozenset()))
            has_both = credentials is not None and credentials.username and credentials.password
            return _basic(credentials) if credentials is not None and has_both else ""

    def _known(self, who: Guest) -> str:
        token, ends = self._tokens.get(who, ("", 0.0))
        if token and time.monotonic() < ends:
            return f"Bearer {token}"
        return self._basic_header(who) if self._wants_basic else ""

    def _basic_header(self, who: Guest) -> str:
        credentials = self._look_up(who)
        return _basic(credentials) if credentials is not None and credentials.username else ""

    def _look_up(self, who: Guest) -> Credentials | None:
        if who.repository not in self._credentials:
            self._credentials[who.repository] = self._find(self._address.name, who.repository)
        return self._credentials[who.repository]

    @property
    def _address(self) -> RegistryAddress:
        return self._current()

    def _fetch_token(self, offer: Challenge, who: Guest) -> str:
        credentials = self._look_up(who)
        realm = self._check_realm(offer.parameters["realm"], credentials)
        # The registry may know the repository by another name than we: what it asks for is added to our own.
        wanted = sorted(who.scopes | set(offer.parameters.get("scope", "").split()))
        service = offer.parameters.get("service", "")
        if credentials is not None and credentials.identity_token:
            answer = self._exchange(realm, service, wanted, credentials)
        else:
            answer = self._ask(realm, service, wanted, credentials)
        with answer:
            require(answer, (200,), self._limits, f"token for {self._address.name}")
            token, seconds = self._read_token(answer)
        self._tokens[who] = (token, time.monotonic() + seconds)
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
        seconds = _DEFAULT_SECONDS if fields.expires_in is None else fields.expires_in
        seconds -= _age(fields.issued_at or "", answer.header("Date"))
        # One that is over already is used once: the registry's own clock may see it otherwise.
        return token, min(max(seconds - _EARLY_SECONDS, seconds / 2), _MOST_SECONDS)


def _age(issued_at: str, now: str) -> float:
    """Return how many seconds ago a token was issued, by its issuer's own clock; 0 where that does not say."""
    try:
        issued = datetime.fromisoformat(_with_offset(issued_at[:_LONGEST_DATE]))
        date = parsedate_to_datetime(now[:_LONGEST_DATE])
        return max(0.0, (_aware(date) - _aware(issued)).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0.0


def _with_offset(text: str) -> str:
    # Python 3.10 reads neither Z nor fractions of other lengths than 3 and 6.
    date, dot, rest = text.strip().partition(".")
    fraction = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    zone = rest[len(fraction) :] if dot else ""
    if not dot and date[-1:] in ("Z", "z"):
        date, zone = date[:-1], "Z"
    return date + (f".{fraction[:6]:0<6}" if fraction else "") + ("+00:00" if zone in ("Z", "z") else zone)


def _aware(date: datetime) -> datetime:
    return date if date.tzinfo is not None else date.replace(tzinfo=timezone.utc)


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password}".encode()
    return "Basic " + base64.b64encode(pair).decode("ascii")
