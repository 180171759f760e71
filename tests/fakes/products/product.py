"""What a product puts before the plain fake registry: ways in, rules about names, refusals in its own words."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from tests.fakes.registry_doorman import Reply
from tests.fakes.registry_store import Store, digest_of

Read = Callable[[], bytes]
_PATH = re.compile(
    r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs/uploads|blobs|tags|referrers)/(?P<reference>[^/]*)"
)
JSON = {"Content-Type": "application/json; charset=utf-8"}


@dataclass(frozen=True)
class Asked:
    """A request; ``name`` is empty where it is not about a repository."""

    method: str
    url: str
    headers: Mapping[str, str]
    address: str

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.url).query)

    @property
    def _match(self) -> re.Match[str] | None:
        return _PATH.fullmatch(self.path)

    @property
    def name(self) -> str:
        return self._match["name"] if self._match else ""

    @property
    def kind(self) -> str:
        return self._match["kind"] if self._match else ""

    @property
    def reference(self) -> str:
        return self._match["reference"] if self._match else ""

    @property
    def is_writing(self) -> bool:
        return self.method not in ("GET", "HEAD")

    @property
    def puts_manifest(self) -> bool:
        return self.method == "PUT" and self.kind == "manifests"

    @property
    def authorization(self) -> str:
        return self.headers.get("Authorization", "")

    @property
    def basic(self) -> tuple[str, str] | None:
        """User and password, if they came along."""
        if not self.authorization.startswith("Basic "):
            return None
        user, _, password = base64.b64decode(self.authorization[6:]).decode().partition(":")
        return user, password

    @property
    def needs(self) -> set[tuple[str, str]]:
        """What a token must allow, as pairs of repository and action."""
        if not self.name:
            return set()
        siblings = {(sibling, "pull") for sibling in self.query.get("from", ())}
        return {(self.name, "pull")} | ({(self.name, "push")} if self.is_writing else set()) | siblings


class Product:
    """The plain one: everybody may do everything.

    Attributes:
        users: passwords by name.
        store: what the registry behind it holds; set when it is put before one.
        stateless: URLs of uploads hold no state.
    """

    stateless = False

    def __init__(self) -> None:
        self.users = {"ci": "secret"}
        self.store = Store()

    def head(self) -> dict[str, str]:
        """Return what is sent with each answer."""
        return {}

    def answer(self, asked: Asked, read: Read) -> Reply | None:
        """Answer instead of the registry, which does it itself where ``None`` comes."""
        return None

    def user(self, asked: Asked) -> str:
        """Return who asks, ``""`` for a stranger and for a wrong password."""
        user, password = asked.basic or ("", "")
        return user if user and self.users.get(user) == password else ""

    def moves_a_tag(self, asked: Asked, raw: bytes) -> bool:
        """Tell whether a manifest would take a tag away from another one."""
        held = self.store.repo(asked.name).tags.get(asked.reference)
        return held is not None and held != digest_of(raw)


def refused(status: int, code: str, message: str, detail: object = None, **headers: str) -> Reply:
    """Make the body that most products send (distribution-spec, "Errors")."""
    fields = {"code": code, "message": message, **({} if detail is None else {"detail": detail})}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps({"errors": [fields]}).encode(), {**JSON, **given})
