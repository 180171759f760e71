from __future__ import annotations

import pytest

from bundler.coding.engines import Engine
from tests.unit.coding.engines import NAMES, engine_named


@pytest.fixture(params=NAMES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return engine_named(request.param)
