"""One value for how registries are reached; whoever opens sources and destinations makes it, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bundler.model.reference import DEFAULT_REGISTRY
from bundler.transports.registry.access.certificates import CertificateFinder, no_certificates
from bundler.transports.registry.access.mirrors import Routes
from bundler.transports.registry.access.proxies import DIRECT, Proxies
from bundler.transports.registry.access.registries_conf import Route
from bundler.transports.registry.address import RegistryAddress
from bundler.transports.registry.credentials import CredentialFinder, no_credentials


def _warn_nobody(text: str) -> None:
    pass


@dataclass(frozen=True)
class RegistryAccess:
    """How registries are reached. The default knows nothing of this machine: HTTPS, anonymous, no mirrors.

    Attributes:
        plain_http: speak HTTP instead of HTTPS, to every registry but docker.io.
        insecure: registries, ``host`` or ``host:port``, that may have a certificate nobody trusts, or no TLS.
        ca_file: certificates in PEM form that are trusted besides the system's, for every registry.
        credentials: finds credentials, when a registry wants any.
        certificates: finds certificates for one host.
        routes: where an image is asked for.
        proxies: which URL goes through a proxy.
        wait_for_rate_limit: wait, for hours if need be, where a registry's rate limit is reached.
        warn: is told of every registry that is spoken to without trusted TLS, because of ``insecure`` or a file.
    """

    plain_http: bool = False
    insecure: frozenset[str] = frozenset()
    ca_file: Path | None = None
    credentials: CredentialFinder = no_credentials
    certificates: CertificateFinder = no_certificates
    routes: Routes = field(default_factory=lambda: Routes(None))
    proxies: Proxies = DIRECT
    wait_for_rate_limit: bool = False
    warn: Callable[[str], None] = _warn_nobody

    def address(self, name: str, route: Route | None = None) -> RegistryAddress:
        """Return where a registry is and how it is spoken to.

        Args:
            name: ``host[:port]``, as names of images spell it.
            route: That led there; what a file says of it counts too.

        Raises:
            InvalidReference: docker would not take this for a registry.
            ConfigError: a file that says how registries are reached is broken.
        """
        insecure = self.is_insecure(name) or (route is not None and route.insecure)
        plain_http = self.plain_http or (route is not None and route.plain_http)
        return RegistryAddress.parse(name, plain_http=plain_http, insecure=insecure)

    def is_insecure(self, name: str) -> bool:
        """Tell whether a registry may be spoken to without trusted TLS.

        Raises:
            ConfigError: a file that says how registries are reached is broken.
        """
        if name == DEFAULT_REGISTRY:
            return False
        return bool({name, name.rpartition(":")[0]} & self.insecure) or self.routes.is_insecure(name)
