"""Progress: bars on a terminal, lines elsewhere; never backwards, never past the end."""

from __future__ import annotations

import io
import re
import sys
import threading
import time
from collections.abc import Callable

import pytest

from bundler.cli import lines
from bundler.cli.bars import BarProgress, BarTask
from bundler.cli.console import Console
from bundler.cli.lines import LineProgress
from bundler.progress import SILENT, Task
from tests.builders import no_thread_is_left, wait_until


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal in place of stderr. No fixture: pytest puts its own back between setup and test."""
    fake = Terminal()
    monkeypatch.setattr(sys, "stderr", fake)
    monkeypatch.setenv("COLUMNS", "120")
    return fake


def console(*, quiet: bool = False) -> Console:
    return Console(as_json=False, quiet=quiet, verbose=False)


def test_which_one_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    a_terminal(monkeypatch)
    assert isinstance(console().progress, BarProgress)
    assert console(quiet=True).progress is SILENT
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(console().progress, LineProgress)
    monkeypatch.setattr(sys, "stderr", None)
    assert console().progress is SILENT


def percentages(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"(\d+)%\|", text)]


class TestBars:
    def test_a_bar_runs_from_0_to_100(self, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = a_terminal(monkeypatch)
        with BarProgress().task("pack", 1000) as task:
            task.describe("reading \x1b[2Jx")
            for _ in range(10):
                task.advance(100)
                _redraw(task)
        shown = percentages(terminal.getvalue())
        assert (shown[0], shown[-1]) == (0, 100)
        assert shown == sorted(shown)
        assert len(set(shown)) >= 10
        assert "\x1b[2J" not in terminal.getvalue()
        assert "pack:" in terminal.getvalue()

    def test_a_total_that_is_too_small_grows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = a_terminal(monkeypatch)
        with BarProgress().task("pack", 1000) as task:
            for _ in range(5):
                task.advance(400)
                _redraw(task)
        assert max(percentages(terminal.getvalue())) == 100
        assert "1.95k/1.95k" in terminal.getvalue()

    def test_an_upper_bound_ends_full(self, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = a_terminal(monkeypatch)
        with BarProgress().task("pack", 1000) as task:
            task.advance(300)
        assert percentages(terminal.getvalue())[-1] == 100

    def test_an_error_leaves_the_bar_where_it_was(self, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = a_terminal(monkeypatch)
        task = BarProgress().task("pack", 1000)
        task.advance(300)
        with pytest.raises(ValueError, match="x"), task:
            raise ValueError("x")
        assert percentages(terminal.getvalue())[-1] == 30

    def test_without_a_total(self, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = a_terminal(monkeypatch)
        with BarProgress().task("pack") as task:
            task.advance(300)
            task.expect(600)
            task.advance(300)
        assert percentages(terminal.getvalue())[-1] == 100

    def test_many_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = a_terminal(monkeypatch)
        with BarProgress().task("push", 8000) as task:
            _in_threads(lambda: _work(task))
            assert isinstance(task, BarTask)
            assert task._bar.n == 8000
        shown = percentages(terminal.getvalue())
        assert shown == sorted(shown)
        assert shown[-1] == 100

    def test_messages_stand_above(self, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = a_terminal(monkeypatch)
        progress = BarProgress()
        with progress.task("pack", 10):
            progress.message("the engine prepares\nairbundle: error: x")
        assert "the engine prepares\\nairbundle: error: x\n" in terminal.getvalue()


def _redraw(task: object) -> None:
    assert isinstance(task, BarTask)
    task._bar.refresh()


def _work(task: Task) -> None:
    for step in range(1000):
        task.advance(1)
        if step % 100 == 0:
            task.describe(f"step {step}")


def _in_threads(work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class TestLines:
    def test_one_line_at_the_end_of_what_is_quick(self, capsys: pytest.CaptureFixture[str]) -> None:
        with no_thread_is_left(), LineProgress().task("verify", 2048) as task:
            task.advance(2048)
        assert re.fullmatch(r"airbundle: verify: 2\.0 KiB in \d+\.\d s\n", capsys.readouterr().err)

    def test_a_line_every_few_seconds(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = [100.0]
        monkeypatch.setattr(time, "monotonic", lambda: clock[0])
        with LineProgress().task("pack", 4 << 20) as task:
            task.describe("reading\x1b[2J")
            for _ in range(12):
                clock[0] += 1
                task.advance(1 << 18)
        out = capsys.readouterr().err.splitlines()
        assert len(out) == 3
        assert "1.2 MiB of 4.0 MiB, 256.0 KiB/s, 11 s left, reading\\x1b[2J" in out[0]
        assert "2.5 MiB of 4.0 MiB" in out[1]
        assert ": 3.0 MiB in 12.0 s" in out[2]

    @pytest.mark.parametrize(
        ("total", "said"),
        [(1 << 30, "68 min left"), (6 * 1310720, "25 s left"), (1310720, ""), (1000, ""), (None, "")],
    )
    def test_the_time_that_is_left(
        self, total: int | None, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = [100.0]
        monkeypatch.setattr(time, "monotonic", lambda: clock[0])
        with LineProgress().task("copy", total) as task:
            clock[0] += 5
            task.advance(1310720)
        line = capsys.readouterr().err.splitlines()[0]
        assert said in line
        assert ("left" in line) == bool(said)

    def test_a_line_comes_also_while_no_byte_does(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lines, "_SECONDS", 0.05)
        seen: list[str] = []

        def has_come() -> bool:
            seen.append(capsys.readouterr().err)
            return "the engine is preparing" in "".join(seen)

        with no_thread_is_left(), LineProgress().task("pack") as task:
            task.describe("the engine is preparing the image")
            wait_until(has_come)
        assert "0 bytes" in "".join(seen)

    def test_never_past_the_end(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        clock = [100.0]
        monkeypatch.setattr(time, "monotonic", lambda: clock[0])
        with LineProgress().task("pack", 1024) as task:
            clock[0] += 6
            task.advance(4096)
        assert "4.0 KiB of 4.0 KiB" in capsys.readouterr().err

    def test_an_error_is_not_called_done(self, capsys: pytest.CaptureFixture[str]) -> None:
        with no_thread_is_left(), pytest.raises(ValueError, match="x"), LineProgress().task("pack"):
            raise ValueError("x")
        assert capsys.readouterr().err == ""

    def test_many_threads(self, capsys: pytest.CaptureFixture[str]) -> None:
        with LineProgress().task("push", 8000) as task:
            _in_threads(lambda: _work(task))
        assert ": 7.8 KiB in " in capsys.readouterr().err

    def test_messages(self, capsys: pytest.CaptureFixture[str]) -> None:
        LineProgress().message("hello\nthere")
        assert capsys.readouterr().err == "airbundle: hello\\nthere\n"

    def test_a_stderr_that_is_gone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Gone(io.StringIO):
            def write(self, text: str) -> int:
                raise BrokenPipeError

        monkeypatch.setattr(sys, "stderr", Gone())
        with LineProgress().task("push", 10) as task:
            task.advance(10)
        LineProgress().message("x")
