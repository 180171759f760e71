"""The command as a fixture, the applications it packs, and the table of what its runs used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.command import Airbundle
from tests.e2e.images import build_applications
from tests.e2e.measures import Measures
from tests.servers.engine import RealEngine

#: An address where no engine listens: a run that does not name an engine must not find one by chance.
_NO_ENGINE = "unix:///nonexistent/docker.sock"
_MEASURES = pytest.StashKey[Measures]()


@pytest.fixture
def airbundle(tmp_path: Path) -> Airbundle:
    """The installed command, with no engine unless ``with_environment(DOCKER_HOST=…)`` names one."""
    directory = tmp_path / "airbundle"
    directory.mkdir()
    return Airbundle(directory, {"DOCKER_HOST": _NO_ENGINE})


@pytest.fixture(scope="module")
def shared_airbundle(tmp_path_factory: pytest.TempPathFactory) -> Airbundle:
    """The same, for steps that several tests of a module look at."""
    return Airbundle(tmp_path_factory.mktemp("airbundle"), {"DOCKER_HOST": _NO_ENGINE})


@pytest.fixture(scope="session")
def applications(engine: RealEngine, tmp_path_factory: pytest.TempPathFactory) -> RealEngine:
    """The near engine, with the images of the applications shop and erp."""
    build_applications(engine, tmp_path_factory.mktemp("images"))
    return engine


@pytest.fixture(scope="session")
def measures(pytestconfig: pytest.Config) -> Measures:
    """The table of what runs used."""
    return pytestconfig.stash.setdefault(_MEASURES, Measures())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    if measured := config.stash.get(_MEASURES, None):
        terminalreporter.section("measured")
        for row in measured.rows:
            terminalreporter.line(row)
