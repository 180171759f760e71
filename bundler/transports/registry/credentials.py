"""Credentials for registries, and whoever finds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Credentials:
    """User and password, or instead of a password an identity token, which only fetches other tokens."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


#: Finds the credentials of a registry, by its name, for a repository there; ``None`` where there are none.
CredentialFinder = Callable[[str, str], "Credentials | None"]


def no_credentials(registry: str, repository: str = "") -> Credentials | None:
    """Find nothing: every request is anonymous."""
    return None


def fixed_credentials(credentials: Credentials) -> CredentialFinder:
    """Return a finder that gives the same credentials to every registry it is asked for."""
    return lambda registry, repository: credentials


def credentials_for(name: str, credentials: Credentials, others: CredentialFinder) -> CredentialFinder:
    """Return a finder that gives credentials to the registry of this name only, and asks another for the rest."""
    return lambda registry, repository: credentials if registry == name else others(registry, repository)
