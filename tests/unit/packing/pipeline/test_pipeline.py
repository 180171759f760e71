"""The three threads: whatever fails in one of them, the caller hears what it was, and nothing waits for ever."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from bundler.bundle.manifest import Blob
from bundler.content.compression import Encoder
from bundler.content.hashing import ReadableBuffer, Sha256, sha256
from bundler.content.images import Content
from bundler.content.probe import LayerProbe
from bundler.content.streams import MemoryStream
from bundler.errors import AirbundleError, DamagedContent, NoSpace, Unreachable
from bundler.model import media_types
from bundler.model.digest import Digest
from bundler.model.limits import Limits
from bundler.packing.pipeline.jobs import Job
from bundler.packing.pipeline.pipeline import Pipeline
from bundler.packing.writing import cut_file
from bundler.packing.writing.archive_writer import ArchiveWriter
from bundler.packing.writing.recorder import NoRecorder
from tests.builders import KIB, layer, no_thread_is_left, noise, wait_until, within
from tests.fakes.memory import CountingTask, compress
from tests.fakes.streams import FailingStream, SlowStream

MIB = 1 << 20
SECONDS = 20


class Setting:
    """A pipeline, one archive, and jobs of every kind."""

    def __init__(self, directory: Path, workers: int = 1, limits: Limits | None = None) -> None:
        self.task = CountingTask()
        self.pipeline = Pipeline(self.task, workers, limits or Limits())
        self.archive = ArchiveWriter(directory, "web", 0, 64 * KIB)

    def close(self) -> None:
        within(SECONDS, self.pipeline.abort)
        within(SECONDS, self.archive.abandon)

    def as_it_is(self, data: bytes) -> Job:
        return Job(self.archive, "a/b", digest=sha256(data), size=len(data))

    def to_compress(self, data: bytes, algorithm: str = "zstd") -> Job:
        encoder = Encoder.choose(algorithm)
        return Job(self.archive, encoder.media_type, diff_id=sha256(data), encoder=encoder)

    def to_look_inside(self, stored: bytes, diff_id: Digest) -> Job:
        return Job(
            self.archive, media_types.OCI_LAYER_GZIP, sha256(stored), len(stored), diff_id, look_inside=True
        )


def content(data: bytes, size: int | None = None) -> Content:
    return Content(sha256(data), len(data) if size is None else size, SlowStream(data, 300_000))


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    with no_thread_is_left():
        made = Setting(tmp_path)
        yield made
        made.close()


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 5])
def test_blobs_of_every_kind(setting: Setting, tmp_path: Path, size: int) -> None:
    data = noise("data", size)
    stored = compress(data, "gzip")
    for job, given in (
        (setting.as_it_is(data), data),
        (setting.to_compress(data), data),
        (setting.to_compress(data, "gzip"), data),
        (setting.to_look_inside(stored, sha256(data)), stored),
    ):
        setting.pipeline.add(job, content(given))
    taken, packed, zipped, inside = setting.pipeline.collect()
    assert setting.pipeline.collect() == []
    within(SECONDS, setting.pipeline.finish)
    whole = setting.archive.finish(with_end_marker=True)
    raw = (tmp_path / "web.oci.tar").read_bytes()
    assert len(raw) == whole.size

    def bytes_of(blob: Blob) -> bytes:
        return raw[blob.offset : blob.offset + blob.size]

    assert bytes_of(taken) == data
    assert (taken.diff_id, taken.uncompressed_size, taken.encoder) == (None, None, None)
    assert bytes_of(packed) == compress(data, "zstd")
    assert bytes_of(zipped) == compress(data, "gzip")
    assert bytes_of(inside) == stored
    for blob in (packed, zipped, inside):
        assert (blob.diff_id, blob.uncompressed_size) == (sha256(data), size)
        assert blob.digest == sha256(bytes_of(blob))
    assert packed.encoder == Encoder.choose("zstd")
    assert inside.encoder is None
    assert setting.task.done == 3 * size + len(stored)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_number_of_workers_changes_no_byte(tmp_path: Path, workers: int) -> None:
    # Larger than one job of the library's threads at this level, so that several of them really take part.
    data = b"".join(noise(f"{number % 7}", 64 * KIB) for number in range(200))
    setting = Setting(tmp_path, workers)
    setting.pipeline.add(setting.to_compress(data), content(data))
    (blob,) = setting.pipeline.collect()
    setting.close()
    assert blob.digest == sha256(compress(data, "zstd"))


def fails(
    setting: Setting, job: Job, given: Content, kind: type[AirbundleError], match: str | None = None
) -> None:
    def work() -> None:
        setting.pipeline.add(job, given)
        setting.pipeline.collect()

    with pytest.raises(kind, match=match):
        within(SECONDS, work)


@pytest.mark.parametrize("size", [10, 5 * MIB], ids=["small", "more than the channels hold"])
class TestWhatTheSourceGives:
    def test_too_little(self, setting: Setting, size: int) -> None:
        data = noise("x", size)
        fails(setting, setting.as_it_is(data), content(data, size + 1), DamagedContent, "has not the")

    def test_too_much(self, setting: Setting, size: int) -> None:
        data = noise("x", size)
        fails(setting, setting.as_it_is(data), content(data, size - 1), DamagedContent, "has not the")

    def test_other_bytes(self, setting: Setting, size: int) -> None:
        job = setting.as_it_is(noise("x", size))
        fails(setting, job, content(noise("y", size)), DamagedContent, "damaged at its source")

    def test_another_layer_to_compress(self, setting: Setting, size: int) -> None:
        job = setting.to_compress(noise("x", size))
        fails(setting, job, content(noise("y", size)), DamagedContent, "does not hold what the image says")

    def test_a_layer_that_holds_something_else(self, setting: Setting, size: int) -> None:
        stored = compress(noise("x", size), "gzip")
        job = setting.to_look_inside(stored, sha256(b"else"))
        fails(setting, job, content(stored), DamagedContent, "does not hold what the image says")

    def test_a_layer_that_cannot_be_decompressed(self, setting: Setting, size: int) -> None:
        stored = noise("x", size)
        fails(setting, setting.to_look_inside(stored, sha256(b"")), content(stored), DamagedContent)

    def test_a_layer_with_something_behind_it(self, setting: Setting, size: int) -> None:
        stored = compress(noise("x", size), "gzip") + b"behind"
        fails(setting, setting.to_look_inside(stored, sha256(noise("x", size))), content(stored), DamagedContent)

    def test_a_source_that_breaks_off(self, setting: Setting, size: int) -> None:
        data = noise("x", size)
        broken = Content(sha256(data), size + 1, FailingStream(data, Unreachable("gone")))
        fails(setting, setting.as_it_is(data), broken, Unreachable, "gone")


def test_a_layer_that_unpacks_to_too_much(tmp_path: Path) -> None:
    with no_thread_is_left():
        setting = Setting(tmp_path, limits=Limits(layer_bytes=MIB))
        stored = compress(bytes(5 * MIB), "gzip")
        fails(setting, setting.to_look_inside(stored, sha256(bytes(5 * MIB))), content(stored), DamagedContent)
        setting.close()


def test_a_full_disk_in_the_third_thread(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    data = noise("x", 40 * MIB)
    monkeypatch.setattr(cut_file, "write_all", refuse)
    fails(setting, setting.as_it_is(data), content(data), NoSpace)
    # It stays broken; nobody may take what is there for whole.
    fails(setting, setting.as_it_is(b"x"), content(b"x"), NoSpace)


def test_a_compressor_that_fails_in_the_second_thread(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def compress(self, data: memoryview) -> Iterator[bytes]:
            raise DamagedContent("the compressor is out of order")

        def flush(self) -> Iterator[bytes]:
            return iter(())

    monkeypatch.setattr("bundler.packing.pipeline.transform.start_compressor", lambda *_: Broken())
    data = noise("x", 40 * MIB)
    fails(setting, setting.to_compress(data), content(data), DamagedContent, "out of order")


def test_the_first_error_is_the_one_that_is_told(setting: Setting) -> None:
    data = noise("x", 100)
    wrong = setting.as_it_is(data)
    setting.pipeline.add(wrong, content(noise("y", 100)))

    def add_more() -> None:
        for _ in range(99):
            setting.pipeline.add(setting.as_it_is(data), content(data))

    with pytest.raises(DamagedContent, match="damaged at its source"):
        within(SECONDS, add_more)


@pytest.mark.parametrize("stage", ["the writer", "the reader"])
def test_abort_while_a_stage_is_held_up(setting: Setting, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    gate, inside = threading.Event(), threading.Event()

    def hold(*_: object) -> int:
        inside.set()
        assert gate.wait(SECONDS)
        return 0

    data = noise("x", 40 * MIB)
    given = content(data)
    if stage == "the writer":
        monkeypatch.setattr(cut_file, "write_all", hold)
    else:
        given = Content(sha256(data), len(data), cast(MemoryStream, type("Held", (), {"readinto": hold})()))

    caught: list[BaseException] = []

    def add() -> None:
        try:
            setting.pipeline.add(setting.as_it_is(data), given)
        except BaseException as error:  # noqa: BLE001  # looked at below
            caught.append(error)

    adding = threading.Thread(target=add, daemon=True)
    adding.start()
    assert inside.wait(SECONDS)
    if stage == "the writer":
        # The channels are full: the caller waits for a free buffer, the second thread for room.
        wait_until(lambda: setting.task.done >= 6 * 300_000)
    aborting = threading.Thread(target=setting.pipeline.abort, daemon=True)
    aborting.start()
    gate.set()
    for thread in (aborting, adding):
        thread.join(SECONDS)
        assert not thread.is_alive()
    assert len(caught) == 1


def test_abort_when_nothing_was_begun_and_twice(setting: Setting) -> None:
    within(SECONDS, setting.pipeline.abort)
    within(SECONDS, setting.pipeline.abort)


def test_abort_with_a_probe_at_work(setting: Setting) -> None:
    stored = compress(noise("x", 3 * MIB), "gzip")
    broken = Content(sha256(stored), len(stored), FailingStream(stored[: 2 * MIB], Unreachable("gone")))
    fails(setting, setting.to_look_inside(stored, sha256(layer("x", 5))), broken, Unreachable)
    within(SECONDS, setting.pipeline.abort)


class _Held:
    """Probes whose ends nobody reaches before they are let, and what was looked at meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun: list[LayerProbe] = []
        self.gate = threading.Event()
        begin, finish = LayerProbe.__init__, LayerProbe.finish

        def noting(probe: LayerProbe, *args: Any, **options: Any) -> None:
            begin(probe, *args, **options)
            self.begun.append(probe)

        def holding(probe: LayerProbe) -> tuple[Digest, int]:
            assert self.gate.wait(SECONDS)
            return finish(probe)

        monkeypatch.setattr(LayerProbe, "__init__", noting)
        monkeypatch.setattr(LayerProbe, "finish", holding)


def test_while_one_layer_is_looked_at_the_next_one_is_begun(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = _Held(monkeypatch)
    layers = [noise(name, 3 * MIB) for name in "abc"]
    stored = [compress(layer, "gzip") for layer in layers]
    jobs = [
        (setting.to_look_inside(data, sha256(inside)), content(data))
        for data, inside in zip(stored, layers, strict=True)
    ]
    for job, given in jobs[:2]:
        within(SECONDS, partial(setting.pipeline.add, job, given))
    wait_until(lambda: len(held.begun) == 2)
    held.gate.set()
    within(SECONDS, partial(setting.pipeline.add, *jobs[2]))
    rows = setting.pipeline.collect()
    assert [row.diff_id for row in rows] == [sha256(layer) for layer in layers]
    assert [row.uncompressed_size for row in rows] == [3 * MIB] * 3


def test_nothing_is_recorded_behind_a_layer_that_turns_out_wrong(tmp_path: Path) -> None:
    class Journal(NoRecorder):
        def __init__(self) -> None:
            self.rows: list[Blob] = []

        def blob(self, row: Blob) -> None:
            self.rows.append(row)

    journal = Journal()
    with no_thread_is_left():
        archive = ArchiveWriter(tmp_path, "web", 0, 64 * KIB)
        pipeline = Pipeline(CountingTask(), 1, recorder=journal)
        wrong, right = (compress(noise(name, MIB), "gzip") for name in "ab")

        def job(stored: bytes, inside: bytes) -> Job:
            media_type = media_types.OCI_LAYER_GZIP
            return Job(archive, media_type, sha256(stored), len(stored), sha256(inside), look_inside=True)

        def work() -> None:
            pipeline.add(job(wrong, b"else"), content(wrong))
            pipeline.add(job(right, noise("b", MIB)), content(right))
            pipeline.collect()

        with pytest.raises(DamagedContent, match="does not hold what the image says"):
            within(SECONDS, work)
        within(SECONDS, pipeline.abort)
        archive.abandon()
    assert journal.rows == []


def test_abort_while_the_writer_waits_for_a_probe(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundler.packing.pipeline.pipeline._PATIENCE_SECONDS", 0.1)
    gate, inside = threading.Event(), threading.Event()
    update = Sha256.update

    def held(hashing: Sha256, data: ReadableBuffer) -> None:
        if threading.current_thread().name.startswith("layer-hash"):
            inside.set()
            gate.wait(SECONDS)
        update(hashing, data)

    monkeypatch.setattr(Sha256, "update", held)
    stored = compress(noise("x", 5 * MIB), "gzip")
    within(SECONDS, lambda: setting.pipeline.add(setting.to_look_inside(stored, sha256(b"")), content(stored)))
    assert inside.wait(SECONDS)
    aborting = threading.Thread(target=setting.pipeline.abort, daemon=True)
    aborting.start()
    gate.set()
    aborting.join(SECONDS)
    assert not aborting.is_alive()
