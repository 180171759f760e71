"""Servers that tests share, and the marks that say which tests need them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.requirements import require, why_no_program
from tests.servers.engine import RealEngine, why_no_engine
from tests.servers.engine26 import Engine26, why_no_engine26
from tests.servers.registry import RealRegistry

# How long an example takes says more about the machine than about the code. tests/property has its own profile.
settings.register_profile("untimed", deadline=None, database=None)
settings.load_profile("untimed")

#: Fixtures that start a server, and the mark of every test that asks for one, directly or through others.
_MARKS = {
    **dict.fromkeys(("engine", "second_engine", "engine_26", "engine_26_containerd"), "engine"),
    **dict.fromkeys(("registry", "empty_registry"), "registry"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for what takes longer than every run may take."""
    parser.addoption("--long", action="store_true", help="Look for faults as long as before a release.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the servers they need, so that ``-m "not engine"`` leaves out exactly those."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in _MARKS:
                item.add_marker(_MARKS[fixture])


@pytest.fixture(scope="session")
def engine() -> Iterator[RealEngine]:
    """The engine of the near side: tests build their images there."""
    require(why_no_engine())
    with RealEngine() as running:
        yield running


@pytest.fixture(scope="session")
def second_engine() -> Iterator[RealEngine]:
    """The engine of the far side; whoever needs it empty empties it."""
    require(why_no_engine())
    with RealEngine() as running:
        yield running


@pytest.fixture(scope="session")
def engine_26() -> Iterator[RealEngine]:
    """Engine 26 with its classic store; whoever needs it empty empties it."""
    require(why_no_engine26())
    with Engine26(containerd_store=False) as running:
        yield running


@pytest.fixture(scope="session")
def engine_26_containerd() -> Iterator[RealEngine]:
    """Engine 26 with containerd's store; whoever needs it empty empties it."""
    require(why_no_engine26())
    with Engine26(containerd_store=True) as running:
        yield running


@pytest.fixture(scope="session")
def registry() -> Iterator[RealRegistry]:
    """A registry that tests share, each under repository names of its own."""
    require(why_no_program("docker-registry"))
    with RealRegistry() as running:
        yield running


@pytest.fixture(scope="module")
def empty_registry() -> Iterator[RealRegistry]:
    """A registry that nobody used before this module."""
    require(why_no_program("docker-registry"))
    with RealRegistry() as running:
        yield running
