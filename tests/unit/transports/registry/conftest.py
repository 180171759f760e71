"""Registries and clients for the tests of the transport."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.registry import FakeRegistry
from tests.servers.either_registry import KINDS, Registry, serve
from tests.unit.transports.registry.clients import Clients


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[Registry]:
    """A registry, the fake one and the real one in turn."""
    with serve(request.param) as running:
        yield running


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


@pytest.fixture
def clients() -> Iterator[Clients]:
    made = Clients()
    yield made
    made.close()
