"""Every engine, for tests that hold for all of them."""

from __future__ import annotations

import importlib.util

from bundler.coding.engines import Engine
from bundler.coding.integers import Integers
from bundler.coding.vectors import Vectors
from tests.requirements import require

NAMES = ["python", "numpy"]


def why_no_numpy() -> str | None:
    return None if importlib.util.find_spec("numpy") else "not installed: numpy"


def engine_named(name: str) -> Engine:
    if name == Integers.name:
        return Integers()
    require(why_no_numpy())
    return Vectors()
