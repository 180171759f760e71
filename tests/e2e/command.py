"""Runs the installed command as a user does, in a home of its own, and measures what it used."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

#: What the command may see of the environment of the test run: no proxies, no credentials, no other engine.
_INHERITED = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "COVERAGE_PROCESS_START")
_SAMPLE_SECONDS = 0.02


@dataclass(frozen=True)
class Result:
    """How one run of the command ended.

    Attributes:
        written: bytes given to ``write`` and its kin, by the command and its children, also to terminals and
            sockets: an upper bound of what reached files.
        dirtied: bytes of file pages that the run made dirty; file systems in memory are not counted.
        peak_bytes: most memory resident at once, as far as samples show it.
    """

    arguments: tuple[str, ...]
    status: int
    stdout: str
    stderr: str
    seconds: float
    written: int
    dirtied: int
    peak_bytes: int

    @property
    def json(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.stdout)

    @property
    def error(self) -> dict[str, Any]:
        """What ``--json`` says of a failure: one JSON object in the last line of standard error."""
        value = json.loads(self.stderr.strip().splitlines()[-1])["error"]
        assert value["exit_status"] == self.status, str(self)
        return dict(value)

    def __str__(self) -> str:
        return (
            f"airbundle {' '.join(self.arguments)}\nexit status {self.status}\n"
            f"--- stdout\n{self.stdout[-4000:]}\n--- stderr\n{self.stderr[-4000:]}"
        )


class Running:
    """A command that runs."""

    def __init__(self, arguments: tuple[str, ...], process: subprocess.Popen[bytes], home: Path) -> None:
        self._arguments = arguments
        self._process = process
        self._home = home
        self._started = time.monotonic()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    @property
    def ended(self) -> bool:
        """Whether it is over; its exit status is still to be fetched by :meth:`finish`."""
        options = os.WEXITED | os.WNOWAIT | os.WNOHANG
        return os.waitid(os.P_PID, self._process.pid, options) is not None

    @property
    def stderr(self) -> str:
        """What it wrote to standard error so far."""
        return (self._home / "stderr").read_text(errors="replace")

    def finish(self, timeout: float = 600) -> Result:
        """Wait for its end and check what holds for every run: no traceback, nothing left in TMPDIR.

        Raises:
            AssertionError: the run breaks one of these rules, or takes longer than ``timeout`` seconds.
        """
        peak = 0
        while not self.ended:
            peak = max(peak, self._resident())
            if time.monotonic() - self._started > timeout:
                self._process.kill()
            time.sleep(_SAMPLE_SECONDS)
        seconds = time.monotonic() - self._started
        # Once reaped, a process has no accounts any more: read them between its end and that.
        accounts = Path(f"/proc/{self._process.pid}/io").read_text()
        self._process.wait()
        result = Result(
            arguments=self._arguments,
            status=self._process.returncode,
            stdout=(self._home / "stdout").read_text(errors="replace"),
            stderr=self.stderr,
            seconds=seconds,
            written=_account(accounts, "wchar"),
            dirtied=_account(accounts, "write_bytes"),
            peak_bytes=peak,
        )
        assert seconds < timeout, f"not done after {timeout} s\n{result}"
        assert "Traceback (most recent call last)" not in result.stderr, str(result)
        left = sorted(str(path) for path in (self._home / "tmp").rglob("*"))
        assert not left, f"left in TMPDIR: {left}\n{result}"
        assert result.status == 0 or result.stderr.strip(), f"failed without a word\n{result}"
        return result

    def _resident(self) -> int:
        # Not from the accounts at the end: there a child that a large process forks begins with its parent's size.
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        match = re.search(r"^VmHWM:\s+([0-9]+) kB$", status, re.MULTILINE)
        return int(match[1]) * 1024 if match else 0


def _account(accounts: str, key: str) -> int:
    match = re.search(rf"^{key}: ([0-9]+)$", accounts, re.MULTILINE)
    assert match, accounts
    return int(match[1])


class Airbundle:
    """The command. Each run has a fresh TMPDIR; home and state are those of this object."""

    def __init__(self, directory: Path, environment: Mapping[str, str] | None = None) -> None:
        """Keep homes below ``directory``; ``environment`` is added to every run, such as DOCKER_HOST."""
        self._directory = directory
        self._environment = dict(environment or {})
        self._runs = 0

    def with_environment(self, **variables: str) -> Airbundle:
        """Return the command with more variables set, in a home of its own."""
        self._runs += 1
        directory = self._directory / f"variant{self._runs}"
        directory.mkdir()
        return Airbundle(directory, {**self._environment, **variables})

    def __call__(
        self,
        *arguments: object,
        status: int | None = 0,
        timeout: float = 600,
        stdin: IO[bytes] | int = subprocess.DEVNULL,
    ) -> Result:
        """Run it to its end.

        Args:
            arguments: What stands behind ``airbundle``.
            status: The exit status to expect; ``None`` for any.
            timeout: In seconds.
            stdin: What it gets as standard input.
        """
        with self.start(*arguments, stdin=stdin) as running:
            result = running.finish(timeout)
        assert status is None or result.status == status, f"expected exit status {status}\n{result}"
        return result

    @contextmanager
    def start(self, *arguments: object, stdin: IO[bytes] | int = subprocess.DEVNULL) -> Iterator[Running]:
        """Start it; it is killed if it still runs when the context ends."""
        self._runs += 1
        home = self._directory / f"run{self._runs}"
        (home / "tmp").mkdir(parents=True)
        words = tuple(str(argument) for argument in arguments)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # A shell starts its background jobs so, and every child would inherit it: deaf to Ctrl-C.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        with (home / "stdout").open("wb") as stdout, (home / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "bundler", *words],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=self._variables(home),
                cwd=home,
            )
        try:
            yield Running(words, process, home)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()

    def _variables(self, home: Path) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        if "PYTHONPATH" in kept:
            # The command runs in a directory of its own.
            kept["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, kept["PYTHONPATH"].split(os.pathsep)))
        own = {
            "HOME": str(self._directory / "home"),
            "XDG_STATE_HOME": str(self._directory / "state"),
            "TMPDIR": str(home / "tmp"),
            "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        (self._directory / "home").mkdir(exist_ok=True)
        return kept | own | self._environment
