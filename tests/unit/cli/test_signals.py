"""Ctrl-C and SIGTERM are never lost, and a second one does not wait."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# The handler of the first signal runs in the middle of work that takes its time to end, as a pipeline may.
_PROGRAM = """
import socket, sys, time
from bundler.cli.signals import interrupt_on_signals
interrupt_on_signals()
silent, _ = socket.socketpair()
try:
    print("ready", flush=True)
    silent.recv(1)
except KeyboardInterrupt:
    if sys.argv[1:]:
        print("ending", flush=True)
        time.sleep(60)
    sys.exit(7)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_a_thread_that_waits_for_a_silent_peer(number: signal.Signals) -> None:
    for _ in range(5):
        with _start() as process:
            process.send_signal(number)
            assert process.wait(timeout=10) == 7


def test_a_second_signal_ends_at_once() -> None:
    with _start("slow") as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == "ending\n"
        time.sleep(1.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130


def _start(*arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process
