"""An engine that is lost in the middle: what is there is looked at before anything is sent again."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from bundler.content.images import BlobReader, OutgoingImage, PutResult, RegistryForm
from bundler.content.streams import ByteStream
from bundler.destinations.engine import EngineDestination
from bundler.destinations.engine_patience import DELAYS, Patience
from bundler.errors import ProtocolError, Refused, Unreachable
from bundler.model.descriptor import Descriptor
from bundler.transports.engine import EngineClient
from tests.fakes.engine import FakeEngine
from tests.fakes.memory import CountingTask, MemorySource
from tests.fakes.streams import FailingStream
from tests.unit.engines import CLASSIC, CONTAINERD, layer, make_fake, new_name


@pytest.fixture(params=[CLASSIC, CONTAINERD])
def fake(request: pytest.FixtureRequest) -> Iterator[FakeEngine]:
    with make_fake(request.param) as engine:
        yield engine


@pytest.fixture
def client(fake: FakeEngine) -> Iterator[EngineClient]:
    client = EngineClient(fake.host)
    yield client
    client.close()


@dataclass
class Sleep:
    """Remembers how long was waited, and does meanwhile what a test says."""

    events: list[Callable[[], None]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.events:
            self.events.pop(0)()


@dataclass
class Told:
    """A progress that keeps what it was told."""

    texts: list[str] = field(default_factory=list)

    def task(self, label: str, total: int | None = None) -> CountingTask:
        return CountingTask()

    def message(self, text: str) -> None:
        self.texts.append(text)


def put(client: EngineClient, source: BlobReader, image: RegistryForm, sleep: Sleep, told: Told) -> PutResult:
    task = CountingTask()
    destination = EngineDestination(client, progress=told, patience=Patience(told, sleep=sleep))
    result = destination.put(OutgoingImage(image.reference, image.tree), source, task)
    assert task.done == sum(blob.size for blob in image.tree.blobs())
    return result


def sent_of(fake: FakeEngine, image: RegistryForm) -> int:
    """Return the bytes of the blobs that the engine is sent of a fresh image."""
    manifests = sum(descriptor.size for descriptor, _ in image.tree.nodes())
    everything = sum(blob.size for blob in image.tree.blobs())
    return everything if fake.kind == "containerd" else everything - manifests


def test_a_connection_that_is_cut_in_mid_request(fake: FakeEngine, client: EngineClient) -> None:
    source, name, sleep, told = MemorySource(), new_name(), Sleep(), Told()
    image = source.make_image([layer(name, 300_000)], name, compression="none")
    fake.faults.break_load_after = 200_000

    def heal() -> None:
        fake.faults.break_load_after = None

    sleep.events = [lambda: None, heal]
    result = put(client, source, image, sleep, told)
    assert (result.status, sleep.slept) == ("loaded", list(DELAYS[:2]))
    assert len(fake.uploads) == 1
    assert result.bytes_sent - result.bytes_sent_again == sent_of(fake, image)
    # Two tries were cut; each had given the engine what it took, and what lay in the socket besides.
    assert 2 * 190_000 < result.bytes_sent_again <= 2 * sent_of(fake, image)
    assert all("trying again in" in text for text in told.texts)


def test_an_engine_that_finished_although_nobody_heard_it(fake: FakeEngine, client: EngineClient) -> None:
    source, name, sleep = MemorySource(), new_name(), Sleep()
    image = source.make_image([layer(name)], name)
    fake.faults.silent_load = True
    result = put(client, source, image, sleep, Told())
    assert (result.status, sleep.slept) == ("loaded", [DELAYS[0]])
    # It was looked at, found, and not sent again.
    assert len(fake.uploads) == 1
    assert (result.bytes_sent, result.bytes_sent_again) == (sent_of(fake, image), 0)
    assert client.inspect(name).id == result.digest  # type: ignore[union-attr]


def test_what_the_name_pointed_to_is_told_once_and_stays_told(fake: FakeEngine, client: EngineClient) -> None:
    source, name, sleep, told = MemorySource(), new_name(), Sleep(), Told()
    old = put(client, source, source.make_image([layer("old")], name), sleep, told)
    fake.faults.silent_load = True
    new = put(client, source, source.make_image([layer("new")], name), sleep, told)
    assert (new.status, new.replaced) == ("loaded", old.digest)
    assert sum("it will point to" in text for text in told.texts) == 1


def test_an_engine_that_does_not_come_back(fake: FakeEngine, client: EngineClient) -> None:
    source, name, sleep = MemorySource(), new_name(), Sleep()
    before = put(client, source, source.make_image([layer("old")], name), sleep, Told())
    image = source.make_image([layer(name, 300_000)], name, compression="none")
    fake.faults.break_load_after = 100_000
    with pytest.raises(Unreachable):
        put(client, source, image, sleep, Told())
    assert sleep.slept == list(DELAYS)
    assert client.inspect(name).id == before.digest  # type: ignore[union-attr]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_is_gone_altogether() -> None:
    source, name, sleep = MemorySource(), new_name(), Sleep()
    with make_fake(CLASSIC) as fake:
        client = EngineClient(fake.host)
        assert client.info.is_docker
    with pytest.raises(Unreachable):
        put(client, source, source.make_image([layer(name)], name), sleep, Told())
    assert sleep.slept == list(DELAYS)
    client.close()
    # The SDK leaves a socket behind for each connection that fails.
    gc.collect()


def test_what_cannot_pass_is_not_tried_again(fake: FakeEngine, client: EngineClient) -> None:
    source, sleep = MemorySource(), Sleep()
    image = source.make_image([layer("a")], new_name())
    fake.faults.load_error = "open /x: no such file or directory"
    with pytest.raises(Refused):
        put(client, source, image, sleep, Told())
    fake.faults.load_error, fake.faults.nonsense = None, b"<html>"
    with pytest.raises(ProtocolError):
        put(client, source, image, sleep, Told())
    assert sleep.slept == []


class LostSource:
    """A reader whose own peer is lost: the engine is not to blame."""

    def __init__(self, below: MemorySource, error: Unreachable) -> None:
        self._below, self._error = below, error

    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
        return FailingStream(b"x" * 10, self._error)


def test_a_source_that_is_lost_is_none_of_the_engines_faults(fake: FakeEngine, client: EngineClient) -> None:
    source, sleep, error = MemorySource(), Sleep(), Unreachable("the other end")
    image = source.make_image([layer("a")], new_name())
    with pytest.raises(Unreachable) as caught:
        put(client, LostSource(source, error), image, sleep, Told())
    assert caught.value is error
    assert sleep.slept == []


def test_an_interrupt_ends_the_waiting(fake: FakeEngine, client: EngineClient) -> None:
    source = MemorySource()
    image = source.make_image([layer("a", 300_000)], new_name(), compression="none")
    fake.faults.break_load_after = 1000

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put(client, source, image, Sleep([interrupt]), Told())
