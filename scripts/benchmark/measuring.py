"""Running one command as whole processes, and what it used: time, processor, memory, disk."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WRAPPER = Path(__file__).with_name("run_measured.py")
_GRACE_SECONDS = 15
_SAMPLE_SECONDS = 0.05
_BLOCK = 512


class BrokenRun(Exception):
    """A command failed or did something else than it should: its time is no figure."""


@dataclass(frozen=True)
class Usage:
    """What one run used, or the medians of several.

    Attributes:
        wall: Seconds from its start to its end.
        cpu: User and system seconds of its processes.
        peak_bytes: Peak resident memory of its largest process.
        server_cpu: Seconds that engines and registries worked meanwhile.
        output_bytes: What lay in its output directory at the end.
        disk_peak_bytes: The most that lay there at any time; 0 where nobody looked.
    """

    wall: float
    cpu: float
    peak_bytes: int
    server_cpu: float = 0.0
    output_bytes: int = 0
    disk_peak_bytes: int = 0


def medians(runs: Sequence[Usage]) -> Usage:
    """Return the median of each figure by itself.

    Raises:
        ValueError: there is no run.
    """
    if not runs:
        raise ValueError("no run")

    def middle(figure: Callable[[Usage], float]) -> float:
        return statistics.median(figure(run) for run in runs)

    return Usage(
        middle(lambda run: run.wall),
        middle(lambda run: run.cpu),
        int(middle(lambda run: run.peak_bytes)),
        middle(lambda run: run.server_cpu),
        int(middle(lambda run: run.output_bytes)),
        int(middle(lambda run: run.disk_peak_bytes)),
    )


def run_measured(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Usage:
    """Run a command to its end; its output goes to ``log``.

    Raises:
        BrokenRun: it ended with another status than 0; the text has the end of its output.
    """
    report = log.with_suffix(".usage")
    report.unlink(missing_ok=True)
    with log.open("wb") as output:
        wrapper = subprocess.Popen(
            [sys.executable, "-S", "-E", str(_WRAPPER), str(report), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            # A group of its own, so that a pipeline can be ended as a whole.
            start_new_session=True,
        )
        try:
            wrapper.wait()
        except BaseException:
            _end_group(wrapper)
            raise
    said: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {}
    if said.get("status") != 0:
        tail = log.read_text(errors="replace")[-2000:]
        raise BrokenRun(f"exit status {said.get('status')}: {' '.join(command)}\n{tail}")
    return Usage(said["wall"], said["user"] + said["system"], said["peak_bytes"])


def _end_group(process: subprocess.Popen[bytes]) -> None:
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS if kind is signal.SIGTERM else None)


def disk_bytes(directory: Path) -> int:
    """Return what the files below a directory take on disk; one that goes meanwhile counts nothing."""
    total = 0
    for parent, _, files in os.walk(directory):
        for name in files:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_blocks * _BLOCK  # noqa: PTH118  (20 times a second)
    return total


class DiskPeak:
    """While entered, looks 20 times a second how much lies in a directory.

    Attributes:
        peak: the most that was seen, in bytes.
    """

    def __init__(self, directory: Path, sample: Callable[[Path], int] = disk_bytes) -> None:
        self.peak = 0
        self._directory = directory
        self._sample = sample
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> DiskPeak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            self._look()

    def _look(self) -> None:
        self.peak = max(self.peak, self._sample(self._directory))


def warm(paths: Sequence[Path]) -> None:
    """Read files, and all below directories, once, so that every side finds its inputs in the page cache."""
    for path in paths:
        found = (
            [path] if path.is_file() else [Path(top, name) for top, _, names in os.walk(path) for name in names]
        )
        for file in found:
            with contextlib.suppress(OSError), file.open("rb", buffering=0) as opened:
                while opened.read(1 << 20):
                    pass


def chill(paths: Sequence[Path]) -> None:
    """Drop files from the page cache; what is not yet on disk is written first."""
    os.sync()
    for path in paths:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
