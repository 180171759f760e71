"""A blob is sent by one image at a time; who waits for it can be stopped."""

from __future__ import annotations

import threading

import pytest

from bundler.content.stopping import Stopping
from bundler.destinations.underway import Underway
from bundler.errors import Interrupted
from bundler.model.digest import Digest

_ONE, _TWO = (Digest.from_hex(letter * 64) for letter in "ab")


def test_one_waits_for_the_other() -> None:
    underway, order, entered = Underway(), [], threading.Event()

    def second() -> None:
        entered.set()
        with underway.alone(_ONE, Stopping()):
            order.append("second")

    thread = threading.Thread(target=second)
    with underway.alone(_ONE, Stopping()):
        thread.start()
        assert entered.wait(10)
        with underway.alone(_TWO, Stopping()):
            order.append("another blob")
        order.append("first")
    thread.join(10)
    assert order == ["another blob", "first", "second"]


def test_who_waits_can_be_stopped() -> None:
    underway, stopping = Underway(), Stopping()
    stopping.ask()
    with underway.alone(_ONE, stopping), pytest.raises(Interrupted), underway.alone(_ONE, stopping):
        raise AssertionError("two at once")
    with underway.alone(_ONE, stopping):
        pass


def test_an_error_lets_the_next_one_in() -> None:
    underway = Underway()
    with pytest.raises(ZeroDivisionError), underway.alone(_ONE, Stopping()):
        raise ZeroDivisionError
    with underway.alone(_ONE, Stopping()):
        pass
