"""How long it takes until a command that does nothing is done."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmark.stage import Stage
from benchmark.table import Row, Skipped
from benchmark.turns import Side

_LEAST_ROUNDS = 11
_LONGEST = 0.2


def start(stage: Stage) -> Iterator[Row | Skipped]:
    """Start, say something, end."""
    options = ("--version", "--help")
    sides = [Side("python -c pass", lambda _: [sys.executable, "-c", "pass"])]
    sides += [Side(f"airbundle {option}", partial(_say, stage, option)) for option in options]
    turns = replace(stage.turns(), rounds=max(_LEAST_ROUNDS, stage.options.pairs), say=lambda _: None)
    python, *ours = turns.of(sides)
    for option, usage in zip(options, ours, strict=True):
        work = f"airbundle {option}"
        yield Row(
            work, "python -c pass", usage.wall, python.wall, goal=6, at_most=True,
            ours_usage=usage, theirs_usage=python,
        )  # fmt: skip
        yield Row(work, "200 ms", usage.wall, _LONGEST, goal=1, at_most=True)


def _say(stage: Stage, option: str, _: Path) -> Sequence[str]:
    return stage.airbundle(option)
