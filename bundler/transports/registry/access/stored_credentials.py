"""Credentials that ``docker login`` and ``podman login`` stored: in files, or behind helpers named there."""

from __future__ import annotations

import threading
import warnings
from pathlib import Path

from bundler.errors import Unauthorised
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.reference import DEFAULT_REGISTRY
from bundler.transports.registry.access.auth_files import AuthFile, HelperEntry, parse_auth_file
from bundler.transports.registry.access.config_files import read_config_file
from bundler.transports.registry.access.places import Places
from bundler.transports.registry.credentials import Credentials
from bundler.transports.registry.words import clean

#: The name under which docker's helpers keep what belongs to docker.io.
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"


class StoredCredentials:
    """A ``CredentialFinder``: docker's file first, then podman's. Safe to use from several threads.

    Files are read when credentials are first asked for, and helpers are asked once for each registry.
    """

    def __init__(self, places: Places, limits: Limits = DEFAULT_LIMITS) -> None:
        """Read nothing yet."""
        self._paths = (places.docker_config, *places.podman_auth_files)
        self._limits = limits
        self._lock = threading.Lock()
        self._files: dict[Path, AuthFile] = {}
        self._helped: dict[tuple[str, str], Credentials | None] = {}

    def __call__(self, registry: str, repository: str = "") -> Credentials | None:
        """Find the credentials for a repository: in the first file that has any, under the longest key.

        Raises:
            ConfigError: a file that is there cannot be understood; the error names it.
            Unauthorised: a credential helper is missing or failed.
        """
        with self._lock:
            for path in self._paths:
                for found in self._file(path).find(registry, repository):
                    known = self._ask(found, registry) if isinstance(found, HelperEntry) else found
                    if known is not None:
                        return known
        return None

    def _file(self, path: Path) -> AuthFile:
        if path not in self._files:
            raw = read_config_file(path, self._limits)
            self._files[path] = parse_auth_file(raw or b"", path, self._limits)
        return self._files[path]

    def _ask(self, helper: HelperEntry, registry: str) -> Credentials | None:
        key = (helper.name, registry)
        if key not in self._helped:
            names = (_DOCKER_HUB_KEY, registry) if registry == DEFAULT_REGISTRY else (registry,)
            answers = (_ask_helper(helper.name, name) for name in names)
            self._helped[key] = next((answer for answer in answers if answer is not None), None)
        return self._helped[key]


def _ask_helper(name: str, registry: str) -> Credentials | None:
    # The SDK is large: a run that asks no helper does not wait for it.
    from docker.credentials import Store
    from docker.credentials.errors import CredentialsNotFound, StoreError

    program = f"docker-credential-{clean(name)}"
    if "/" in name or "\0" in name:
        raise _unhelpful(registry, f"{program} is no name of a program")
    try:
        with warnings.catch_warnings():
            # A missing helper is reported by the error below, once.
            warnings.simplefilter("ignore")
            answer = Store(name).get(registry)  # type: ignore[no-untyped-call]  # as its stubs have it
        username, secret = answer["Username"], answer["Secret"]
    except CredentialsNotFound:
        return None
    except StoreError as error:
        raise _unhelpful(registry, clean(str(error))) from None
    except (ValueError, KeyError, TypeError, OSError):
        # Its words may hold what must not be shown.
        raise _unhelpful(registry, f"{program} answered what is not in its protocol") from None
    if not isinstance(username, str) or not isinstance(secret, str):
        raise _unhelpful(registry, f"{program} answered what is not in its protocol")
    return Credentials(identity_token=secret) if username == "<token>" else Credentials(username, secret)


def _unhelpful(registry: str, why: str) -> Unauthorised:
    return Unauthorised(
        f"no credentials for {registry}: {why}",
        advice="Install or repair the credential helper that docker's or podman's file names, or remove it there.",
    )
