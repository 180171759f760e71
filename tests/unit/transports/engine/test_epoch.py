"""Unix time 0 as an engine writes it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from bundler.transports.engine.epoch import epoch_text

HERE = socket.gethostname()


@pytest.fixture
def zone() -> Iterator[Callable[[str], None]]:
    """Set the time zone of this process."""
    with pytest.MonkeyPatch.context() as patch:

        def change(name: str) -> None:
            patch.setenv("TZ", name)
            time.tzset()

        yield change
    time.tzset()


def now() -> str:
    return datetime.now().astimezone().isoformat()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("UTC", "1970-01-01T00:00:00Z"),
        ("Asia/Tokyo", "1970-01-01T09:00:00+09:00"),
        ("America/New_York", "1969-12-31T19:00:00-05:00"),
        ("Asia/Kolkata", "1970-01-01T05:30:00+05:30"),
        # All year, so that the offset of a winter's day does not tell.
        ("Europe/London", "1970-01-01T01:00:00+01:00"),
        ("Africa/Monrovia", None),  # 44 minutes and 30 seconds
    ],
)
def test_an_engine_on_this_machine(zone: Callable[[str], None], name: str, expected: str | None) -> None:
    zone(name)
    assert epoch_text(now(), HERE) == expected


def test_an_engine_elsewhere_or_with_another_clock(zone: Callable[[str], None]) -> None:
    zone("UTC")
    assert epoch_text("2026-11-30T10:00:00Z", HERE) is not None
    assert epoch_text("2026-11-30T10:00:00Z", f"not-{HERE}") is None
    assert epoch_text("2026-11-30T10:00:00+01:00", HERE) is None
    assert epoch_text("2026-11-30T10:00:00-01:00", HERE) is None


@pytest.mark.parametrize("text", ["", "now", "2026-11-30T10:00:00", "2026-11-30T10:00:00z"])
def test_no_time(zone: Callable[[str], None], text: str) -> None:
    zone("UTC")
    assert epoch_text(text, HERE) is None
