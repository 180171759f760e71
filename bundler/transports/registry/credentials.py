"""Credentials as docker keeps them: its config file and the helpers that the file names."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bundler.errors import ConfigError, Unauthorised
from bundler.transports.registry.words import clean


@dataclass(frozen=True)
class Credentials:
    """User and password, or instead of a password an identity token, which only fetches other tokens."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


#: Finds the credentials of a registry by its name; ``None`` where there are none.
CredentialFinder = Callable[[str], "Credentials | None"]


def no_credentials(registry: str) -> Credentials | None:
    """Find nothing: every request is anonymous."""
    return None


def fixed_credentials(credentials: Credentials) -> CredentialFinder:
    """Return a finder that gives the same credentials to every registry it is asked for."""
    return lambda registry: credentials


def docker_credentials(registry: str) -> Credentials | None:
    """Find what ``docker login`` stored for a registry, also behind a credential helper.

    Raises:
        ConfigError: docker's config has an entry that cannot be read.
        Unauthorised: the credential helper is missing or failed.
    """
    # The SDK is large: a run that needs no credentials does not wait for it.
    from docker import auth
    from docker.errors import DockerException, InvalidConfigFile

    try:
        with warnings.catch_warnings():
            # A missing helper is reported by the error below, once.
            warnings.simplefilter("ignore")
            found = auth.resolve_authconfig(auth.load_config(), registry)
    except (InvalidConfigFile, ValueError, TypeError, AttributeError, OSError) as error:
        raise ConfigError(
            f"docker's config has no readable entry for {registry}: {clean(str(error))}",
            advice="Run `docker login` for this registry again.",
        ) from error
    except DockerException as error:
        raise Unauthorised(
            f"no credentials for {registry}: {clean(str(error))}",
            advice="Repair the credential helper that docker's config names, or remove it there.",
        ) from error
    return _from_entry(found)


def _from_entry(entry: object) -> Credentials | None:
    # The file's entries and the helpers' answers are spelt differently by the SDK.
    if not isinstance(entry, Mapping):
        return None
    values = {str(key).lower(): value for key, value in entry.items() if isinstance(value, str)}
    credentials = Credentials(
        values.get("username", ""), values.get("password", ""), values.get("identitytoken", "")
    )
    return credentials if credentials.username or credentials.identity_token else None
