"""Streams, above all the one that verifies."""

from __future__ import annotations

import io

import pytest

from bundler.content.hashing import sha256
from bundler.content.streams import (
    BUFFER_BYTES,
    MemoryStream,
    StreamFile,
    VerifiedStream,
    read_all,
    read_exactly,
)
from bundler.errors import DamagedContent, Unreachable
from tests.fakes.streams import FailingStream, SlowStream, drain

DATA = bytes(range(256)) * 5


@pytest.mark.parametrize("data", [b"", b"x", DATA])
@pytest.mark.parametrize("step", [1, 7, 1 << 16])
def test_right_bytes_pass(data: bytes, step: int) -> None:
    assert drain(VerifiedStream(SlowStream(data, 3), len(data), sha256(data)), step) == data


@pytest.mark.parametrize(
    ("given", "message"),
    [(DATA[:-1], "truncated: 1 bytes are missing"), (b"", "truncated: 1280 bytes"), (DATA + b"x", "longer"),
     (DATA[:-1] + b"!", "its bytes hash to"), (b"!" + DATA[1:], "its bytes hash to")],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, 100, 1 << 16])
def test_other_bytes_do_not(given: bytes, message: str, step: int) -> None:
    stream = VerifiedStream(SlowStream(given, 50), len(DATA), sha256(DATA), "layer")
    with pytest.raises(DamagedContent, match=f"layer {sha256(DATA)} is .*{message}|{message}"):
        drain(stream, step)


@pytest.mark.parametrize("given", [DATA[:-1] + b"!", DATA + b"x"])
def test_the_last_bytes_are_not_handed_over_before_all_is_proven(given: bytes) -> None:
    stream = VerifiedStream(MemoryStream(given), len(DATA), sha256(DATA))
    buffer = memoryview(bytearray(len(DATA) - 1))
    assert stream.readinto(buffer) == len(DATA) - 1
    for _ in range(2):  # and it does not become right by asking again
        with pytest.raises(DamagedContent):
            stream.readinto(buffer)


def test_nothing_is_not_something() -> None:
    with pytest.raises(DamagedContent, match="hash to"):
        VerifiedStream(MemoryStream(b""), 0, sha256(b"x")).readinto(memoryview(bytearray(1)))
    with pytest.raises(DamagedContent, match="longer"):
        VerifiedStream(MemoryStream(b"x"), 0, sha256(b"")).readinto(memoryview(bytearray(1)))


def test_no_buffer_is_not_the_end() -> None:
    stream = VerifiedStream(MemoryStream(DATA), len(DATA), sha256(DATA))
    assert stream.readinto(memoryview(bytearray())) == 0
    assert drain(stream) == DATA


def test_the_end_may_be_asked_for_again() -> None:
    stream = VerifiedStream(MemoryStream(DATA), len(DATA), sha256(DATA))
    assert drain(stream) == DATA
    assert drain(stream) == b""


def test_errors_from_below_pass_and_closing_reaches_below() -> None:
    broken = VerifiedStream(FailingStream(DATA[:9], Unreachable("gone")), len(DATA), sha256(DATA))
    with pytest.raises(Unreachable):
        drain(broken)
    below = SlowStream(DATA)
    VerifiedStream(below, len(DATA), sha256(DATA)).close()
    assert below.closed == 1


@pytest.mark.parametrize(("size", "limit", "fits"), [(0, 0, True), (1, 0, False), (9, 9, True), (10, 9, False)])
def test_read_all_is_bounded(size: int, limit: int, fits: bool) -> None:
    stream = SlowStream(b"x" * size, 4)
    if fits:
        assert read_all(stream, limit) == b"x" * size
    else:
        with pytest.raises(DamagedContent, match=f"more than the {limit}"):
            read_all(stream, limit)


def test_read_all_takes_more_than_one_buffer() -> None:
    data = b"x" * (BUFFER_BYTES + 5)
    assert read_all(MemoryStream(data), len(data)) == data


@pytest.mark.parametrize("length", [0, 1, 1279, 1280, 1281])
def test_read_exactly_fills_as_far_as_there_is(length: int) -> None:
    buffer = bytearray(length)
    assert read_exactly(SlowStream(DATA, 7), memoryview(buffer)) == min(length, len(DATA))
    assert bytes(buffer[: len(DATA)]) == DATA[:length]


def test_a_stream_as_a_file() -> None:
    file = StreamFile(SlowStream(DATA, 100))
    assert file.read(10) == DATA[:10]
    assert file.read(1000) == DATA[10:1010]  # although the stream gives 100 at a time
    assert file.read() == DATA[1010:]
    assert file.read() == file.read(5) == b""
    assert StreamFile(MemoryStream(memoryview(DATA)[3:])).read() == io.BytesIO(DATA[3:]).read()
