from __future__ import annotations

import _thread
import threading
import time

import pytest

from bundler.content.stopping import Stopping
from bundler.destinations.workers import run_all
from bundler.errors import Interrupted, Refused


def test_results_come_in_the_order_of_the_actions() -> None:
    def action(number: int) -> int:
        time.sleep(0.01 * (5 - number))
        return number

    actions = [lambda n=n: action(n) for n in range(5)]
    assert run_all(actions, 3, Stopping()) == [0, 1, 2, 3, 4]
    assert run_all([], 3, Stopping()) == []


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

    run_all([action] * 9, 3, Stopping())
    assert most == 3


def test_the_first_error_stops_the_rest() -> None:
    stopping, begun = Stopping(), []

    def fail() -> None:
        raise Refused("no")

    def wait() -> None:
        begun.append(1)
        stopping.wait(10)

    started = time.monotonic()
    with pytest.raises(Refused, match="no"):
        run_all([wait, fail, wait, wait, wait], 2, stopping)
    assert time.monotonic() - started < 5
    assert len(begun) <= 2


def test_somebody_else_cancels() -> None:
    stopping = Stopping()
    stopping.ask()
    with pytest.raises(Interrupted):
        run_all([lambda: None], 2, stopping)


def test_after_an_error_what_runs_may_end() -> None:
    begun, ended = threading.Event(), []

    def fail() -> None:
        begun.wait(10)
        raise Refused("no")

    def end() -> None:
        begun.set()
        time.sleep(0.5)
        ended.append(1)

    with pytest.raises(Refused):
        run_all([fail, end], 2, Stopping())
    assert ended == [1]


@pytest.mark.parametrize("seconds", [0.5, 60.0])
def test_ctrl_c_lets_what_runs_end_but_does_not_wait_for_ever(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    monkeypatch.setattr("bundler.destinations.workers._AFTER_INTERRUPT_SECONDS", 1.5)
    release, ended, stopping = threading.Event(), [], Stopping()

    def work() -> None:
        release.wait(seconds)
        ended.append(1)

    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_all([work, work], 1, stopping)
    assert time.monotonic() - started < 5
    assert stopping.asked
    assert len(ended) == (1 if seconds < 1 else 0)
    release.set()
    timer.join()


def test_what_hears_that_it_is_cut_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundler.destinations.workers._AFTER_INTERRUPT_SECONDS", 0.3)
    stopping, cut = Stopping(), []

    def work() -> None:
        try:
            while True:
                stopping.before_going_on()
                time.sleep(0.01)
        finally:
            cut.append(1)

    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run_all([work, work], 2, stopping)
    assert cut == [1, 1]
    timer.join()
