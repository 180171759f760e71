"""Whatever a name holds, no way in which it can be shown moves a cursor, forges a line or hides text."""

from __future__ import annotations

import io
import json
import sys

import pytest

from bundler.cli.bars import BarProgress
from bundler.cli.console import Console
from bundler.cli.lines import LineProgress, LineTask
from bundler.cli.text import printable
from bundler.errors import DamagedContent
from bundler.transports.engine.failures import clean as clean_engine
from bundler.transports.registry.words import clean as clean_registry
from tests.hostile.archives import NASTY
from tests.hostile.child import assert_harmless

_WORST = NASTY + "\ud800\x00\x7f\u0085\u2029\u2066\ufeff" + "\x1b]0;title\x07"


def test_every_shower_of_text() -> None:
    for show in (printable, clean_engine, clean_registry):
        shown = show(_WORST)
        assert_harmless(shown)
        assert "\n" not in shown
    assert printable(_WORST).encode("utf-8").isascii()


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("verbose", [False, True])
def test_errors(as_json: bool, verbose: bool, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(as_json=as_json, quiet=False, verbose=verbose)
    error = DamagedContent(f"the layer {_WORST} is bad", advice=f"Look at {_WORST}.")
    error.__cause__ = ValueError(_WORST)
    console.error(error)
    console.warn(_WORST)
    console.line(_WORST)
    console.document({_WORST: [_WORST]})
    out, err = capsys.readouterr()
    assert_harmless(out)
    assert_harmless(err)
    assert not any(line.startswith("airbundle: error: forged") for line in err.splitlines())
    if as_json:
        assert json.loads(err)["error"]["message"] == error.message
        assert json.loads(out) == {_WORST: [_WORST]}


def test_progress_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    progress = LineProgress()
    progress.message(_WORST)
    task = progress.task("load", 10)
    assert isinstance(task, LineTask)
    with task:
        task.describe(_WORST)
        task._due = 0.0
        task.advance(1)
    assert_harmless(capsys.readouterr().err)


def test_progress_in_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = BarProgress()
    with progress.task("load", 10) as task:
        task.describe(_WORST)
        task.advance(10)
    progress.message(_WORST)
    shown = terminal.getvalue()
    # A bar goes back to the start of its own line, and to the line above or below for others.
    for own in ("\r", "\x1b[A", "\x1b[K"):
        shown = shown.replace(own, "")
    assert "forged" in shown
    assert_harmless(shown)
