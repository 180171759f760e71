"""How tests reach the registries that they start: in plain HTTP, and with nothing of this machine."""

from __future__ import annotations

from bundler.transports.registry.access.access import RegistryAccess

PLAIN_HTTP = RegistryAccess(plain_http=True)
