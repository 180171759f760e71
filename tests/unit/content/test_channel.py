"""Queues between threads: in order, bounded, and never a thread that waits for ever."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from bundler.content.channel import Channel, ChannelClosed, PushedStream
from bundler.content.hashing import sha256
from bundler.content.probe import LayerProbe
from bundler.content.streams import BUFFER_BYTES
from bundler.errors import DamagedContent
from bundler.model.limits import Limits
from tests.fakes.memory import compress
from tests.fakes.streams import drain


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def finished(thread: threading.Thread) -> bool:
    thread.join(10)
    return not thread.is_alive()


def test_items_come_in_order_and_then_the_end() -> None:
    channel: Channel[int] = Channel(2)

    def fill() -> None:
        for number in range(100):
            channel.put(number)
        channel.end()

    thread = in_thread(fill)
    assert list(iter(channel.get, None)) == list(range(100))
    assert channel.get() is None
    assert finished(thread)


def test_a_full_channel_waits() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(1)
    waiting = in_thread(lambda: channel.put(2))
    waiting.join(0.05)
    assert waiting.is_alive()
    assert channel.get() == 1
    assert finished(waiting)
    assert channel.get() == 2


@pytest.mark.parametrize("side", ["put", "get"])
def test_breaking_off_wakes_whoever_waits(side: str) -> None:
    channel: Channel[int] = Channel(1)
    if side == "put":
        channel.put(1)
    outcome: list[BaseException] = []

    def wait() -> None:
        try:
            channel.put(2) if side == "put" else channel.get()
        except ChannelClosed as error:
            outcome.append(error)

    thread = in_thread(wait)
    channel.break_off()
    assert finished(thread)
    assert len(outcome) == 1
    with pytest.raises(ChannelClosed):
        channel.put(3)
    with pytest.raises(ChannelClosed):
        channel.get()


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_what_is_pushed_is_read(step: int) -> None:
    stream = PushedStream(capacity=2)

    def fill() -> None:
        for piece in (b"ab", b"", b"cdefg", b"", b"h"):
            stream.push(piece)
        stream.end()

    thread = in_thread(fill)
    assert drain(stream, step) == b"abcdefgh"
    assert drain(stream, step) == b""
    assert finished(thread)


def test_a_reader_that_gives_up_holds_nobody() -> None:
    stream = PushedStream(capacity=1)

    def fill() -> None:
        for _ in range(100):
            stream.push(b"x")

    thread = in_thread(fill)
    stream.close()
    assert finished(thread)
    assert drain(stream) == b""


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_a_probe_sees_through_the_compression(compression: str, step: int) -> None:
    layer = bytes(range(256)) * 20
    blob, probe = compress(layer, compression), LayerProbe(compression)
    for start in range(0, len(blob), step):
        probe.feed(blob[start : start + step])
    assert probe.finish() == (sha256(layer), len(layer))


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("buffers", [0, 1, 2, 3])
@pytest.mark.parametrize("more", [-1, 0, 1, 5000])
def test_a_probe_hashes_each_byte_once_and_in_order(compression: str, buffers: int, more: int) -> None:
    layer = random.Random(3).randbytes(max(buffers * BUFFER_BYTES + more, 0))
    blob, probe = compress(layer, compression), LayerProbe(compression)
    for start in range(0, len(blob), 300_000):
        probe.feed(blob[start : start + 300_000])
    assert probe.finish() == (sha256(layer), len(layer))


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_probe_reports_what_is_broken(compression: str) -> None:
    blob = compress(bytes(range(256)) * 20, compression)
    for damaged in (blob[:-1], blob + b"junk", b"junk", blob[: len(blob) // 2]):
        probe = LayerProbe(compression)
        probe.feed(damaged)
        with pytest.raises(DamagedContent):
            probe.finish()


def test_a_probe_stops_a_bomb_and_can_be_abandoned() -> None:
    probe = LayerProbe("gzip", Limits(layer_ratio=10))
    probe.feed(compress(bytes(40 << 20), "gzip"))
    with pytest.raises(DamagedContent):
        probe.finish()
    abandoned = LayerProbe("zstd")
    abandoned.feed(compress(b"x", "zstd"))
    abandoned.abandon()
