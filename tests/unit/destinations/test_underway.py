"""A blob is sent for one image at a time, in the order in which they came; who waits can be stopped."""

from __future__ import annotations

import threading
import time

import pytest

from bundler.content.stopping import Stopping
from bundler.destinations.underway import Underway
from bundler.errors import Interrupted
from bundler.model.digest import Digest

_ONE, _TWO = (Digest.from_hex(letter * 64) for letter in "ab")


def _begin(underway: Underway, who: Stopping, order: list[str], said: str) -> threading.Thread:
    def run() -> None:
        with underway.alone(_ONE, who):
            order.append(said)
        underway.leave(who)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_one_waits_for_the_other() -> None:
    underway, order, me = Underway(), list[str](), Stopping()
    with underway.alone(_ONE, me):
        thread = _begin(underway, Stopping(), order, "second")
        with underway.alone(_TWO, me):
            order.append("another blob")
        order.append("first")
    thread.join(10)
    assert order == ["another blob", "first", "second"]


def test_who_was_announced_first_comes_first() -> None:
    underway, order = Underway(), list[str]()
    first, second, third = Stopping(), Stopping(), Stopping()
    for who in (first, second, third):
        underway.announce(who, [_ONE, _TWO])
    threads = [_begin(underway, third, order, "third")]
    time.sleep(0.1)
    threads.append(_begin(underway, first, order, "first"))
    # The second one does not come: it has failed.
    threads[1].join(10)
    assert order == ["first"]
    underway.leave(second)
    threads[0].join(10)
    assert order == ["first", "third"]


def test_who_waits_can_be_stopped() -> None:
    underway, one, two = Underway(), Stopping(), Stopping()
    two.ask()
    with underway.alone(_ONE, one), pytest.raises(Interrupted), underway.alone(_ONE, two):
        raise AssertionError("two at once")
    underway.leave(two)
    with underway.alone(_ONE, one):
        pass


def test_an_error_lets_the_next_one_in() -> None:
    underway = Underway()
    with pytest.raises(ZeroDivisionError), underway.alone(_ONE, Stopping()):
        raise ZeroDivisionError
    with underway.alone(_ONE, Stopping()):
        pass
