"""Whoever stops the whole stops each part; a part can be stopped alone."""

from __future__ import annotations

import pytest

from bundler.content.stopping import Stopping
from bundler.errors import Interrupted


def test_a_part_is_stopped_with_the_whole() -> None:
    whole = Stopping()
    part, inner = whole.child(), whole.child().child()
    part.before_beginning()
    whole.ask()
    with pytest.raises(Interrupted):
        part.before_beginning()
    with pytest.raises(Interrupted):
        part.wait(60)
    part.before_going_on()
    whole.cut()
    with pytest.raises(Interrupted):
        part.before_going_on()
    assert whole.child().asked
    del inner


def test_a_part_is_stopped_alone() -> None:
    whole = Stopping()
    part, other = whole.child(), whole.child()
    part.cut()
    assert part.asked
    assert not whole.asked
    assert not other.asked


def test_who_comes_after_the_end_is_told() -> None:
    whole = Stopping()
    whole.ask()
    late = whole.child()
    assert late.asked
    late.before_going_on()
    whole.cut()
    with pytest.raises(Interrupted):
        late.before_going_on()
