"""Requests that are made before anybody reads what comes of them."""

from __future__ import annotations

import threading

import pytest

from bundler.content.streams import ByteStream, MemoryStream, StreamFile
from bundler.errors import NoSpace, NotFound
from bundler.transports.engine.exports import Exports


class Stream(MemoryStream):
    is_closed = False

    def close(self) -> None:
        self.is_closed = True


class Engine:
    """Saves the names that it is asked for, when it is let."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.failures: list[Exception] = []
        self.streams: list[Stream] = []
        self.may_answer = threading.Event()
        self.was_asked = threading.Event()

    def save(self, *names: str) -> ByteStream:
        self.asked.append(names)
        self.was_asked.set()
        assert self.may_answer.wait(30)
        if self.failures:
            raise self.failures.pop()
        self.streams.append(Stream(" ".join(names).encode()))
        return self.streams[-1]


@pytest.fixture
def engine() -> Engine:
    return Engine()


def _read(stream: ByteStream) -> bytes:
    return StreamFile(stream).read()


def test_what_was_begun_is_taken_and_not_asked_for_again(engine: Engine) -> None:
    exports = Exports(engine.save)
    exports.begin(["a", "b"])
    exports.begin(["a", "b"])
    assert engine.was_asked.wait(30), "the request is under way before anybody opens it"
    engine.may_answer.set()
    assert _read(exports.open(["a", "b"])) == b"a b"
    assert engine.asked == [("a", "b")]


def test_what_was_not_begun_is_asked_for(engine: Engine) -> None:
    engine.may_answer.set()
    exports = Exports(engine.save)
    assert _read(exports.open(["a"])) == b"a"
    assert _read(exports.open(["a"])) == b"a", "a stream is handed out once"
    assert engine.asked == [("a",), ("a",)]


def test_an_early_request_that_fails_counts_as_not_made(engine: Engine) -> None:
    engine.may_answer.set()
    engine.failures = [NoSpace("no room for two")]
    exports = Exports(engine.save)
    exports.begin(["a"])
    assert _read(exports.open(["a"])) == b"a"
    engine.failures = [NotFound("a is gone"), NotFound("a is gone")]
    exports.begin(["a"])
    with pytest.raises(NotFound):
        exports.open(["a"])


def test_what_nobody_took_is_closed_also_if_it_comes_later(engine: Engine) -> None:
    exports = Exports(engine.save)
    exports.begin(["a"])
    exports.close()
    exports.close()
    engine.may_answer.set()
    for _ in range(3000):
        if engine.streams and engine.streams[0].is_closed:
            break
        threading.Event().wait(0.01)
    assert engine.streams[0].is_closed


def test_several_are_prepared_beside_one_another(engine: Engine) -> None:
    exports = Exports(engine.save)
    assert exports.is_idle
    engine.may_answer.set()
    assert [_read(stream) for stream in exports.open_beside([["a"], ["b", "c"]])] == [b"a", b"b c"]
    assert exports.is_idle
    assert sorted(engine.asked) == [("a",), ("b", "c")]


@pytest.mark.parametrize("failing", ["a", "b"])
def test_if_one_of_several_fails_none_is_given(engine: Engine, failing: str) -> None:
    def save(*names: str) -> ByteStream:
        if names == (failing,):
            raise NoSpace("no room for two")
        return engine.save(*names)

    engine.may_answer.set()
    exports = Exports(save)
    assert exports.open_beside([["a"], ["b"]]) == []
    assert exports.is_idle
    for _ in range(3000):
        if engine.streams and engine.streams[0].is_closed:
            break
        threading.Event().wait(0.01)
    assert engine.streams[0].is_closed
