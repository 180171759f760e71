from __future__ import annotations

import _thread
import threading
import time

import pytest

from bundler.destinations.workers import run_all
from bundler.errors import Interrupted, Refused


def test_results_come_in_the_order_of_the_actions() -> None:
    def action(number: int) -> int:
        time.sleep(0.01 * (5 - number))
        return number

    actions = [lambda n=n: action(n) for n in range(5)]
    assert run_all(actions, 3, threading.Event()) == [0, 1, 2, 3, 4]
    assert run_all([], 3, threading.Event()) == []


def test_no_more_than_the_given_number_run_at_once() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def action() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1

    run_all([action] * 9, 3, threading.Event())
    assert most == 3


def test_the_first_error_stops_the_rest() -> None:
    cancelled, begun = threading.Event(), []

    def fail() -> None:
        raise Refused("no")

    def wait() -> None:
        begun.append(1)
        assert cancelled.wait(10)
        raise Interrupted("noticed")

    started = time.monotonic()
    with pytest.raises(Refused, match="no"):
        run_all([wait, fail, wait, wait, wait], 2, cancelled)
    assert time.monotonic() - started < 5
    assert len(begun) <= 2


def test_somebody_else_cancels() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Interrupted):
        run_all([lambda: None], 2, cancelled)


def test_ctrl_c_does_not_wait_for_a_thread_that_hangs() -> None:
    release, cancelled = threading.Event(), threading.Event()
    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_all([lambda: release.wait(60)], 1, cancelled)
    assert time.monotonic() - started < 8
    assert cancelled.is_set()
    release.set()
    timer.join()
