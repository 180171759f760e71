"""A source or a disk that is slow is waited for: that costs no processor time, and no memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundler.content.compression import Encoder
from bundler.content.hashing import sha256
from bundler.content.images import Content
from bundler.content.streams import BUFFER_BYTES, MemoryStream
from bundler.packing.pipeline.jobs import Job
from bundler.packing.pipeline.pipeline import Pipeline
from bundler.packing.writing.archive_writer import ArchiveWriter
from tests.builders import KIB, no_thread_is_left, noise
from tests.fakes.memory import CountingTask

_DATA = noise("slow", 96 * BUFFER_BYTES)
_PAUSE_SECONDS = 0.01
#: What waits to be written, the other buffers of the pipeline, and the jobs of a compressor, 8 MiB each.
_MOST_AHEAD = 72 * BUFFER_BYTES


class _Counted:
    """A stream that counts what it gave, and waits before it gives anything."""

    def __init__(self, pause: float) -> None:
        self._inner = MemoryStream(_DATA)
        self._pause = pause
        self.given = 0

    def readinto(self, buffer: memoryview) -> int:
        time.sleep(self._pause)
        count = self._inner.readinto(buffer[: 512 * KIB])
        self.given += count
        return count

    def close(self) -> None:
        pass


class _Run:
    def __init__(self, directory: Path) -> None:
        self.archive = ArchiveWriter(directory, "web", 0, 64 * KIB)
        self._pipeline = Pipeline(CountingTask(), 1)

    def pack(self, stream: _Counted, encoder: Encoder | None) -> None:
        digest = sha256(_DATA)
        if encoder is None:
            job = Job(self.archive, "a/b", digest=digest, size=len(_DATA))
        else:
            job = Job(self.archive, encoder.media_type, diff_id=digest, encoder=encoder)
        self._pipeline.add(job, Content(digest, len(_DATA), stream))
        assert len(self._pipeline.collect()) == 1

    def close(self) -> None:
        self._pipeline.abort()
        self.archive.abandon()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[_Run]:
    with no_thread_is_left():
        made = _Run(tmp_path)
        yield made
        made.close()


@contextmanager
def mostly_idle() -> Iterator[None]:
    """Fail if this process was at work for more than half of the time: on a busy machine it is so for less."""
    begun, used = time.monotonic(), time.process_time()
    yield
    assert time.process_time() - used < (time.monotonic() - begun) / 2


@pytest.mark.parametrize("encoder", [None, Encoder.choose("zstd")], ids=["kept", "compressed"])
def test_a_slow_source(run: _Run, encoder: Encoder | None) -> None:
    with mostly_idle():
        run.pack(_Counted(_PAUSE_SECONDS), encoder)


@pytest.mark.parametrize("encoder", [None, Encoder.choose("zstd")], ids=["kept", "compressed"])
def test_a_slow_disk(run: _Run, monkeypatch: pytest.MonkeyPatch, encoder: Encoder | None) -> None:
    stream, written, ahead = _Counted(0), 0, 0
    append: Callable[[bytes | memoryview], None] = run.archive.append

    def slowly(data: bytes | memoryview) -> None:
        nonlocal written, ahead
        time.sleep(_PAUSE_SECONDS * len(data) / (512 * KIB))
        append(data)
        written += len(data)
        ahead = max(ahead, stream.given - written)

    monkeypatch.setattr(run.archive, "append", slowly)
    with mostly_idle():
        run.pack(stream, encoder)
    assert ahead <= _MOST_AHEAD, "what is read waits in the buffers there are"
