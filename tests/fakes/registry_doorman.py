"""Who may come into the fake registry: everybody, holders of a password, or of a token with the right scopes."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

_REPOSITORY = re.compile(r"/v2/(.+?)/(?:manifests|blobs|tags)/")


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass
class Doorman:
    """Decides on every request but those for tokens.

    Attributes:
        password: user and password; ``None`` lets everybody in.
        tokens: tokens are wanted, and given by this server under ``/token``.
        basic_word: how the scheme of the challenge is spelt.
        realm: where tokens are to be fetched, if not here.
        anonymous_pull: tokens for pulling are given to everybody.
        identity_token: what is taken in exchange for a token.
        ends: tokens are refused when their time is over.
        issued: the scopes of each token that was given.
        issued_at: when that was, by the monotonic clock.
        asked: the scopes that were asked for, in order.
    """

    password: tuple[str, str] | None = None
    tokens: bool = False
    basic_word: str = "Basic"
    realm: str = ""
    anonymous_pull: bool = False
    identity_token: str = ""
    expires_in: int = 300
    ends: bool = False
    issued: dict[str, set[str]] = field(default_factory=dict)
    issued_at: dict[str, float] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)

    def refuse(self, method: str, path: str, headers: Mapping[str, str], address: str) -> Reply | None:
        """Return the challenge that is to be answered, ``None`` for a welcome guest."""
        if path.startswith("/token") or (self.password is None and not self.tokens):
            return None
        given = headers.get("Authorization", "")
        if not self.tokens:
            return None if self._knows(given) else _challenge(f'{self.basic_word} realm="test, for \\"all\\""')
        wanted = _wanted(method, path)
        if given.startswith("Bearer ") and wanted <= self.issued.get(given[7:], set()) and self._lives(given[7:]):
            return None
        realm = self.realm or f"http://{address}/token"
        scope = f',scope="{" ".join(_as_scopes(wanted))}"' if wanted else ""
        return _challenge(f'Negotiate, bearer Realm="{realm}",service="test registry"{scope}')

    def token_answer(
        self, method: str, path: str, headers: Mapping[str, str], read: Callable[[], bytes]
    ) -> Reply | None:
        """Answer a request for a token, ``None`` if it is for something else."""
        url = urlsplit(path)
        if url.path != "/token":
            return None
        if method == "POST":
            form = parse_qs(read().decode())
            scopes = form.get("scope", [""])[0].split()
            known = form["grant_type"] == ["refresh_token"] and form["refresh_token"] == [self.identity_token]
        else:
            scopes = parse_qs(url.query).get("scope", [])
            known = self.password is not None and self._knows(headers.get("Authorization", ""))
        self.asked.append(scopes)
        if not known and headers.get("Authorization"):
            return Reply(401, b'{"details": "incorrect username or password"}', {})
        token = f"token-{len(self.issued)}"
        granted = {(s.split(":")[1], action) for s in scopes for action in s.split(":")[2].split(",")}
        self.issued_at[token] = time.monotonic()
        self.issued[token] = {
            f"{name}:{action}" for name, action in granted if known or (self.anonymous_pull and action == "pull")
        }
        body = json.dumps({"token": token, "expires_in": self.expires_in}).encode()
        return Reply(200, body, {"Content-Type": "application/json"})

    def _lives(self, token: str) -> bool:
        return not self.ends or time.monotonic() < self.issued_at.get(token, 0.0) + self.expires_in

    def _knows(self, authorization: str) -> bool:
        assert self.password is not None
        expected = base64.b64encode(":".join(self.password).encode()).decode()
        return authorization == f"Basic {expected}"


def _wanted(method: str, path: str) -> set[str]:
    match = _REPOSITORY.match(path)
    if match is None:
        return set()
    wanted = {f"{match[1]}:pull"}
    if method not in ("GET", "HEAD"):
        wanted.add(f"{match[1]}:push")
    sibling = parse_qs(urlsplit(path).query).get("from")
    return wanted | ({f"{sibling[0]}:pull"} if sibling else set())


def _as_scopes(wanted: set[str]) -> list[str]:
    names = sorted({entry.rpartition(":")[0] for entry in wanted})
    return [
        f"repository:{name}:{','.join(sorted(e.rpartition(':')[2] for e in wanted if e.startswith(name + ':')))}"
        for name in names
    ]


def _challenge(value: str) -> Reply:
    body = b'{"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}'
    return Reply(401, body, {"WWW-Authenticate": value, "Content-Type": "application/json"})
