"""Errors: cause and next step on stderr, or one JSON object; and the exit status of each class."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from bundler import errors
from bundler.cli.console import Console, describe_error
from bundler.cli.main import main
from bundler.cli.text import printable
from bundler.errors import AirbundleError, ConfigError, DamagedContent
from tests.builders import flip
from tests.unit.cli.conftest import Airbundle

CLASSES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AirbundleError)]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_ends_with_its_own_status(
    airbundle: Airbundle, monkeypatch: pytest.MonkeyPatch, kind: type[AirbundleError]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise kind("the cause")

    monkeypatch.setattr("bundler.bundle.reader.open_bundle", fail)
    said = airbundle("inspect", "x", status=kind.exit_status)
    assert said.out == ""
    assert said.err == f"airbundle: error: the cause\n  next: {kind.default_advice}\n"
    said = airbundle("inspect", "x", "--json", status=kind.exit_status)
    assert said.out == ""
    assert said.error == {
        "code": kind.code,
        "exit_status": int(kind.exit_status),
        "message": "the cause",
        "advice": kind.default_advice,
    }
    # Quiet is no reason to be silent about a failure.
    assert "the cause" in airbundle("inspect", "x", "--quiet", status=kind.exit_status).err


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["nonsense"], 2, "usage"),
        (["verify"], 2, "usage"),
        (["verify", "a", "b"], 2, "not-found"),
        (["push", "a"], 2, "usage"),
        (["extract", "a"], 2, "usage"),
        (["verify", "--nonsense", "a"], 2, "usage"),
        (["verify", "/nowhere"], 2, "not-found"),
        (["inspect", "/"], 6, "not-a-bundle"),
        (["pack", "-o", "out"], 2, "usage"),
        (["pack", "a=oci:/nowhere"], 2, "usage"),
        (["pack", "a=oci:/nowhere", "-o", "out"], 2, "not-found"),
        (["pack", "A=oci:/nowhere", "-o", "out"], 2, "config"),
        (["pack", "a=", "-o", "out"], 2, "invalid-reference"),
        (["pack", "one.yaml", "two.yaml", "-o", "out"], 2, "usage"),
        (["pack", "/nowhere.yaml", "-o", "out"], 2, "not-found"),
        (["pack", ".", "-o", "out"], 2, "config"),
        (["pack", "a=oci:x", "-o", "out", "--part-size", "1"], 2, "usage"),
        (["pack", "a=oci:x", "-o", "out", "--part-size", ""], 2, "usage"),
        (["pack", "a=oci:x", "-o", "out", "--compression", "lzma"], 2, "usage"),
        (["pack", "a=oci:x", "-o", "out", "--level", "20"], 2, "usage"),
        (["pack", "a=oci:x", "-o", "out", "--level", "0"], 2, "usage"),
        (["pack", "a=oci:x", "-o", "out", "--level", "high"], 2, "usage"),
        (["pack", "a=oci:x", "-o", "out", "--compression", "gzip", "--level", "10"], 2, "usage"),
        (["pack", "a=oci:x", "-o", "out", "--name", "two\nlines"], 2, "usage"),
        (["plan"], 2, "usage"),
        (["plan", "a=docker-archive:."], 2, "usage"),
    ],
)
def test_what_is_asked_wrongly(
    airbundle: Airbundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    code: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    said = airbundle(*arguments, status=status)
    assert said.err.startswith("airbundle: error: ")
    assert "  next: " in said.err
    assert "Traceback" not in said.err
    said = airbundle(*arguments, "--json", status=status)
    assert said.error["code"] == code
    assert said.error["message"]
    assert said.error["advice"]
    assert list(tmp_path.iterdir()) == []


def test_no_command_prints_the_help_and_says_so(airbundle: Airbundle) -> None:
    said = airbundle(status=2)
    assert "Near side" in said.out + said.err
    assert "airbundle: error: no command is named" in said.err


def test_a_config_that_does_not_parse_is_shown_line_by_line(airbundle: Airbundle, tmp_path: Path) -> None:
    path = tmp_path / "bundle.yaml"
    path.write_text("applications: [\nairbundle: error: forged\x1b[2J")
    said = airbundle("pack", path, "-o", tmp_path / "out", status=2)
    assert said.err.count("airbundle: error: ") == said.err.count("\nairbundle: error: ") + 1
    assert "\x1b" not in said.err
    assert all(line.startswith(("airbundle: error: ", "    ", "  next: ")) for line in said.err.splitlines())


def test_verbose_tells_the_cause(airbundle: Airbundle, tmp_path: Path) -> None:
    assert "cause:" not in airbundle("verify", tmp_path / "x" / "y", status=2).err
    path = tmp_path / "bundle.yaml"
    path.write_text("[")
    assert "  cause: " in airbundle("pack", path, "-o", tmp_path / "out", "--verbose", status=2).err


def test_a_bug_is_status_1_and_asks_to_be_reported(airbundle: Airbundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("bundler.bundle.reader.open_bundle", fail)
    said = airbundle("inspect", "x", status=1)
    assert "unexpected ZeroDivisionError: oops" in said.err
    assert "report" in said.err
    with pytest.raises(ZeroDivisionError):
        main(["inspect", "x", "--verbose"])


def test_an_interruption(airbundle: Airbundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bundler.bundle.reader.open_bundle", fail)
    said = airbundle("inspect", "x", "--json", status=130)
    assert said.error["code"] == "interrupted"


def test_an_error_as_a_value() -> None:
    error = ConfigError("message", advice="advice")
    assert json.loads(json.dumps(describe_error(error)))["error"]["advice"] == "advice"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 日本", "plain ü 日本"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x7f\x80\x9b", "\\x7f\\x80\\x9b"),
        ("\u202e\u2066\u200b\ufeff", "\\u202e\\u2066\\u200b\\ufeff"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\U000e0041"),
        ("", ""),
    ],
)
def test_control_characters_are_shown(text: str, shown: str) -> None:
    assert printable(text) == shown
    printable(text).encode()


def test_texts_of_many_lines_cannot_forge_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(as_json=False, quiet=False, verbose=True)
    error = DamagedContent("first\nairbundle: error: second\r\n\nlast", advice="do\nit")
    error.__cause__ = OSError("a\nb")
    console.error(error)
    console.warn("a\nairbundle: error: b")
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("airbundle: error: ")] == ["airbundle: error: first"]


# -- readers and listeners that go away ---------------------------------------------------------------------


@pytest.fixture
def closed_pipe() -> Iterator[IO[bytes]]:
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as file:
        yield file


def run(
    *arguments: object, stdout: IO[bytes] | None = None, stderr: IO[bytes] | None = None
) -> tuple[int, bytes, bytes]:
    command = [sys.executable, "-m", "bundler", *map(str, arguments)]
    process = subprocess.Popen(
        command,
        stdout=stdout or subprocess.PIPE,
        stderr=stderr or subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    out, err = process.communicate(timeout=60)
    return process.returncode, out or b"", err or b""


@pytest.mark.parametrize("flags", [[], ["--json"]], ids=["text", "json"])
def test_a_reader_that_goes_away_changes_no_verdict(
    bundle: Path, closed_pipe: IO[bytes], flags: list[str]
) -> None:
    flip(bundle / "shop.oci.tar.001", 0)
    status, _, err = run("verify", bundle, *flags, stdout=closed_pipe)
    assert status == 4
    assert b"Traceback" not in err
    assert b"BrokenPipe" not in err


def test_nobody_who_listens_stops_no_work(bundle: Path, closed_pipe: IO[bytes], tmp_path: Path) -> None:
    status, out, _ = run("verify", bundle, stderr=closed_pipe)
    assert (status, out[:6]) == (0, b"intact")
    status, _, _ = run("extract", bundle, tmp_path / "out", stderr=closed_pipe)
    assert status == 0
    assert (tmp_path / "out" / "index.json").exists()
    assert run("verify", tmp_path / "nowhere", stderr=closed_pipe)[0] == 2


def test_stderr_may_be_closed(bundle: Path) -> None:
    script = f'exec "{sys.executable}" -m bundler verify "{bundle}" 2>&-'
    found = subprocess.run(["sh", "-c", script], capture_output=True, cwd=Path(__file__).parents[3], timeout=60)
    assert found.returncode == 0
    assert found.stdout.startswith(b"intact")
