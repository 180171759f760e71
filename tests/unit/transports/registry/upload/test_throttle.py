from __future__ import annotations

import threading
import time

import pytest

from bundler.content.stopping import Stopping
from bundler.errors import Interrupted
from bundler.transports.registry.upload.throttle import Throttle
from tests.builders import wait_until


def test_it_halves_after_repeated_failures_and_grows_slowly() -> None:
    throttle, seen = Throttle(8), []
    for _ in range(12):
        throttle.failed()
        seen.append(throttle.allowed)
    assert seen == [8, 8, 4, 4, 4, 2, 2, 2, 1, 1, 1, 1]
    for _ in range(15):
        throttle.succeeded()
    assert throttle.allowed == 1
    throttle.succeeded()
    assert throttle.allowed == 2
    for _ in range(1000):
        throttle.succeeded()
    assert throttle.allowed == 8


def test_single_failures_change_nothing() -> None:
    throttle = Throttle(4)
    for _ in range(20):
        throttle.failed()
        throttle.failed()
        throttle.succeeded()
    assert throttle.allowed == 4


def test_only_so_many_run_and_others_wait() -> None:
    throttle, lock, running, most = Throttle(4), threading.Lock(), 0, 0
    for _ in range(3):
        throttle.failed()

    def work() -> None:
        nonlocal running, most
        with throttle.slot(Stopping()):
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.02)
            with lock:
                running -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_who_waits_hears_of_the_end() -> None:
    throttle, stopping, heard = Throttle(1), Stopping(), []

    def wait() -> None:
        with pytest.raises(Interrupted), throttle.slot(stopping):
            pass
        heard.append(1)

    with throttle.slot(stopping):
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.1)
        assert not heard
        stopping.ask()
        wait_until(lambda: bool(heard))
        thread.join()
