"""How long faults are looked for."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def kills(request: pytest.FixtureRequest) -> int:
    """How many times each of the four long commands is killed: 16, or 130 with ``--long``."""
    return 130 if request.config.getoption("--long") else 16
