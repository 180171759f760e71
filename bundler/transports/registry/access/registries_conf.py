"""containers-registries.conf(5), version 2: mirrors, other locations, blocked registries, short names."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from bundler.errors import InvalidReference, PolicyRefused
from bundler.model.reference import Reference
from bundler.transports.registry.access.config_files import broken

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_ADVICE = "Mend the file; containers-registries.conf(5) says what it may hold."
_MOST_ENTRIES = 10_000


class _Mirror(msgspec.Struct, frozen=True):
    location: str
    insecure: bool = False
    pull_from_mirror: Literal["all", "digest-only", "tag-only", ""] = msgspec.field(
        name="pull-from-mirror", default=""
    )


class _Registry(msgspec.Struct, frozen=True):
    prefix: str = ""
    location: str = ""
    insecure: bool = False
    blocked: bool = False
    mirrors: tuple[_Mirror, ...] = msgspec.field(name="mirror", default=())
    mirror_by_digest_only: bool = msgspec.field(name="mirror-by-digest-only", default=False)


class _File(msgspec.Struct, frozen=True):
    registries: tuple[_Registry, ...] = msgspec.field(name="registry", default=())
    aliases: dict[str, str] = {}


@dataclass(frozen=True)
class Route:
    """One place where an image may be asked for.

    Attributes:
        reference: the image's name there.
        insecure: whether a configuration allows it to be spoken to without trusted TLS.
        plain_http: whether a configuration says that it is spoken to in plain HTTP.
        is_mirror: whether it only stands in for the registry that the image is named after.
    """

    reference: Reference
    insecure: bool = False
    plain_http: bool = False
    is_mirror: bool = False


@dataclass(frozen=True)
class RegistriesConf:
    """What all files say together. A pure value.

    Attributes:
        registries: by prefix.
        aliases: full names, without tag, by short name.
        origins: the file that each prefix or short name is from.
    """

    registries: dict[str, _Registry] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    origins: dict[str, Path] = field(default_factory=dict)

    def expand(self, name: str) -> Reference:
        """Read an image's name; one without a registry may be an alias, else docker's rule holds: docker.io.

        Raises:
            InvalidReference: it is no name.
        """
        reference = Reference.parse(name)
        bare = name.partition("@")[0]
        head, slash, last = bare.rpartition("/")
        bare = head + slash + last.partition(":")[0]
        if Reference.parse(f"{bare}:x").name == bare or bare not in self.aliases:
            return reference
        try:
            alias = Reference.parse(self.aliases[bare])
        except InvalidReference as error:
            raise broken(self.origins[bare], error, _ADVICE) from error
        return Reference(alias.registry, alias.repository, reference.tag, reference.digest)

    def routes(self, reference: Reference) -> tuple[Route, ...]:
        """Return where an image is asked for, in order; what it is named after comes last.

        Raises:
            PolicyRefused: its registry is blocked.
            ConfigError: a location makes no name.
        """
        found = max(
            ((length, prefix) for prefix in self.registries if (length := _match(reference, prefix))),
            default=None,
        )
        if found is None:
            return (Route(reference),)
        length, prefix = found
        entry, path = self.registries[prefix], self.origins[prefix]
        if entry.blocked:
            raise PolicyRefused(f"{reference}: {path} blocks {prefix}")
        by = "digest-only" if reference.digest else "tag-only"
        mirrors = []
        for mirror in entry.mirrors:
            use = mirror.pull_from_mirror or ("digest-only" if entry.mirror_by_digest_only else "all")
            if use in ("all", by):
                there = _rewritten(reference, length, mirror.location, path)
                mirrors.append(Route(there, insecure=mirror.insecure, is_mirror=True))
        own = _rewritten(reference, length, entry.location, path) if entry.location else reference
        return (*mirrors, Route(own, insecure=entry.insecure))

    def is_insecure(self, registry: str) -> bool:
        """Tell whether the entry for a whole registry allows it to be spoken to without trusted TLS."""
        entry = self.registries.get(registry)
        return entry is not None and entry.insecure and entry.location in ("", registry)


def _match(reference: Reference, prefix: str) -> int:
    """Return how much of the name a prefix stands for, 0 if it does not match."""
    name = str(reference)
    if prefix.startswith("*."):
        domain = prefix[1:].partition("/")[0]
        if prefix[1:] != domain or not reference.registry.endswith(domain):
            return 0
        return len(reference.registry)
    if not name.startswith(prefix):
        return 0
    # A registry's name does not end before its port.
    ends = "/" if "/" not in prefix else "/:@"
    return len(prefix) if len(name) == len(prefix) or name[len(prefix)] in ends else 0


def _rewritten(reference: Reference, length: int, location: str, path: Path) -> Reference:
    try:
        return Reference.parse(location + str(reference)[length:])
    except InvalidReference as error:
        raise broken(path, f"the location {location!r:.200} makes no name: {error}", _ADVICE) from error


def parse_registries_conf(raw: bytes, path: Path) -> _File:
    """Read one file.

    Raises:
        ConfigError: it is no such file.
    """
    try:
        value = tomllib.loads(raw.decode("utf-8"))
        said = msgspec.convert(value, _File)
    # The parser of TOML goes down one call for each level of nesting.
    except (ValueError, msgspec.ValidationError, RecursionError) as error:
        raise broken(path, error, _ADVICE) from error
    if len(said.registries) + len(said.aliases) > _MOST_ENTRIES:
        raise broken(path, f"more than {_MOST_ENTRIES} entries", _ADVICE)
    for entry in said.registries:
        places = [entry.prefix or entry.location, *(mirror.location for mirror in entry.mirrors)]
        if not all(places) or (entry.location == "" and not entry.prefix.startswith("*.") and not entry.blocked):
            raise broken(path, "an entry has no location", _ADVICE)
        if any("://" in place for place in (*places, entry.location)):
            raise broken(path, "a location has a scheme", _ADVICE)
    return said


def joined(files: Iterable[tuple[Path, _File]]) -> RegistriesConf:
    """Return what files say together: of one prefix or short name the last file counts."""
    registries, aliases, origins = {}, {}, {}
    for path, said in files:
        for entry in said.registries:
            prefix = (entry.prefix or entry.location).rstrip("/")
            registries[prefix], origins[prefix] = entry, path
        for name, value in said.aliases.items():
            aliases[name], origins[name] = value, path
    return RegistriesConf(registries, {name: value for name, value in aliases.items() if value}, origins)
