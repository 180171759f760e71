"""Which routes lead to an image: podman's registries.conf, and the mirrors of docker's daemon.json."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from bundler.errors import ConfigError, InvalidReference, MalformedDocument
from bundler.model.json_documents import convert, parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.reference import DEFAULT_REGISTRY, Reference
from bundler.transports.registry.access.config_files import broken, read_config_file
from bundler.transports.registry.access.places import Places
from bundler.transports.registry.access.registries_conf import (
    RegistriesConf,
    Route,
    joined,
    parse_registries_conf,
)

_ADVICE = "Mend the file: its mirrors are written as https://host[:port]."


class _Daemon(msgspec.Struct):
    mirrors: tuple[str, ...] | None = msgspec.field(name="registry-mirrors", default=None)


@dataclass(frozen=True)
class DockerMirror:
    """A mirror of docker.io: ``host[:port]``, and whether it is named as ``http:``."""

    registry: str
    plain_http: bool = False


class Routes:
    """Knows where images are asked for. Files are read when that is first asked."""

    def __init__(self, places: Places | None, limits: Limits = DEFAULT_LIMITS) -> None:
        """Read nothing yet; ``None`` stands for a machine without any such file."""
        self._places = places
        self._limits = limits

    def expand(self, name: str) -> Reference:
        """Read an image's name, see :meth:`RegistriesConf.expand`.

        Raises:
            InvalidReference: it is no name.
            ConfigError: a file is broken.
        """
        return self._conf.expand(name)

    def to(self, reference: Reference) -> tuple[Route, ...]:
        """Return where an image is asked for, in order; what it is named after comes last.

        Raises:
            PolicyRefused: its registry is blocked.
            ConfigError: a file is broken.
        """
        *mirrors, own = self._conf.routes(reference)
        if reference.registry == DEFAULT_REGISTRY:
            mirrors += [
                Route(replace(reference, registry=mirror.registry), plain_http=mirror.plain_http, is_mirror=True)
                for mirror in self._docker_mirrors
            ]
        return (*mirrors, own)

    def is_insecure(self, registry: str) -> bool:
        """Tell whether a file allows a registry to be spoken to without trusted TLS.

        Raises:
            ConfigError: a file is broken.
        """
        return self._conf.is_insecure(registry)

    @cached_property
    def _conf(self) -> RegistriesConf:
        if self._places is None:
            return RegistriesConf()
        read = ((path, read_config_file(path, self._limits)) for path in _conf_files(self._places))
        return joined((path, parse_registries_conf(raw, path)) for path, raw in read if raw is not None)

    @cached_property
    def _docker_mirrors(self) -> tuple[DockerMirror, ...]:
        for path in self._places.docker_daemon_files if self._places is not None else ():
            raw = read_config_file(path, self._limits)
            if raw is not None:
                return parse_docker_mirrors(raw, path, self._limits)
        return ()


def _conf_files(places: Places) -> Iterator[Path]:
    yield places.registries_conf
    for directory in places.registries_conf_directories:
        try:
            yield from sorted(path for path in directory.iterdir() if path.suffix == ".conf")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise ConfigError(
                f"{directory} cannot be read: {error.strerror}", advice="Let this user read the directory."
            ) from error
    yield places.short_name_aliases


def parse_docker_mirrors(raw: bytes, path: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[DockerMirror, ...]:
    """Read the mirrors of docker's daemon.json.

    Raises:
        ConfigError: it is no such file, or a mirror is no URL of a host.
    """
    if not raw.strip():
        return ()
    try:
        value = parse_json(raw, "it", limit=limits.config_bytes, limits=limits)
        said = convert(value, _Daemon, "it").mirrors or ()
    except MalformedDocument as error:
        raise broken(path, error, _ADVICE) from error
    return tuple(_mirror(url, path) for url in said)


def _mirror(url: str, path: Path) -> DockerMirror:
    try:
        parts = urlsplit(url)
        name = parts.netloc
        usable = (
            parts.scheme in ("http", "https")
            and not parts.path.strip("/")
            and not parts.query
            and Reference.parse(f"{name}/name/name").registry == name
        )
    except (ValueError, InvalidReference):
        usable = False
    if not usable:
        raise broken(path, f"{url!r:.200} is no mirror", _ADVICE)
    return DockerMirror(name, parts.scheme == "http")
