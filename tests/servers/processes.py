"""Starting and stopping a server process: its output in a file, its end certain."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.servers import pidfiles


class ServerFailed(Exception):
    """A server did not start; the text has the end of its log."""


class ServerProcess:
    """One running server, on the list of :mod:`tests.servers.pidfiles` as long as it runs."""

    def __init__(
        self, command: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        """Start the command; its output goes to ``log`` in the directory, which the command line must name."""
        self.log = directory / "log"
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C at the terminal reaches the test run, which stops the server in order.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        pidfiles.record(self._process.pid, directory)

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Return when ``ready`` says so.

        Raises:
            ServerFailed: the process ended before, or the time is over. It is stopped after every exception.
        """
        deadline = time.monotonic() + seconds
        try:
            while not ready():
                if self._process.poll() is not None or time.monotonic() > deadline:
                    tail = self.log.read_text(errors="replace")[-2000:]
                    raise ServerFailed(f"{self._process.args!r} did not come up:\n{tail}")
                time.sleep(0.1)
        except BaseException:
            self.stop()
            raise

    def stop(self, patience: float = 20) -> None:
        """Ask the process to end, and end it when it has not after ``patience`` seconds."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        pidfiles.forget(self._process.pid)

    def kill(self) -> None:
        """End it at once, as a loss of power would."""
        self._process.kill()
        self._process.wait()
        pidfiles.forget(self._process.pid)


def kill_recorded(pid_file: Path, owner: Path) -> None:
    """End the process whose id is in a file, if it still is the one whose command line names ``owner``."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(pid_file.read_text())
        if os.fsencode(owner) in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
