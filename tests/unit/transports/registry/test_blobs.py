from __future__ import annotations

import pytest

from bundler.content.hashing import sha256
from bundler.content.streams import read_all
from bundler.errors import AirbundleError, DamagedContent, NotFound, ProtocolError, Unreachable
from bundler.model.descriptor import Descriptor
from bundler.progress import SILENT
from bundler.transports.registry.blobs import has_blob, open_blob
from bundler.transports.registry.client import Repository
from bundler.transports.registry.upload.uploader import Uploader
from tests.fakes.memory import MemorySource
from tests.fakes.registry import FakeRegistry, Script
from tests.servers.either_registry import Registry
from tests.unit.transports.registry.clients import QUICK, Clients

DATA = bytes(range(256)) * 20_000


def push(repository: Repository, data: bytes) -> Descriptor:
    memory = MemorySource()
    blob = memory.store(data, "a/b")
    Uploader().upload(repository, blob, memory, SILENT.task(""))
    return blob


def read(repository: Repository, blob: Descriptor, offset: int = 0) -> bytes:
    stream = open_blob(repository, blob, offset)
    try:
        return read_all(stream, blob.size + 10)
    finally:
        stream.close()


@pytest.mark.parametrize("offset", [0, 1, 1 << 20, len(DATA) - 1, len(DATA)])
def test_a_blob_is_read_from_any_offset(server: Registry, clients: Clients, offset: int) -> None:
    repository = clients.repository(server.address)
    blob = push(repository, DATA)
    assert has_blob(repository, blob)
    assert read(repository, blob, offset) == DATA[offset:]


def test_an_empty_blob(server: Registry, clients: Clients) -> None:
    repository = clients.repository(server.address)
    blob = push(repository, b"")
    assert has_blob(repository, blob)
    assert read(repository, blob) == b""


def test_a_blob_that_is_not_there(server: Registry, clients: Clients) -> None:
    repository = clients.repository(server.address)
    blob = Descriptor(media_type="a/b", digest=sha256(b"nobody has this"), size=15)
    assert not has_blob(repository, blob)
    with pytest.raises(NotFound):
        open_blob(repository, blob)


def test_the_end_of_a_blob_that_is_shorter_than_it_should_be(server: Registry, clients: Clients) -> None:
    """The answer to a range behind the end announces more bytes than come: nothing may wait for them."""
    repository = clients.repository(server.address)
    blob = push(repository, DATA)
    longer = Descriptor(media_type="a/b", digest=blob.digest, size=2 * blob.size)
    with pytest.raises(DamagedContent, match="ends before"):
        open_blob(repository, longer, blob.size + 5)
    assert has_blob(repository, blob)


def test_a_damaged_size_at_the_registry_is_no_presence(server: Registry, clients: Clients) -> None:
    repository = clients.repository(server.address)
    blob = push(repository, DATA)
    with pytest.raises(ProtocolError, match="must have"):
        has_blob(repository, Descriptor(media_type="a/b", digest=blob.digest, size=blob.size + 1))


def test_a_range_that_is_ignored_is_skipped_to(fake: FakeRegistry, clients: Clients) -> None:
    repository = clients.repository(fake.address)
    blob = push(repository, DATA)
    fake.quirks.ignore_range = True
    assert read(repository, blob, 3_000_000) == DATA[3_000_000:]


def test_an_ignored_range_behind_the_end(fake: FakeRegistry, clients: Clients) -> None:
    repository = clients.repository(fake.address)
    blob = push(repository, DATA)
    fake.quirks.ignore_range = True
    longer = Descriptor(media_type="a/b", digest=blob.digest, size=2 * blob.size)
    with pytest.raises(AirbundleError) as caught:
        read(repository, longer, blob.size + 5)
    assert isinstance(caught.value, (DamagedContent, Unreachable))


def test_another_range_than_asked_for_is_refused(fake: FakeRegistry, clients: Clients) -> None:
    repository = clients.repository(fake.address)
    blob = push(repository, DATA)
    fake.quirks.wrong_range = True
    with pytest.raises(ProtocolError, match="bytes 101-"):
        open_blob(repository, blob, 100)


@pytest.mark.parametrize("offset", [0, 10])
def test_a_body_that_breaks_off_is_unreachable_not_damaged(
    fake: FakeRegistry, clients: Clients, offset: int
) -> None:
    repository = clients.repository(fake.address)
    blob = push(repository, DATA)
    fake.quirks.truncate = 1000
    with pytest.raises(Unreachable):
        read(repository, blob, offset)
    # Each connection has to bring something, then they are counted anew.
    assert len(fake.requests("GET", "/blobs/")) == QUICK.tries


@pytest.mark.parametrize("offset", [0, 10])
def test_a_body_that_breaks_off_is_gone_on_with(fake: FakeRegistry, clients: Clients, offset: int) -> None:
    repository = clients.repository(fake.address)
    blob = push(repository, DATA)
    fake.quirks.truncate = 100_000
    assert read(repository, blob, offset) == DATA[offset:]
    asked = fake.requests("GET", "/blobs/")
    assert len(asked) > QUICK.tries
    assert asked[-1].headers["Range"] == f"bytes={offset + (len(asked) - 1) * 100_000}-"


def test_what_breaks_off_and_is_another_blob_then_is_damaged(fake: FakeRegistry, clients: Clients) -> None:
    repository = clients.repository(fake.address)
    blob = push(repository, DATA)
    fake.quirks.truncate = 100_000
    stream = open_blob(repository, blob)
    buffer = memoryview(bytearray(1000))
    stream.readinto(buffer)
    fake.store.blobs[blob.digest] = bytes(len(DATA))
    with pytest.raises(DamagedContent):
        read_all(stream, len(DATA))
    stream.close()


def test_a_body_that_goes_on_behind_its_size(fake: FakeRegistry, clients: Clients) -> None:
    repository = clients.repository(fake.address)
    blob = push(repository, DATA)
    fake.quirks.append = b"x"
    with pytest.raises(DamagedContent, match="longer"):
        read(repository, blob)


def test_altered_bytes_are_damaged(fake: FakeRegistry, clients: Clients) -> None:
    repository = clients.repository(fake.address)
    blob = push(repository, DATA)
    fake.store.blobs[blob.digest] = DATA[:-1] + bytes([DATA[-1] ^ 1])
    with pytest.raises(DamagedContent):
        read(repository, blob)


@pytest.mark.parametrize(
    "script",
    [
        Script(200, b"", {"Content-Type": "text/html"}),
        Script(200, b"", {"Docker-Content-Digest": "sha256:" + "1" * 64}),
        Script(200, b"", {"Content-Length": "7"}),
    ],
)
def test_a_server_that_says_yes_to_everything_is_not_believed(
    fake: FakeRegistry, clients: Clients, script: Script
) -> None:
    fake.quirks.scripts["HEAD"] = script
    blob = Descriptor(media_type="a/b", digest=sha256(b"x" * 10), size=10)
    with pytest.raises(ProtocolError):
        has_blob(clients.repository(fake.address), blob)
