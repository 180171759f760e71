"""Every fuzz target holds for its own seeds, without the fuzzer: whole, cut short, and with junk behind."""

from __future__ import annotations

import pytest

from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_seeds(target: Target) -> None:
    assert target.seeds
    for seed in (b"", *target.seeds):
        for data in (seed, seed[: len(seed) // 2], seed[:-1], seed + b"\0junk\xff", seed + seed):
            target.check(data)
