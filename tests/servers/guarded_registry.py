"""The real registry behind a guard, of each kind that there is, and how it is reached."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bundler.transports.registry.access.access import RegistryAccess
from bundler.transports.registry.access.certificates import certificates_in
from bundler.transports.registry.credentials import Credentials, fixed_credentials
from tests.requirements import require, why_no_program
from tests.servers.registry import PROGRAM, Certificate, RealRegistry
from tests.servers.token_service import TokenService

GUEST = ("alice", "secret:word")
#: By a password, by tokens of a service; or not at all, but with HTTPS by an authority of its own.
GUARDED = ("htpasswd", "tokens", "own authority")


@contextmanager
def guarded(kind: str, place: Path) -> Iterator[tuple[RealRegistry, RegistryAccess]]:
    """Run an empty registry that is guarded in one way; ``place`` is made and may hold anything."""
    require(why_no_program(PROGRAM, "htpasswd", "openssl"))
    place.mkdir(exist_ok=True)
    known = fixed_credentials(Credentials(*GUEST))
    if kind == "tokens":
        with TokenService(place, GUEST).serve() as service, RealRegistry(tokens=service) as real:
            yield real, RegistryAccess(plain_http=True, credentials=known)
    elif kind == "htpasswd":
        with RealRegistry(htpasswd=GUEST) as real:
            yield real, RegistryAccess(plain_http=True, credentials=known)
    else:
        certificate = Certificate.make(place)
        with RealRegistry(tls=certificate) as real:
            directory = place / "certs.d" / real.address
            directory.mkdir(parents=True)
            shutil.copy(certificate.certificate, directory / "ca.crt")
            yield real, RegistryAccess(certificates=certificates_in([place / "certs.d"]))
