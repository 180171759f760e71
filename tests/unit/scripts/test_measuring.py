"""What a run used, and what is no figure."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest
from benchmark.measuring import BrokenRun, DiskPeak, Usage, disk_bytes, medians, run_measured

MIB = 1 << 20


def test_each_figure_has_its_own_median() -> None:
    runs = [Usage(1, 30, 5, 0.1, 7, 70), Usage(3, 10, 6, 0.3, 9, 90), Usage(2, 20, 4, 0.2, 8, 80)]
    assert medians(runs) == Usage(2, 20, 5, 0.2, 8, 80)


def test_of_an_even_number_the_middle_of_the_two_in_the_middle() -> None:
    assert medians([Usage(1, 0, 0), Usage(2, 0, 0), Usage(4, 0, 0), Usage(9, 0, 0)]).wall == 3


def test_no_run_has_no_median() -> None:
    with pytest.raises(ValueError, match="no run"):
        medians([])


def test_a_pipeline_is_measured_with_all_its_processes(tmp_path: Path) -> None:
    python = shlex.quote(sys.executable)
    grown = f"{python} -S -c 'x = bytearray({80 * MIB})' | {python} -S -c 'sum(range(2_000_000))'"
    usage = run_measured(["bash", "-c", grown], tmp_path / "log", os.environ)
    assert usage.wall > 0
    assert usage.cpu > 0
    # The largest, not the sum, and not what the test itself takes.
    assert 80 * MIB <= usage.peak_bytes < 150 * MIB


def test_the_memory_of_the_benchmark_is_not_counted(tmp_path: Path) -> None:
    held = bytearray(60 * MIB)
    assert run_measured(["true"], tmp_path / "log", os.environ).peak_bytes < 40 * MIB
    assert len(held) == 60 * MIB


@pytest.mark.parametrize("command", [["sh", "-c", "echo why >&2; exit 3"], ["/no/such/command"]])
def test_a_run_that_fails_is_no_figure(tmp_path: Path, command: list[str]) -> None:
    with pytest.raises(BrokenRun, match=r"exit status (3|127)"):
        run_measured(command, tmp_path / "log", os.environ)


def test_the_output_of_a_broken_run_is_shown(tmp_path: Path) -> None:
    with pytest.raises(BrokenRun, match="why it broke"):
        run_measured(["sh", "-c", "echo why it broke >&2; exit 3"], tmp_path / "log", os.environ)


def test_the_peak_is_the_most_that_was_seen(tmp_path: Path) -> None:
    sizes = iter([5, 40, 20])
    with DiskPeak(tmp_path, lambda _: next(sizes, 10)) as watched:
        while next_is_left(sizes):
            pass
    assert watched.peak == 40


def next_is_left(sizes: object) -> bool:
    return bool(getattr(sizes, "__length_hint__")())  # noqa: B009  (not declared for iterators)


def test_the_end_is_looked_at_too(tmp_path: Path) -> None:
    with DiskPeak(tmp_path) as watched:
        (tmp_path / "file").write_bytes(bytes(MIB))
        os.sync()
    assert watched.peak >= MIB


def test_disk_space_is_what_files_take_not_what_they_say(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(100 * MIB)
    assert disk_bytes(tmp_path) < MIB
