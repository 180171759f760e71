"""Sides run in turn, from the same state, and a wrong result is an error."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmark.measuring import BrokenRun
from benchmark.turns import Side, Turns


def side(name: str, log: list[str], check: Callable[[Path], None] = lambda _: None) -> Side:
    def command(output: Path) -> list[str]:
        log.append(f"{name} finds {len(list(output.iterdir()))}")
        return ["sh", "-c", f"head -c 100000 /dev/zero >{output}/file"]

    return Side(name, command, check, lambda _: log.append(f"before {name}"))


def turns(directory: Path, rounds: int = 2) -> Turns:
    return Turns(rounds, directory, os.environ, lambda _: None)


def test_sides_take_turns_and_find_an_empty_directory(tmp_path: Path) -> None:
    log: list[str] = []
    used = turns(tmp_path).of([side("a", log), side("b", log)], watch_disk=True)
    assert log == 2 * ["before a", "a finds 0", "before b", "b finds 0"]
    assert [usage.output_bytes >= 100_000 for usage in used] == [True, True]
    assert [usage.disk_peak_bytes >= 100_000 for usage in used] == [True, True]
    assert not (tmp_path / "out").exists()


def test_a_wrong_result_is_no_figure(tmp_path: Path) -> None:
    def check(output: Path) -> None:
        raise BrokenRun(f"{(output / 'file').stat().st_size} bytes")

    with pytest.raises(BrokenRun, match="100000 bytes"):
        turns(tmp_path).of([side("a", [], check)])
    assert not (tmp_path / "out").exists()


def test_the_time_of_servers_is_what_they_worked_during_the_run(tmp_path: Path) -> None:
    class Steady:
        seconds = 10.0

        def cpu_seconds(self) -> float:
            self.seconds += 2.0
            return self.seconds

    assert turns(tmp_path).of([side("a", [])], [Steady(), Steady()])[0].server_cpu == 4.0
