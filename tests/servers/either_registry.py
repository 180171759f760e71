"""One suite for two registries: the fake in this process, and the real one where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fakes.registry import FakeRegistry
from tests.requirements import require, why_no_program
from tests.servers.registry import PROGRAM, RealRegistry

#: For ``@pytest.fixture(params=KINDS)``.
KINDS = ["fake", pytest.param("real", marks=pytest.mark.registry)]

Registry = FakeRegistry | RealRegistry


@contextmanager
def serve(kind: str) -> Iterator[Registry]:
    """Run an empty registry of this kind."""
    if kind == "fake":
        with FakeRegistry() as fake:
            yield fake
    else:
        require(why_no_program(PROGRAM))
        with RealRegistry() as real:
            yield real
