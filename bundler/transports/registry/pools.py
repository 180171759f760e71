"""Pools of connections: to each host with the trust and through the proxy that it needs."""

from __future__ import annotations

import ssl
import threading
from urllib.parse import unquote, urlsplit

import urllib3

from bundler.errors import ConfigError
from bundler.transports.registry.access.access import RegistryAccess
from bundler.transports.registry.access.certificates import Certificates
from bundler.transports.registry.address import RegistryAddress
from bundler.transports.registry.pace import bound_heads

#: A registry on object storage may be busy for minutes before it confirms a large blob.
_TIMEOUT = urllib3.Timeout(connect=20.0, read=300.0)
#: For the whole head of an answer, from its first byte waited for to its last.
_HEAD_SECONDS = 360.0


class Pools:
    """The connections of one client. Safe to use from several threads.

    The authorities that are trusted for the registry are trusted for every host that it refers to, its token
    service and its storage; client certificates go to the registry alone. What is not verified because it was
    asked so is this registry, and other hosts that were named so themselves.
    """

    def __init__(self, address: RegistryAddress, access: RegistryAccess, connections: int) -> None:
        """Prepare; nothing is read or connected yet. ``connections`` is how many are kept open to each host."""
        self._address = address
        self._access = access
        self._connections = connections
        self._lock = threading.Lock()
        self._pools: dict[tuple[str, str], urllib3.PoolManager] = {}

    def pool(self, url: str) -> urllib3.PoolManager:
        """Return the pool for a URL.

        Raises:
            ConfigError: certificates for its host cannot be used.
        """
        parts = urlsplit(url)
        proxy = self._access.proxies.proxy_for(url) or ""
        host = parts.netloc.rpartition("@")[2] if parts.scheme == "https" else ""
        with self._lock:
            if (host, proxy) not in self._pools:
                self._pools[host, proxy] = self._open(host, proxy)
            return self._pools[host, proxy]

    def clear(self) -> None:
        """Close the connections that are not in use."""
        with self._lock:
            for pool in self._pools.values():
                pool.clear()

    def _open(self, host: str, proxy: str) -> urllib3.PoolManager:
        """Make a pool for one host, or for all that are spoken to in plain HTTP where that is ``""``."""
        context = self._context(host) if host else None
        if proxy:
            bare, headers = _split_proxy(proxy)
            made: urllib3.PoolManager = urllib3.ProxyManager(
                bare,
                proxy_headers=headers,
                maxsize=self._connections,
                ssl_context=context,
                retries=False,
                timeout=_TIMEOUT,
            )
        else:
            made = urllib3.PoolManager(
                maxsize=self._connections, ssl_context=context, retries=False, timeout=_TIMEOUT
            )
        bound_heads(made, _HEAD_SECONDS)
        return made

    def _context(self, host: str) -> ssl.SSLContext:
        own = host == self._address.host
        context = ssl.create_default_context()
        if self._access.ca_file is not None:
            _trust(context, Certificates((self._access.ca_file,)))
        for name in dict.fromkeys((self._address.name, self._address.host, host)):
            found = self._access.certificates(name)
            mine = name == host or own
            _trust(context, found if mine else Certificates(found.authorities))
        if (own and self._address.insecure) or self._access.is_insecure(host):
            # Who asked for it was warned in our own words, once, and not at every request.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _split_proxy(url: str) -> tuple[str, dict[str, str] | None]:
    """Return the proxy's URL without user and password, and these as a header."""
    parts = urlsplit(url)
    bare = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    if parts.username is None:
        return bare, None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return bare, dict(urllib3.make_headers(proxy_basic_auth=pair))


def _trust(context: ssl.SSLContext, certificates: Certificates) -> None:
    for path in certificates.authorities:
        try:
            context.load_verify_locations(cafile=path)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"{path} holds no certificates that can be read: {error}", advice="It must be in PEM form."
            ) from error
    for certificate, key in certificates.client:
        try:
            # Without a password of its own the key would be asked for on the terminal.
            context.load_cert_chain(certificate, key, password=b"")
        except (OSError, ssl.SSLError, ValueError) as error:
            raise ConfigError(
                f"{certificate} and {key.name} cannot be used: {error}",
                advice="Both must be in PEM form, belong together, and have no password.",
            ) from error
