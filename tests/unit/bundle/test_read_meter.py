"""Whether a medium is fast is decided once, from its first bytes."""

from __future__ import annotations

import pytest

from bundler.bundle import read_meter
from bundler.bundle.read_meter import FAST_BYTES_PER_SECOND, SAMPLE_BYTES, ReadMeter

_BLOCK = SAMPLE_BYTES // 16


class Clock:
    """A clock that stands still but for what reading takes."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.mark.parametrize(("share", "is_fast"), [(0.5, True), (0.99, True), (1.01, False), (20.0, False)])
def test_the_rate_decides(share: float, is_fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, said = Clock(), list[bool]()
    monkeypatch.setattr(read_meter, "time", clock)
    meter = ReadMeter(said.append)
    for number in range(40):
        assert said == ([] if number < 16 else [is_fast])
        with meter.reading(_BLOCK):
            clock.now += share * _BLOCK / FAST_BYTES_PER_SECOND
        clock.now += 1.0  # what is between the reads does not count


def test_a_read_that_fails_is_not_counted() -> None:
    said = list[bool]()
    meter = ReadMeter(said.append)
    with pytest.raises(OSError, match="bad sector"), meter.reading(SAMPLE_BYTES):
        raise OSError("bad sector")
    assert not said
