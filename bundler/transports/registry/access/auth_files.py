"""Files that hold credentials by registry: docker's config.json, podman's auth.json (containers-auth.json(5))."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from bundler.errors import ConfigError, MalformedDocument
from bundler.model.json_documents import convert, parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.reference import DEFAULT_REGISTRY
from bundler.transports.registry.access.config_files import broken
from bundler.transports.registry.credentials import Credentials

_DOCKER_HUB_NAMES = frozenset({DEFAULT_REGISTRY, "index.docker.io", "registry-1.docker.io"})
_ADVICE = "Mend the file, or move it away and log in again."


class _Entry(msgspec.Struct):
    auth: str | None = None
    username: str | None = None
    password: str | None = None
    identitytoken: str | None = None


class _File(msgspec.Struct):
    auths: dict[str, _Entry | None] | None = None
    credsStore: str | None = None  # noqa: N815  # the file's own spelling
    credHelpers: dict[str, str] | None = None  # noqa: N815


@dataclass(frozen=True)
class HelperEntry:
    """Credentials that another program keeps: ``docker-credential-<name>``."""

    name: str


@dataclass(frozen=True)
class AuthFile:
    """What one file says, by key: ``registry`` or ``registry/path``.

    Attributes:
        path: of the file, for errors.
        entries: not yet decoded.
        helpers: programs that keep the credentials of one key.
        store: the program that keeps those of all registries; ``""`` where there is none.
    """

    path: Path
    entries: dict[str, _Entry] = field(default_factory=dict, repr=False)
    helpers: dict[str, str] = field(default_factory=dict)
    store: str = ""

    def find(self, registry: str, repository: str) -> Iterator[Credentials | HelperEntry]:
        """Yield what there is for a repository: the longest key first, and of one key its helper first.

        Raises:
            ConfigError: the entry that is found cannot be read.
        """
        for key in _keys(registry, repository):
            if key in self.helpers:
                yield HelperEntry(self.helpers[key])
            elif key == registry and self.store:
                yield HelperEntry(self.store)
            if key in self.entries and (found := self._decoded(key)):
                yield found

    def _decoded(self, key: str) -> Credentials | None:
        entry = self.entries[key]
        username, password = entry.username or "", entry.password or ""
        if entry.auth:
            try:
                pair = base64.b64decode(entry.auth, validate=True).decode("utf-8").rstrip("\0")
            except (binascii.Error, ValueError):
                raise broken(self.path, f"the entry for {key} is not in base64", _ADVICE) from None
            username, colon, password = pair.partition(":")
            if not colon:
                raise broken(self.path, f"the entry for {key} holds no user and password", _ADVICE)
        if entry.identitytoken:
            return Credentials(identity_token=entry.identitytoken)
        return Credentials(username, password) if username else None


def parse_auth_file(raw: bytes, path: Path, limits: Limits = DEFAULT_LIMITS) -> AuthFile:
    """Read a file; what it holds besides credentials is passed over.

    Raises:
        ConfigError: it is no such file. The error repeats nothing of it.
    """
    if not raw.strip():
        return AuthFile(path)
    try:
        value = parse_json(raw, "it", limit=limits.config_bytes, limits=limits)
        said = convert(value, _File, "it")
    except MalformedDocument as error:
        raise ConfigError(f"{path} is broken: {error}", advice=_ADVICE) from None
    entries: dict[str, _Entry] = {}
    for key, entry in (said.auths or {}).items():
        # An empty entry only says that a helper has the real one.
        if entry is not None and (entry.auth or entry.username or entry.identitytoken):
            entries.setdefault(normal_key(key), entry)
    helpers = {normal_key(key): name for key, name in (said.credHelpers or {}).items() if name}
    return AuthFile(path, entries, helpers, said.credsStore or "")


def normal_key(key: str) -> str:
    """Return the one spelling of a key: without scheme and API version, and docker.io under that name."""
    rest = key
    for scheme in ("https://", "http://"):
        if key.startswith(scheme):
            # A URL names a registry, and never a path in it.
            rest = key[len(scheme) :].partition("/")[0]
    host, _, path = rest.partition("/")
    path = path.strip("/")
    if path in ("v1", "v2"):
        path = ""
    host = DEFAULT_REGISTRY if host in _DOCKER_HUB_NAMES else host
    return f"{host}/{path}" if path else host


def _keys(registry: str, repository: str) -> Iterator[str]:
    """Yield the keys that stand for a repository, the longest first."""
    path = repository
    while path:
        yield f"{registry}/{path}"
        path = path.rpartition("/")[0]
    yield registry
