"""Where a registry is, and which URLs are still the same registry."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from bundler.errors import InvalidReference, ProtocolError
from bundler.model.reference import DEFAULT_REGISTRY, Reference
from bundler.transports.registry.words import clean

#: docker.io is a name; this host is where its registry answers.
_DOCKER_HUB = "registry-1.docker.io"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class RegistryAddress:
    """A registry as image names spell it, ``host[:port]``, and how it is spoken to.

    HTTPS always, unless ``plain_http`` was asked for; docker.io never goes without. With ``insecure`` nobody
    need trust its certificate, and whether it has TLS at all is only known once it was asked.
    """

    name: str
    plain_http: bool = False
    insecure: bool = False

    @classmethod
    def parse(cls, text: str, *, plain_http: bool = False, insecure: bool = False) -> RegistryAddress:
        """Read ``host[:port]``.

        Raises:
            InvalidReference: docker would not take this for a registry, such as a bare word without a port.
        """
        if Reference.parse(f"{text}/name/name").registry != text:
            raise InvalidReference(
                f"{text!r:.200} does not name a registry",
                advice="Write it as host:port, or with a dot in the host: names of images follow that rule.",
            )
        return cls(text, plain_http, insecure)

    @property
    def scheme(self) -> str:
        """``https``, or ``http`` where that was asked for."""
        return "http" if self.plain_http and self.name != DEFAULT_REGISTRY else "https"

    @property
    def host(self) -> str:
        """The host and port that requests go to."""
        return _DOCKER_HUB if self.name == DEFAULT_REGISTRY else self.name

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return f"{self.scheme}://{self.host}"

    def owns(self, url: str) -> bool:
        """Tell whether a URL is on this very scheme, host and port: only there may credentials go."""
        mine, theirs = urlsplit(self.origin), _split(url)
        return mine.scheme == theirs.scheme and _same_host(mine, theirs)

    def redirected(self, request_url: str, location: str) -> str:
        """Return where a redirect of a read leads: our own scheme on our own host, elsewhere as it says.

        Raises:
            ProtocolError: it leads to something else than HTTP, or to plain HTTP where that was not allowed.
        """
        url = _split(location, request_url)
        if _same_host(urlsplit(self.origin), url):
            if self.scheme == "http" and url.scheme == "https":
                raise ProtocolError(
                    f"{self.name} leads to HTTPS: {clean(url.geturl())}", advice="Leave --plain-http out."
                )
            # A proxy that ends TLS lets the registry behind it believe that it is spoken to in plain HTTP.
            return url._replace(scheme=self.scheme).geturl()
        self.check_scheme(url.geturl())
        return url.geturl()

    def upload_location(self, request_url: str, location: str) -> str:
        """Return where an upload goes on (distribution-spec, "Pushing blobs").

        A registry behind a proxy may name itself by its inner scheme and host. A path of the registry's own
        API is therefore always asked for where the upload was begun.

        Raises:
            ProtocolError: it leads to something else than HTTP, or to plain HTTP where that was not allowed.
        """
        url = _split(location, request_url)
        mine = urlsplit(self.origin)
        if url.path.startswith("/v2/") or _same_host(mine, url):
            return url._replace(scheme=mine.scheme, netloc=mine.netloc).geturl()
        self.check_scheme(url.geturl())
        return url.geturl()

    def check_scheme(self, url: str) -> None:
        """Refuse everything but HTTPS, and HTTP where it was asked for or accepted.

        Raises:
            ProtocolError: the URL has another scheme.
        """
        scheme = _split(url).scheme
        if scheme == "https" or (scheme == "http" and (self.scheme == "http" or self.insecure)):
            return
        raise ProtocolError(
            f"{self.name} leads to {clean(url)}, which is not HTTPS",
            advice="Use --plain-http only if the network between is trusted, or have the registry corrected.",
        )


def _split(url: str, base: str = "") -> SplitResult:
    try:
        parts = urlsplit(urljoin(base, url))
        _ = parts.port
    except ValueError as error:
        raise ProtocolError(f"the registry named an address that is none: {clean(url)}") from error
    return parts


def _same_host(mine: SplitResult, theirs: SplitResult) -> bool:
    if (mine.hostname or "").lower() != (theirs.hostname or "").lower() or theirs.username is not None:
        return False
    mine_default = mine.port in (None, _DEFAULT_PORTS.get(mine.scheme))
    theirs_default = theirs.port in (None, _DEFAULT_PORTS.get(theirs.scheme))
    return (mine_default and theirs_default) or mine.port == theirs.port
