"""How registries are reached: the one place where options and this machine's files become a ``RegistryAccess``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bundler.api.image_names import ImageName
from bundler.errors import InvalidReference, UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.reference import DEFAULT_REGISTRY, Reference
from bundler.progress import SILENT, Progress

if TYPE_CHECKING:
    from bundler.transports.registry.access.access import RegistryAccess
    from bundler.transports.registry.credentials import CredentialFinder

USERNAME, PASSWORD = "AIRBUNDLE_USERNAME", "AIRBUNDLE_PASSWORD"  # names of variables


@dataclass(frozen=True)
class AccessOptions:
    """What a user says of how registries are reached; everything else is found where docker and podman keep it.

    Attributes:
        plain_http: speak HTTP instead of HTTPS, to every registry but docker.io.
        insecure: registries, ``host`` or ``host:port``, that may go without trusted TLS, which is warned about.
        username: for the one registry that is involved, with ``password``. Without both, the variables
            ``AIRBUNDLE_USERNAME`` and ``AIRBUNDLE_PASSWORD`` are taken, then what ``docker login`` stored.
        password: see ``username``.
        wait_for_rate_limit: wait where a registry's rate limit is reached.
        environment: the variables that count; ``None`` stands for this process's.
        warn: is told of every registry that is spoken to without trusted TLS; by default the progress is.
    """

    plain_http: bool = False
    insecure: tuple[str, ...] = ()
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    wait_for_rate_limit: bool = False
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    warn: Callable[[str], None] | None = field(default=None, repr=False, compare=False)


DEFAULT_ACCESS = AccessOptions()


def open_access(
    options: AccessOptions,
    registries: Iterable[str],
    *,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress = SILENT,
) -> RegistryAccess:
    """Make the access for one run. No file is read yet, and nobody is asked.

    Args:
        options: What the user said.
        registries: Names of all that this run may speak to; a user and password that were given are for the only
            one among them, and go to no other.
        limits: Bound the files.
        progress: Is told of every registry that is spoken to without trusted TLS, if nobody else is.

    Raises:
        UsageError: a user without a password, a password without a user, or both for more or less than one
            registry (from variables: when one wants them); a name that is none, or docker.io, stands as insecure.
        ConfigError: a proxy is named in a way that is not understood.
    """
    from bundler.transports.registry.access.access import RegistryAccess
    from bundler.transports.registry.access.certificates import certificates_in
    from bundler.transports.registry.access.mirrors import Routes
    from bundler.transports.registry.access.places import Places
    from bundler.transports.registry.access.proxies import Proxies
    from bundler.transports.registry.access.stored_credentials import StoredCredentials

    places = Places.of_this_process(options.environment)
    stored = StoredCredentials(places, limits)
    return RegistryAccess(
        plain_http=options.plain_http,
        insecure=frozenset(_insecure(name) for name in options.insecure),
        credentials=_finder(options, places.environment, list(registries), stored),
        certificates=certificates_in(places.certificate_directories),
        routes=Routes(places, limits),
        proxies=Proxies.from_environment(places.environment),
        wait_for_rate_limit=options.wait_for_rate_limit,
        warn=options.warn or progress.message,
    )


def registries_of(names: Iterable[str]) -> list[str]:
    """Return the registries that image names may lead to, each once; names that are none lead nowhere."""
    found = []
    for text in names:
        try:
            name = ImageName.parse(text)
            if name.transport in ("", "docker"):
                found.append(Reference.parse(name.image).registry)
        except InvalidReference:
            continue
    return list(dict.fromkeys(found))


def _finder(
    options: AccessOptions, environment: Mapping[str, str], registries: Sequence[str], stored: CredentialFinder
) -> CredentialFinder:
    """Return who finds credentials: what was given goes to the only registry there is, and to no other."""
    from bundler.transports.registry.credentials import Credentials, credentials_for

    said = options.username is not None or options.password is not None
    username = options.username if said else environment.get(USERNAME)
    password = options.password if said else environment.get(PASSWORD)
    if not username and not password:
        return stored
    if not username or not password:
        raise UsageError(
            f"a registry's {'user' if username else 'password'} is given without a "
            f"{'password' if username else 'user'}",
            advice=f"Give --username and --password-stdin, or {USERNAME} and {PASSWORD}; or neither.",
        )
    if len(registries) == 1:
        return credentials_for(registries[0], Credentials(username, password), stored)
    error = UsageError(
        f"a user and password are given, which are for one registry, but {len(registries)} may be asked"
        + (f": {', '.join(registries[:3])}" if registries else ""),
        advice="Use `docker login` for each registry instead, and leave the user and password out.",
    )
    if said:
        raise error

    # Variables may be meant for another command: they do no harm as long as nobody wants a password.
    def refuse(registry: str, repository: str) -> Credentials | None:
        raise error

    return refuse


def _insecure(name: str) -> str:
    try:
        # A bare word is a host too; in an image's name only a port would make it one.
        written = name if Reference.parse(f"{name}/a/b").registry == name else f"{name}:1"
        known = Reference.parse(f"{written}/a/b").registry == written
    except InvalidReference:
        known = False
    if not known or name in (DEFAULT_REGISTRY, f"index.{DEFAULT_REGISTRY}"):
        raise UsageError(
            f"--insecure {name!r:.200} names no registry that could be spoken to so",
            advice="Write host or host:port; docker.io is always spoken to with TLS.",
        )
    return name
