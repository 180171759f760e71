"""Runs the command on hostile input: with little memory and time, in a place that is looked at after."""

from __future__ import annotations

import inspect
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundler import errors
from bundler.errors import AirbundleError

ROOT = Path(__file__).resolve().parents[2]
#: Address space, which is more than memory: threads and libraries reserve what they never touch.
_MOST_BYTES = 1536 << 20
_SECONDS = 60
_DECLARED = {
    kind.code: int(kind.exit_status)
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, AirbundleError) and kind is not AirbundleError
}


@dataclass(frozen=True)
class Ended:
    """How a run ended, and what it printed."""

    status: int
    stdout: str
    stderr: str

    @property
    def error(self) -> dict[str, Any]:
        """The JSON object on stderr of a run with ``--json``."""
        return dict(json.loads(self.stderr)["error"])


class Sandbox:
    """A directory with all that a run may see. Only what stands below ``out`` may be made by it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for name in ("home", "tmp", "work"):
            (path / name).mkdir(parents=True)
        self.out = path / "out"

    @property
    def work(self) -> Path:
        """Where the test puts its input."""
        return self.path / "work"

    def run(self, *arguments: object, seconds: float = _SECONDS, stdin: bytes | None = None) -> Ended:
        """Run ``airbundle``; prove that it ended in time, said why, and left nothing anywhere else."""
        before = self._listing()
        done = subprocess.run(
            [sys.executable, "-m", "bundler", *map(str, arguments)],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=seconds,
            cwd=self.path / "home",
            env=self._environment(),
            preexec_fn=_limit,
            check=False,
        )
        stdout, stderr = (
            done.stdout.decode("utf-8", "surrogateescape"),
            done.stderr.decode("utf-8", "surrogateescape"),
        )
        ended = Ended(done.returncode, stdout, stderr)
        assert "Traceback" not in stderr, ended
        assert ended.status in {0, *_DECLARED.values()}, ended
        assert self._listing() == before, "it left something outside of its output"
        assert_harmless(stdout)
        assert_harmless(stderr)
        return ended

    def refused(self, *arguments: object, statuses: tuple[int, ...], seconds: float = _SECONDS) -> dict[str, Any]:
        """Run it with ``--json``: it must fail with one of these statuses; return its declared error."""
        ended = self.run(*arguments, "--json", seconds=seconds)
        assert ended.status in statuses, ended
        error = ended.error
        assert _DECLARED[error["code"]] == ended.status == error["exit_status"]
        assert error["message"]
        assert error["advice"]
        assert len(error["message"]) < 5_000
        return error

    def final_names(self) -> list[str]:
        """Return what stands below ``out`` under a name that says that it is whole."""
        if not self.out.exists():
            return []
        return sorted(str(path) for path in self.out.rglob("*") if path.is_file() and path.suffix != ".partial")

    def _listing(self) -> list[tuple[str, int, int]]:
        found = []
        for path in sorted(self.path.rglob("*")):
            if path == self.out or self.out in path.parents:
                continue
            status = path.lstat()
            found.append((str(path), status.st_mode, 0 if path.is_dir() else status.st_size))
        return found

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(self.path / "home"),
            "TMPDIR": str(self.path / "tmp"),
            "LC_ALL": "C.UTF-8",
            # Nothing listens there: a run that gets so far says that it cannot reach its engine.
            "DOCKER_HOST": "tcp://127.0.0.1:1",
        }


def assert_harmless(text: str) -> None:
    """Prove that what was printed moves no cursor, forges no line, and hides nothing."""
    wrong = {char for char in text if not char.isprintable() and char != "\n"}
    assert not wrong, f"{wrong!r} in {text!r}"


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    signal.signal(signal.SIGINT, signal.default_int_handler)
