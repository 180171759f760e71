"""Clients that a test makes and forgets."""

from __future__ import annotations

from pathlib import Path

from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.transports.registry.access.access import RegistryAccess
from bundler.transports.registry.client import RegistryClient, Repository
from bundler.transports.registry.credentials import CredentialFinder, no_credentials
from bundler.transports.registry.retries import Retries, RetryPolicy

#: As many tries as usual, but nobody waits long for them.
QUICK = RetryPolicy(first_seconds=0.01, longest_seconds=0.02, longest_asked_seconds=0.3)


class Clients:
    def __init__(self) -> None:
        self._made: list[RegistryClient] = []

    def client(
        self,
        address: str,
        *,
        plain_http: bool = True,
        credentials: CredentialFinder = no_credentials,
        limits: Limits = DEFAULT_LIMITS,
        ca_file: Path | None = None,
        policy: RetryPolicy = QUICK,
        access: RegistryAccess | None = None,
    ) -> RegistryClient:
        reached = access or RegistryAccess(plain_http=plain_http, credentials=credentials, ca_file=ca_file)
        made = RegistryClient(reached.address(address), reached, limits=limits, retries=Retries(policy))
        self._made.append(made)
        return made

    def repository(
        self,
        address: str,
        name: str = "shop/web",
        *,
        push: bool = True,
        plain_http: bool = True,
        credentials: CredentialFinder = no_credentials,
        ca_file: Path | None = None,
        policy: RetryPolicy = QUICK,
        access: RegistryAccess | None = None,
    ) -> Repository:
        client = self.client(
            address,
            plain_http=plain_http,
            credentials=credentials,
            ca_file=ca_file,
            policy=policy,
            access=access,
        )
        return Repository(client, name, push=push)

    def close(self) -> None:
        for client in self._made:
            client.close()
