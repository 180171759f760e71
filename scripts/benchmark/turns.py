"""Comparing one way of doing a work with others: every side in turn, round after round, medians of each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from benchmark.measuring import DiskPeak, Usage, disk_bytes, medians, run_measured


class Clock(Protocol):
    """A server that can say how long it has worked so far."""

    def cpu_seconds(self) -> float:
        """Return user and system seconds since its start."""


def _nothing(_: Path) -> None:
    pass


@dataclass(frozen=True)
class Side:
    """One way of doing a work.

    Attributes:
        name: What the table calls it.
        command: Gives the command; it may write below the directory that it is given, which is empty.
        check: Looks at the result; raises :class:`BrokenRun` where it is not what it should be.
        prepare: Brings about the state from which the command starts; not measured.
        goal: For a peer: its time divided by ours should be at least that. ``None``: no goal.
        note: For the last column of the table.
    """

    name: str
    command: Callable[[Path], Sequence[str]]
    check: Callable[[Path], None] = _nothing
    prepare: Callable[[Path], None] = _nothing
    goal: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Turns:
    """How sides are run.

    Attributes:
        rounds: How often each side runs.
        directory: For output and log; what is in it is removed between runs.
        environment: Of all commands.
        say: Told about each run.
    """

    rounds: int
    directory: Path
    environment: Mapping[str, str]
    say: Callable[[str], None]

    def of(
        self,
        sides: Sequence[Side],
        clocks: Sequence[Clock] = (),
        *,
        watch_disk: bool = False,
        settle: Callable[[], None] = os.sync,
    ) -> list[Usage]:
        """Run all sides in turn, ``rounds`` times; return the medians of each, in their order.

        Args:
            sides: What to run.
            clocks: The servers whose time counts to whoever runs.
            watch_disk: Sample what lies in the output directory.
            settle: Runs between ``prepare`` and the command.

        Raises:
            BrokenRun: one failed, or its result is not right.
        """
        runs: list[list[Usage]] = [[] for _ in sides]
        for turn in range(1, self.rounds + 1):
            for side, done in zip(sides, runs, strict=True):
                usage = self._once(side, clocks, settle, watch_disk=watch_disk)
                self.say(f"  round {turn}: {side.name}: {usage.wall:.2f} s, {usage.cpu:.1f} CPU s")
                done.append(usage)
        return [medians(done) for done in runs]

    def _once(self, side: Side, clocks: Sequence[Clock], settle: Callable[[], None], *, watch_disk: bool) -> Usage:
        output = self.directory / "out"
        try:
            output.mkdir()
            side.prepare(output)
            settle()
            before = sum(clock.cpu_seconds() for clock in clocks)
            # Sampling costs both sides the same little time; nobody pays for it where it is not asked for.
            watched = DiskPeak(output, disk_bytes if watch_disk else lambda _: 0)
            with watched:
                usage = run_measured(side.command(output), self.directory / "log", self.environment)
            usage = replace(
                usage,
                server_cpu=sum(clock.cpu_seconds() for clock in clocks) - before,
                output_bytes=disk_bytes(output),
                disk_peak_bytes=watched.peak,
            )
            side.check(output)
        finally:
            shutil.rmtree(output, ignore_errors=True)
            os.sync()
        return usage
