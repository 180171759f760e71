"""Uploads: against both registries, and against the habits of proxies and of other registries."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bundler.content.hashing import Sha256
from bundler.content.images import BlobReader
from bundler.content.stopping import Stopping
from bundler.content.streams import ByteStream, read_all
from bundler.errors import DamagedContent, Interrupted, ProtocolError, Refused, Unreachable, UsageError
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.progress import SILENT
from bundler.transports.registry.blobs import has_blob, open_blob
from bundler.transports.registry.credentials import Credentials, fixed_credentials
from bundler.transports.registry.retries import NO_RETRIES, ConnectionLost
from bundler.transports.registry.upload.protocol import (
    cancel_upload,
    finish_upload,
    mount_blob,
    send_piece,
    start_upload,
)
from bundler.transports.registry.upload.saved import SavedUploads
from bundler.transports.registry.upload.uploader import Uploader
from bundler.transports.registry.wire import Body
from tests.fakes.memory import CountingTask, MemorySource
from tests.fakes.registry import FakeRegistry, Script
from tests.fakes.registry_doorman import Doorman, Reply
from tests.requirements import require, why_no_program
from tests.servers.either_registry import Registry
from tests.servers.fault_proxy import Cut, FaultProxy, ForgetUpload, LoseAnswer
from tests.servers.registry import RealRegistry
from tests.unit.transports.registry.clients import QUICK, Clients

KIB = 1 << 10
DATA = bytes(range(255)) * 3_000


@pytest.fixture
def memory() -> MemorySource:
    return MemorySource()


@pytest.mark.parametrize(
    "size",
    [0, 1, 2, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 64 * KIB + 2, 128 * KIB + 1, 200 * KIB],
)
def test_blobs_of_every_size_arrive(server: Registry, clients: Clients, memory: MemorySource, size: int) -> None:
    repository = clients.repository(server.address)
    blob = memory.store(DATA[:size], "a/b")
    task = CountingTask()
    Uploader(64 * KIB).upload(repository, blob, memory, task)
    assert task.done == size
    assert has_blob(repository, blob)
    stream = open_blob(repository, blob)
    assert read_all(stream, size) == DATA[:size]
    stream.close()


def test_pieces_are_announced_and_none_has_one_byte(
    fake: FakeRegistry, clients: Clients, memory: MemorySource
) -> None:
    blob = memory.store(DATA[: 128 * KIB + 1], "a/b")
    Uploader(64 * KIB).upload(clients.repository(fake.address), blob, memory, SILENT.task(""))
    assert [entry.headers["Content-Range"] for entry in fake.requests("PATCH")] == [
        "0-65535", "65536-131070", "131071-131072",
    ]  # fmt: skip
    assert all("Content-Length" in entry.headers for entry in fake.log if entry.method != "HEAD")


def test_a_small_blob_needs_two_requests(fake: FakeRegistry, clients: Clients, memory: MemorySource) -> None:
    blob = memory.store(b"small", "a/b")
    Uploader().upload(clients.repository(fake.address), blob, memory, SILENT.task(""))
    assert [entry.method for entry in fake.log] == ["POST", "PUT"]


def test_the_steps_by_themselves(server: Registry, clients: Clients) -> None:
    repository = clients.repository(server.address)
    state = start_upload(repository)
    assert state.offset == 0
    state = send_piece(repository, state, Body.of(DATA[:1000]))
    assert state.offset == 1000
    cancel_upload(repository, state)
    state = send_piece(repository, start_upload(repository), Body.of(b"ab"))
    assert state.offset == 2
    digest = Sha256()
    digest.update(b"abc")
    finish_upload(repository, state, digest.digest, Body.of(b"c"))
    assert has_blob(repository, Descriptor(media_type="a/b", digest=digest.digest, size=3))


def test_a_wrong_digest_is_the_registrys_to_refuse(server: Registry, clients: Clients) -> None:
    repository = clients.repository(server.address)
    with pytest.raises(Refused, match="DIGEST_INVALID"):
        finish_upload(repository, start_upload(repository), Digest.from_hex("1" * 64), Body.of(b"abc"))


def test_a_mount(server: Registry, clients: Clients, memory: MemorySource) -> None:
    blob = memory.store(DATA, "a/b")
    base, web = (clients.repository(server.address, name) for name in ("shop/base", "shop/web"))
    Uploader().upload(base, blob, memory, SILENT.task(""))
    assert mount_blob(web, blob.digest, "shop/base") is None
    assert has_blob(web, blob)


def test_a_mount_that_is_not_granted_is_an_upload(
    server: Registry, clients: Clients, memory: MemorySource
) -> None:
    blob = memory.store(DATA, "a/b")
    repository = clients.repository(server.address)
    state = mount_blob(repository, blob.digest, "no/such")
    assert state is not None
    Uploader().upload(repository, blob, memory, SILENT.task(""), begin=lambda: state)
    assert has_blob(repository, blob)


@pytest.mark.parametrize("largest", [64 * KIB, 100_000, 300_000])
def test_pieces_become_smaller_where_a_proxy_wants_that(
    fake: FakeRegistry, clients: Clients, memory: MemorySource, largest: int
) -> None:
    fake.quirks.largest_request = largest
    blobs = [memory.store(DATA[n:], "a/b") for n in range(2)]
    uploader, repository, task = Uploader(16 << 20), clients.repository(fake.address), CountingTask()
    uploader.upload(repository, blobs[0], memory, task)
    assert task.done == len(DATA)
    assert len(fake.store.uploads) == 0
    assert len(fake.requests("POST")) == 1
    refused = len([entry for entry in fake.log if entry.method in ("PATCH", "PUT") and not entry.received])
    # What was learnt is remembered.
    uploader.upload(repository, blobs[1], memory, task)
    assert (
        len([entry for entry in fake.log if entry.method in ("PATCH", "PUT") and not entry.received])
        == refused + 1
    )
    assert uploader.pieces.usual <= largest


def test_a_proxy_that_takes_next_to_nothing_is_given_up(
    fake: FakeRegistry, clients: Clients, memory: MemorySource
) -> None:
    fake.quirks.largest_request = 1000
    with pytest.raises(Refused, match="413") as caught:
        Uploader().upload(clients.repository(fake.address), memory.store(DATA, "a/b"), memory, SILENT.task(""))
    assert "proxy" in caught.value.advice
    assert not fake.store.uploads


@pytest.mark.parametrize("location", ["relative", "inner", "absolute"])
def test_locations_of_every_kind(
    fake: FakeRegistry, clients: Clients, memory: MemorySource, location: str
) -> None:
    fake.quirks.location = location
    repository, blob = clients.repository(fake.address), memory.store(DATA, "a/b")
    Uploader(64 * KIB).upload(repository, blob, memory, SILENT.task(""))
    assert has_blob(repository, blob)


def test_a_piece_that_was_taken_in_part_is_gone_on_with(
    fake: FakeRegistry, clients: Clients, memory: MemorySource
) -> None:
    fake.quirks.short_piece = 1000
    repository, blob, task = clients.repository(fake.address), memory.store(DATA, "a/b"), CountingTask()
    with pytest.raises(ProtocolError):
        # The last bytes never arrive: no progress is an error, not a loop.
        Uploader(64 * KIB).upload(repository, blob, memory, task)
    assert task.done <= len(DATA)
    held = max(map(len, fake.store.uploads.values()))
    assert len(DATA) - 1001 <= held < len(DATA)


@pytest.mark.parametrize("said", ["0-0", "0-99999999", "0-5"])
def test_a_registry_that_counts_wrongly(
    fake: FakeRegistry, clients: Clients, memory: MemorySource, said: str
) -> None:
    repository = clients.repository(fake.address)
    state = send_piece(repository, start_upload(repository), Body.of(b"0123456789"))
    fake.quirks.scripts["PATCH"] = Script(202, b"", {"Range": said, "Location": state.location})
    with pytest.raises(ProtocolError):
        send_piece(repository, state, Body.of(b"0123456789"))


def test_an_answer_without_location(fake: FakeRegistry, clients: Clients) -> None:
    fake.quirks.scripts["POST"] = Script(202)
    with pytest.raises(ProtocolError, match="Location"):
        start_upload(clients.repository(fake.address))


class _Forgetful(Doorman):
    """Forgets every token when the first piece comes."""

    forgot = False

    def refuse(self, method: str, path: str, headers: Mapping[str, str], address: str) -> Reply | None:
        if method == "PATCH" and not self.forgot:
            self.forgot = True
            self.issued.clear()
        return super().refuse(method, path, headers, address)


def test_a_token_that_ends_in_the_middle_costs_a_repetition(clients: Clients, memory: MemorySource) -> None:
    doorman = _Forgetful(tokens=True, identity_token="t")
    with FakeRegistry(doorman=doorman) as fake:
        finder = fixed_credentials(Credentials(identity_token="t"))
        repository = clients.repository(fake.address, credentials=finder)
        blob, task = memory.store(DATA, "a/b"), CountingTask()
        Uploader(256 * KIB).upload(repository, blob, memory, task)
        assert doorman.forgot
        assert has_blob(repository, blob)
        assert task.done == blob.size


def test_a_damaged_blob_leaves_nothing(server: Registry, clients: Clients, memory: MemorySource) -> None:
    repository = clients.repository(server.address)
    blob = memory.store(DATA, "a/b")
    memory.blobs[blob.digest] = DATA[:-1] + b"!"
    with pytest.raises(DamagedContent):
        Uploader(64 * KIB).upload(repository, blob, memory, SILENT.task(""))
    assert not has_blob(repository, blob)
    if isinstance(server, FakeRegistry):
        assert not server.store.uploads


def test_damage_is_told_from_refusal_when_reading_was_begun_anew(
    fake: FakeRegistry, clients: Clients, memory: MemorySource
) -> None:
    """After a 413 a blob is read on from the middle, where only its digest at the registry shows damage."""
    repository = clients.repository(fake.address)
    blob = memory.store(DATA, "a/b")
    memory.blobs[blob.digest] = DATA[:-1] + b"!"
    state = send_piece(repository, start_upload(repository), Body.of(DATA[:1000]))
    with pytest.raises(DamagedContent):
        Uploader().upload(repository, blob, memory, SILENT.task(""), begin=lambda: state)


def test_an_upload_that_was_begun_elsewhere_goes_on(
    server: Registry, clients: Clients, memory: MemorySource
) -> None:
    repository, task = clients.repository(server.address), CountingTask()
    blob = memory.store(DATA, "a/b")
    state = send_piece(repository, start_upload(repository), Body.of(DATA[:100_000]))
    Uploader(200 * KIB).upload(repository, blob, memory, task, begin=lambda: state)
    assert has_blob(repository, blob)
    assert task.done == blob.size


def test_a_cancelled_upload_stops(fake: FakeRegistry, clients: Clients, memory: MemorySource) -> None:
    stopping = Stopping()
    stopping.ask()
    with pytest.raises(Interrupted):
        Uploader().upload(
            clients.repository(fake.address),
            memory.store(DATA, "a/b"),
            memory,
            SILENT.task(""),
            stopping=stopping,
        )


def test_a_registry_that_goes_away(fake: FakeRegistry, clients: Clients, memory: MemorySource) -> None:
    fake.quirks.scripts["PUT"] = Script(500, b"gone")
    with pytest.raises(Unreachable):
        Uploader().upload(clients.repository(fake.address), memory.store(DATA, "a/b"), memory, SILENT.task(""))


def test_pieces_have_a_least_size() -> None:
    with pytest.raises(UsageError):
        Uploader(1000)


class _Zeros:
    """A blob that would not fit into memory twice."""

    def __init__(self, left: int) -> None:
        self._left = left

    def readinto(self, buffer: memoryview) -> int:
        count = min(len(buffer), self._left)
        buffer[:count] = bytes(count)
        self._left -= count
        return count

    def close(self) -> None:
        pass


class _ZerosReader:
    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
        return _Zeros(descriptor.size - offset)


@pytest.fixture
def real() -> Iterator[RealRegistry]:
    require(why_no_program("docker-registry"))
    with RealRegistry() as running:
        yield running


@pytest.mark.registry
def test_memory_does_not_grow_with_the_blob(real: RealRegistry, clients: Clients) -> None:
    size, digest = 192 << 20, Sha256()
    for _ in range(192):
        digest.update(bytes(1 << 20))
    blob, reader = Descriptor(media_type="a/b", digest=digest.digest, size=size), _ZerosReader()
    _check: BlobReader = reader
    repository = clients.repository(real.address)
    tracemalloc.start()
    try:
        Uploader().upload(repository, blob, reader, SILENT.task(""))
        stream, buffer = open_blob(repository, blob), memoryview(bytearray(1 << 20))
        while stream.readinto(buffer):
            pass
        stream.close()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20


# -- cut, lost, gone on with --------------------------------------------------------------------------------------


class Cutting:
    """A blob whose reading stops once, or always, at some byte, as a connection would break there."""

    def __init__(self, memory: MemorySource, at: int, times: int = 1) -> None:
        self._memory = memory
        self._at = at
        self.times = times

    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
        return _CuttingStream(self._memory.open_blob(descriptor, offset), self, offset, self._at)


class _CuttingStream:
    def __init__(self, stream: ByteStream, owner: Cutting, position: int, at: int) -> None:
        self._stream = stream
        self._owner = owner
        self._position = position
        self._at = at

    def readinto(self, buffer: memoryview) -> int:
        if self._position >= self._at and self._owner.times:
            self._owner.times -= 1
            raise ConnectionLost("cut")
        count = self._stream.readinto(buffer)
        self._position += count
        return count

    def close(self) -> None:
        self._stream.close()


@pytest.mark.parametrize("keeps_cut", [True, False])
def test_after_a_cut_it_goes_on_as_far_as_the_registry_kept_it(
    fake: FakeRegistry, clients: Clients, memory: MemorySource, keeps_cut: bool
) -> None:
    fake.quirks.keeps_cut = keeps_cut
    repository, blob, task = clients.repository(fake.address), memory.store(DATA, "a/b"), CountingTask()
    sent = Uploader(256 * KIB).upload(repository, blob, Cutting(memory, 600 * KIB), task)
    assert fake.store.blobs[blob.digest] == DATA
    assert task.done == len(DATA)
    assert len(fake.requests("POST")) == (1 if keeps_cut else 2)
    assert sent.sent == len(DATA) + sent.again
    assert sent.kept == 0
    if keeps_cut:
        assert sent.again <= 256 * KIB
    else:
        assert 512 * KIB < sent.again <= len(DATA)


def test_pieces_shrink_until_they_pass(fake: FakeRegistry, clients: Clients, memory: MemorySource) -> None:
    """Every connection breaks after 200 KiB, on a registry that loses what was cut."""
    with FaultProxy(fake.address) as proxy:
        proxy.cut_every = 200 * KIB
        repository, blob = clients.repository(proxy.address), memory.store(DATA * 3, "a/b")
        uploader = Uploader()
        uploader.upload(repository, blob, memory, SILENT.task(""))
    assert fake.store.blobs[blob.digest] == DATA * 3
    assert uploader.pieces.usual <= 200 * KIB


def test_an_answer_that_is_lost_costs_nothing(fake: FakeRegistry, clients: Clients, memory: MemorySource) -> None:
    for method in ("PATCH", "PUT"):
        with FaultProxy(fake.address) as proxy:
            proxy.plan(f"{method} .*/blobs/uploads", LoseAnswer())
            fake.quirks.keeps_cut = True
            blob = memory.store(method.encode() + DATA, "a/b")
            sent = Uploader(256 * KIB).upload(clients.repository(proxy.address), blob, memory, SILENT.task(""))
            assert blob.digest in fake.store.blobs
            assert sent.sent == blob.size


def test_a_registry_that_always_forgets_is_given_up(
    fake: FakeRegistry, clients: Clients, memory: MemorySource
) -> None:
    repository, blob = clients.repository(fake.address), memory.store(DATA, "a/b")
    reader = Cutting(memory, 300 * KIB, times=1000)
    with pytest.raises(ConnectionLost):
        Uploader(256 * KIB).upload(repository, blob, reader, SILENT.task(""))
    assert len(fake.requests("POST")) <= 2 * QUICK.tries


def test_the_registrys_least_piece_is_obeyed(fake: FakeRegistry, clients: Clients, memory: MemorySource) -> None:
    fake.quirks.least_piece = 200 * KIB
    repository, blob = clients.repository(fake.address), memory.store(DATA, "a/b")
    Uploader(64 * KIB).upload(repository, blob, memory, SILENT.task(""))
    assert [int(entry.headers["Content-Length"]) for entry in fake.requests("PATCH")] == [200 * KIB] * 3
    assert fake.store.blobs[blob.digest] == DATA


@pytest.mark.parametrize("status", [405, 501, 400])
def test_a_registry_without_pieces_gets_one(
    fake: FakeRegistry, clients: Clients, memory: MemorySource, status: int
) -> None:
    fake.quirks.no_pieces = status
    uploader, repository = Uploader(64 * KIB), clients.repository(fake.address)
    for number in range(2):
        blob = memory.store(DATA[number:], "a/b")
        uploader.upload(repository, blob, memory, SILENT.task(""))
        assert fake.store.blobs[blob.digest] == DATA[number:]
    # It is tried once, not once for each blob.
    assert len(fake.requests("PATCH")) == 1


def test_a_registry_that_knows_nothing_of_pieces_gets_one(
    fake: FakeRegistry, clients: Clients, memory: MemorySource
) -> None:
    """It answers PATCH as it answers every path that it does not know."""
    fake.quirks.scripts["PATCH"] = Script(404, b"404 page not found")
    uploader, repository = Uploader(64 * KIB), clients.repository(fake.address)
    for number in range(2):
        blob = memory.store(DATA[number:], "a/b")
        uploader.upload(repository, blob, memory, SILENT.task(""))
        assert fake.store.blobs[blob.digest] == DATA[number:]
    assert len(fake.requests("PATCH")) == 1


def test_a_registry_that_took_pieces_and_forgets_an_upload_gets_pieces_again(
    fake: FakeRegistry, clients: Clients, memory: MemorySource
) -> None:
    uploader, repository = Uploader(64 * KIB), clients.repository(fake.address)
    uploader.upload(repository, memory.store(DATA, "a/b"), memory, SILENT.task(""))
    fake.log.clear()
    fake.quirks.scripts["PATCH"] = Script(404, uses=1)
    uploader.upload(repository, memory.store(DATA[1:], "a/b"), memory, SILENT.task(""))
    assert len(fake.requests("PATCH")) == 1 + len(DATA) // (64 * KIB) + 1


def test_what_to_do_about_connections_that_always_break_is_said(
    fake: FakeRegistry, clients: Clients, memory: MemorySource
) -> None:
    with FaultProxy(fake.address) as proxy:
        proxy.plan("PATCH|PUT", Cut(50_000), times=1000)
        with pytest.raises(ConnectionLost) as caught:
            Uploader().upload(
                clients.repository(proxy.address), memory.store(DATA * 3, "a/b"), memory, SILENT.task("")
            )
    assert "--chunk-size" in caught.value.advice


def test_as_long_as_other_blobs_arrive_tries_are_not_used_up(
    fake: FakeRegistry, clients: Clients, memory: MemorySource
) -> None:
    uploader, repository = Uploader(), clients.repository(fake.address)
    blob, others, tries = memory.store(b"late", "a/b"), iter(range(100)), 20

    class Helpful:
        """Sends another blob each time this one is about to fail."""

        def __init__(self) -> None:
            self.left = tries

        def open_blob(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
            self.left -= 1
            if self.left < 0:
                return memory.open_blob(descriptor, offset)
            other = memory.store(f"other {next(others)}".encode(), "a/b")
            uploader.upload(repository, other, memory, SILENT.task(""))
            raise ConnectionLost("cut")

    assert tries > QUICK.tries
    uploader.upload(repository, blob, Helpful(), SILENT.task(""))
    assert fake.store.blobs[blob.digest] == b"late"


def test_a_forgotten_upload_is_begun_anew(fake: FakeRegistry, clients: Clients, memory: MemorySource) -> None:
    with FaultProxy(fake.address) as proxy:
        proxy.plan("PATCH", ForgetUpload(fake), skip=1)
        blob = memory.store(DATA, "a/b")
        sent = Uploader(256 * KIB).upload(clients.repository(proxy.address), blob, memory, SILENT.task(""))
        assert fake.store.blobs[blob.digest] == DATA
        assert sent.again <= 512 * KIB


# -- from one run to the next -------------------------------------------------------------------------------------


def interrupted_run(
    address: str, clients: Clients, reader: BlobReader, blob: Descriptor, saved: SavedUploads
) -> None:
    with pytest.raises(ConnectionLost):
        Uploader(128 * KIB, saved=saved).upload(
            clients.repository(address, policy=NO_RETRIES), blob, reader, SILENT.task("")
        )


def test_the_next_run_goes_on(fake: FakeRegistry, clients: Clients, memory: MemorySource, tmp_path: Path) -> None:
    fake.quirks.keeps_cut = True
    blob, saved, task = memory.store(DATA, "a/b"), SavedUploads(tmp_path), CountingTask()
    interrupted_run(fake.address, clients, Cutting(memory, 500 * KIB), blob, saved)
    held = max(map(len, fake.store.uploads.values()))
    sent = Uploader(saved=SavedUploads(tmp_path)).upload(clients.repository(fake.address), blob, memory, task)
    assert held >= 384 * KIB
    assert (sent.kept, sent.sent, sent.again) == (held, len(DATA) - held, 0)
    assert task.done == len(DATA)
    assert len(fake.requests("POST")) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_upload_that_is_gone_begins_anew(
    fake: FakeRegistry, clients: Clients, memory: MemorySource, tmp_path: Path
) -> None:
    blob, saved = memory.store(DATA, "a/b"), SavedUploads(tmp_path)
    interrupted_run(fake.address, clients, Cutting(memory, 500 * KIB), blob, saved)
    fake.store.uploads.clear()
    sent = Uploader(saved=saved).upload(clients.repository(fake.address), blob, memory, SILENT.task(""))
    assert (sent.kept, sent.sent, sent.again) == (0, len(DATA), 0)
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_run_sent_wrongly_is_sent_again(
    fake: FakeRegistry, clients: Clients, memory: MemorySource, tmp_path: Path
) -> None:
    """Such as from a stick that was damaged and has been mended since."""
    fake.quirks.keeps_cut = True
    blob, saved = memory.store(DATA, "a/b"), SavedUploads(tmp_path)
    interrupted_run(fake.address, clients, Cutting(memory, 500 * KIB), blob, saved)
    (upload,) = fake.store.uploads.values()
    upload[1000] ^= 1
    sent = Uploader(saved=saved).upload(clients.repository(fake.address), blob, memory, SILENT.task(""))
    assert fake.store.blobs[blob.digest] == DATA
    assert sent.kept == 0
    # And where it is damaged here, that is said, and nothing is kept.
    other = memory.store(DATA + b"!", "a/b")
    memory.blobs[other.digest] = DATA + b"?"
    interrupted_run(fake.address, clients, Cutting(memory, 500 * KIB), other, saved)
    with pytest.raises(DamagedContent):
        Uploader(saved=saved).upload(clients.repository(fake.address), other, memory, SILENT.task(""))
    assert list(tmp_path.iterdir()) == []


def test_an_end_that_is_asked_for_comes_after_the_piece(
    fake: FakeRegistry, clients: Clients, memory: MemorySource, tmp_path: Path
) -> None:
    fake.quirks.bytes_per_second = 1 << 20
    blob, stopping, saved = memory.store(DATA, "a/b"), Stopping(), SavedUploads(tmp_path)
    timer = threading.Timer(0.3, stopping.ask)
    timer.start()
    with pytest.raises(Interrupted):
        Uploader(128 * KIB, saved=saved).upload(
            clients.repository(fake.address), blob, memory, SILENT.task(""), stopping=stopping
        )
    timer.join()
    (held,) = map(len, fake.store.uploads.values())
    assert held % (128 * KIB) == 0
    assert 0 < held < len(DATA)
    fake.quirks.bytes_per_second = 0
    sent = Uploader(saved=saved).upload(clients.repository(fake.address), blob, memory, SILENT.task(""))
    assert (sent.kept, sent.again) == (held, 0)


def test_a_cut_comes_in_the_middle_of_a_piece(fake: FakeRegistry, clients: Clients, memory: MemorySource) -> None:
    fake.quirks.bytes_per_second = 1 << 20
    blob, stopping = memory.store(DATA * 8, "a/b"), Stopping()
    timer = threading.Timer(0.3, stopping.cut)
    timer.start()
    with pytest.raises(Interrupted):
        Uploader().upload(clients.repository(fake.address), blob, memory, SILENT.task(""), stopping=stopping)
    timer.join()
