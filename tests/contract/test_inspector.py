"""What every ``Inspector`` promises: nothing there, the image, another image; and commands in containers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from bundler.content.arrivals import Inspector
from bundler.content.images import ImageDestination, OutgoingImage, RegistryForm
from bundler.destinations.engine import EngineDestination
from bundler.destinations.engine_inspector import EngineInspector
from bundler.destinations.registry import RegistryDestination
from bundler.destinations.registry_inspector import RegistryInspector
from bundler.errors import Unreachable
from bundler.transports.engine import EngineClient
from tests.contract.subjects import _MARKS
from tests.fakes.memory import CountingTask, MemorySource
from tests.registry_access import PLAIN_HTTP
from tests.servers.either_registry import serve
from tests.servers.engine import busybox_layer
from tests.unit.engines import CLASSIC, CONTAINERD, REAL, layer, new_name, running

_REGISTRIES = {"fake registry": "fake", "real registry": "real"}
_ENGINES = {CLASSIC: CLASSIC, CONTAINERD: CONTAINERD, "real engine": REAL}


@dataclass
class Place:
    """Somewhere that images are put into and looked at."""

    inspector: Inspector
    open: Callable[[], ImageDestination]

    def put(self, memory: MemorySource, image: RegistryForm) -> None:
        destination = self.open()
        destination.put(OutgoingImage(image.reference, image.tree), memory, CountingTask())
        destination.finish()


@contextmanager
def _place(name: str, request: pytest.FixtureRequest) -> Iterator[Place]:
    if name in _REGISTRIES:
        with serve(_REGISTRIES[name]) as server:

            def opened() -> RegistryDestination:
                return RegistryDestination(f"{server.address}/far", PLAIN_HTTP, on_existing_tag="overwrite")

            yield Place(RegistryInspector(opened()), opened)
        return
    with running(_ENGINES[name], request) as host:
        yield Place(EngineInspector(EngineClient(host)), lambda: EngineDestination(EngineClient(host)))


def _params(*names: str) -> list[object]:
    return [pytest.param(name, marks=[_MARKS[name]] if name in _MARKS else []) for name in names]


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with _place(request.param, request) as made:
        yield made
        made.inspector.close()


ALL = pytest.mark.parametrize("place", _params(*_REGISTRIES, *_ENGINES), indirect=True)
RUNNING = pytest.mark.parametrize("place", _params(CLASSIC, CONTAINERD, "real engine"), indirect=True)


@ALL
def test_nothing_the_image_and_another_image(place: Place) -> None:
    memory, name = MemorySource(), new_name()
    image = memory.make_image([layer(f"{name} a")], name, compression="gzip")
    other = memory.make_image([layer(f"{name} b")], name, compression="gzip")
    outgoing = OutgoingImage(image.reference, image.tree)
    before = place.inspector.look(outgoing)
    assert (before.is_listed, before.is_same) == (False, False)
    place.put(memory, image)
    found = place.inspector.look(outgoing)
    assert (found.is_listed, found.is_same) == (True, True)
    assert found.found in found.expected
    assert found.target == before.target
    place.put(memory, other)
    after = place.inspector.look(outgoing)
    assert (after.is_listed, after.is_same) == (True, False)
    assert after.found not in after.expected


@ALL
def test_an_image_without_a_tag_is_looked_for_by_its_digest(place: Place) -> None:
    memory, name = MemorySource(), new_name()
    made = memory.make_image([layer(name)], name, compression="gzip")
    digest = made.tree.root.digest
    image = replace(made, reference=replace(made.reference, tag="", digest=digest))
    outgoing = OutgoingImage(image.reference, image.tree)
    assert not place.inspector.look(outgoing).is_listed
    place.put(memory, image)
    assert place.inspector.look(outgoing).is_same


@RUNNING
def test_commands_in_containers(place: Place) -> None:
    memory, name = MemorySource(), new_name()
    image = memory.make_image([busybox_layer()], name, compression="gzip")
    place.put(memory, image)
    arrival = place.inspector.look(OutgoingImage(image.reference, image.tree))
    assert arrival.cannot_run == ""

    def run(*command: str, seconds: float = 30) -> tuple[str, int | None]:
        result = place.inspector.run(arrival, command, seconds)
        assert result.command == command
        assert (result.status == "passed") == (result.reason == "")
        return result.status, result.exit_status

    assert run("/bin/busybox", "true") == ("passed", 0)
    assert run("/bin/busybox", "false") == ("failed", 1)
    assert run("/bin/busybox", "sleep", "1000", seconds=1) == ("failed", None)
    assert run("/bin/nonsense") == ("failed", 127)
    assert "hello" in place.inspector.run(arrival, ["/bin/busybox", "echo", "hello"], 30).output


@RUNNING
def test_images_for_other_machines_are_not_run(place: Place) -> None:
    memory, name = MemorySource(), new_name()
    image = memory.make_image([layer(name)], name, compression="gzip", platform="linux/s390x")
    place.put(memory, image)
    arrival = place.inspector.look(OutgoingImage(image.reference, image.tree))
    assert arrival.is_same
    assert "s390x" in arrival.cannot_run
    assert "QEMU" in arrival.cannot_run
    result = place.inspector.run(arrival, ["/bin/true"], 10)
    assert (result.status, result.reason) == ("skipped", arrival.cannot_run)


@pytest.mark.parametrize("place", ["fake registry"], indirect=True)
def test_a_registry_runs_nothing(place: Place) -> None:
    memory, name = MemorySource(), new_name()
    image = memory.make_image([layer(name)], name, compression="gzip")
    place.put(memory, image)
    arrival = place.inspector.look(OutgoingImage(image.reference, image.tree))
    assert place.inspector.run(arrival, ["x"], 1).status == "skipped"
    assert "/far/" in arrival.target


def test_who_is_not_there_is_no_missing_image() -> None:
    destination = RegistryDestination("127.0.0.1:1", PLAIN_HTTP)
    memory = MemorySource()
    image = memory.make_image([layer("x")], "a:1", compression="gzip")
    with pytest.raises(Unreachable):
        RegistryInspector(destination).look(OutgoingImage(image.reference, image.tree))
