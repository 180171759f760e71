"""Proxies as docker, podman and every other Go program take them from the environment (golang httpproxy)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bundler.errors import ConfigError
from bundler.transports.registry.words import clean

_DEFAULT_PORTS = {"http": 80, "https": 443}
_KINDS = ("http", "https")


@dataclass(frozen=True)
class Proxies:
    """Which proxy a URL goes through. A pure value.

    Attributes:
        http: URL of the proxy for ``http:`` URLs, ``""`` for none.
        https: the same for ``https:`` URLs.
        exceptions: where no proxy is used: ``*``, a domain (with all below it), ``.domain`` or ``*.domain`` (only
            what is below it), an address, a network as ``10.0.0.0/8``; each but the last with ``:port`` if only
            that port is meant. Loopback addresses and ``localhost`` never go through a proxy.
    """

    # A proxy's URL may hold a password.
    http: str = field(default="", repr=False)
    https: str = field(default="", repr=False)
    exceptions: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Proxies:
        """Read ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY``, in capitals or, where those are unset, small.

        Raises:
            ConfigError: a proxy is named in a way that is not understood.
        """

        def named(variable: str) -> str:
            return environment.get(variable) or environment.get(variable.lower()) or ""

        # A CGI program gets a header of its caller under this name.
        http = "" if environment.get("REQUEST_METHOD") else _checked(named("HTTP_PROXY"), "HTTP_PROXY")
        https = _checked(named("HTTPS_PROXY"), "HTTPS_PROXY")
        words = (word.strip().lower() for word in named("NO_PROXY").split(","))
        return cls(http, https, tuple(word for word in words if word))

    def proxy_for(self, url: str) -> str | None:
        """Return the URL of the proxy that a URL goes through, ``None`` for none."""
        parts = urlsplit(url)
        proxy = {"http": self.http, "https": self.https}.get(parts.scheme, "")
        host = (parts.hostname or "").lower().rstrip(".")
        if not proxy or _is_loopback(host):
            return None
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        return None if any(_matches(word, host, port) for word in self.exceptions) else proxy


#: No proxy at all.
DIRECT = Proxies()


def _checked(text: str, variable: str) -> str:
    if not text:
        return ""
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in _KINDS and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        # Not the text itself: it may hold a password.
        kind = clean(text.partition("://")[0], 20) if "://" in text else ""
        raise ConfigError(
            f"{variable} names no proxy that can be used" + (f": {kind}://" if kind else ""),
            advice="Write it as http://host:port or https://host:port.",
        )
    return url


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _matches(word: str, host: str, port: int) -> bool:
    if word == "*":
        return True
    address = _address(host)
    if "/" in word:
        try:
            return address is not None and address in ipaddress.ip_network(word, strict=False)
        except ValueError:
            return False
    name, wanted_port = _split_port(word)
    if not name or wanted_port not in (None, port):
        return False
    meant = _address(name)
    if meant is not None:
        return meant == address
    name = name.removeprefix("*") if name.startswith("*.") else name
    if name.startswith("."):
        return host.endswith(name)
    return host == name or host.endswith(f".{name}")


def _split_port(word: str) -> tuple[str, int | None]:
    host, colon, port = word.rpartition(":")
    # An IPv6 address has colons of its own: with a port it stands in brackets.
    if colon and port.isdecimal() and (":" not in host or host.endswith("]")):
        return host, int(port)
    return word, None
