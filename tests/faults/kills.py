"""Kills a command with SIGKILL at random moments, and runs it again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_SECONDS = 120.0


@dataclass(frozen=True)
class Command:
    """A command line of airbundle, run from this checkout in a process of its own."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, *arguments: object, **environment: object) -> Command:
        """Make one of anything that has a text."""
        return cls(tuple(map(str, arguments)), {name: str(value) for name, value in environment.items()})

    def start(self) -> subprocess.Popen[bytes]:
        """Start it; its process group is its own, so that a kill hits nobody else."""
        return subprocess.Popen(
            [sys.executable, "-m", "bundler", *self.arguments],
            cwd=_ROOT,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def finish(self) -> dict[str, Any]:
        """Run it undisturbed, with ``--json`` among its arguments; return the document."""
        out, err = self.start().communicate(timeout=_SECONDS)
        assert out, err.decode()
        return dict(json.loads(out))

    def seconds(self) -> float:
        """Run it undisturbed, and return how long that took."""
        began = time.monotonic()
        self.finish()
        return time.monotonic() - began

    def kill_after(self, seconds: float) -> bool:
        """Start it and kill it after a time; tell whether it was still running."""
        process = self.start()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.communicate(timeout=_SECONDS)
        return process.returncode == -signal.SIGKILL


@dataclass
class Killer:
    """Kills at moments that are spread over the time that a command takes.

    Attributes:
        wanted: how many kills shall hit.
        done: how many did.
    """

    wanted: int
    seed: str
    done: int = 0

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._tried = 0
        self._pace = 1.0

    @property
    def goes_on(self) -> bool:
        """Whether more kills are wanted; a command that is always quicker than its killer proves nothing."""
        assert self._tried < 4 * self.wanted + 20, f"only {self.done} of {self._tried} kills hit"
        return self.done < self.wanted

    def kill(self, command: Command, seconds: float) -> bool:
        """Run the command and kill it one to three times, each time somewhere in its ``seconds``.

        Returns whether the last kill hit.
        """
        hit = False
        for _ in range(self._chance.choice((1, 1, 2, 3))):
            self._tried += 1
            # The beginning is the interpreter's; what is interesting comes behind it.
            hit = command.kill_after(self._chance.uniform(0.25, 1.0) * seconds * self._pace)
            self.done += hit
            # The undisturbed run may have been slow, on a machine that does other things beside.
            self._pace = min(self._pace * 1.05, 1.0) if hit else self._pace * 0.85
        return hit
