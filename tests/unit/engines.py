"""The engines that the suites run on: the fake in each of its forms, and a real one."""

from __future__ import annotations

import itertools
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bundler.content.images import OutgoingImage, RegistryForm
from bundler.destinations.engine import EngineDestination
from bundler.transports.engine import EngineClient
from tests.fakes.engine import FakeEngine
from tests.fakes.memory import CountingTask, MemorySource, tar_of
from tests.servers.engine import RealEngine

#: Another engine to try the suites on, such as a newer one, in the form of DOCKER_HOST.
OTHER_ENGINE = "AIRBUNDLE_TEST_ENGINE"

CLASSIC, NEW_CLASSIC, CONTAINERD = "fake 20.10", "fake 26", "fake 26 containerd"
REAL, REAL_26, REAL_26_CONTAINERD = "real", "real 26", "real 26 containerd"
_FIXTURES = {REAL: "engine", REAL_26: "engine_26", REAL_26_CONTAINERD: "engine_26_containerd"}
ENGINES = [
    *(CLASSIC, NEW_CLASSIC, CONTAINERD),
    *(pytest.param(real, marks=pytest.mark.engine) for real in _FIXTURES),
]
#: Those of them that keep no digests, and so have several images in one request.
CLASSIC_STORES = [
    CLASSIC,
    NEW_CLASSIC,
    *(pytest.param(real, marks=pytest.mark.engine) for real in (REAL, REAL_26)),
]
_numbers = itertools.count(1)


@contextmanager
def running(which: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the address of an engine; the fakes are empty, the real ones are shared by all tests."""
    if which == REAL and (other := os.environ.get(OTHER_ENGINE)):
        yield other
        return
    if which in _FIXTURES:
        engine: RealEngine = request.getfixturevalue(_FIXTURES[which])
        yield engine.host
        return
    with make_fake(which) as fake:
        yield fake.host


def make_fake(which: str) -> FakeEngine:
    version, api = ("20.10.24", "1.41") if which == CLASSIC else ("26.1.5", "1.45")
    return FakeEngine(version, "containerd" if which == CONTAINERD else "classic", api)


def new_name(tag: str = "1") -> str:
    """Return a name that no other test uses."""
    return f"airbundle.test/unit/{os.getpid()}-{next(_numbers)}:{tag}"


def layer(text: str, size: int = 3000) -> bytes:
    """Return a small layer whose content nobody else has."""
    return tar_of({text: (text.encode() * size)[:size]})


def load(client: EngineClient, source: MemorySource, image: RegistryForm) -> None:
    """Put an image into an engine."""
    EngineDestination(client).put(OutgoingImage(image.reference, image.tree), source, CountingTask())


def names_in(path: object) -> list[str]:
    with tarfile.open(str(path)) as tar:
        return tar.getnames()
