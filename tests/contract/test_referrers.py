"""What refers to an image goes with it: every destination that can hold it, and the source over the same place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundler.bundle.reader import open_bundle
from bundler.content.images import ImageDestination, ImageSource, OutgoingImage, ReferrerCounts, RegistryForm
from bundler.content.streams import read_all
from bundler.destinations.docker_archive import DockerArchiveDestination
from bundler.destinations.engine import EngineDestination
from bundler.destinations.oci_layout import OciLayoutDestination
from bundler.destinations.registry import RegistryDestination
from bundler.model.referrers import Referrer
from bundler.packing.pack import write_bundle
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PlannedImage, make_plan
from bundler.sources.oci_layout import OciLayoutSource
from bundler.sources.registry import RegistrySource
from bundler.transports.engine import EngineClient
from tests.contract.subjects import AMD64
from tests.fakes.memory import CountingTask, MemorySource, tar_of
from tests.fakes.registry import FakeRegistry
from tests.registry_access import PLAIN_HTTP
from tests.servers.either_registry import serve
from tests.unit.engines import CLASSIC, CONTAINERD, make_fake


class Signed:
    """An index of two platforms with all kinds of referrers, and referrers of these."""

    def __init__(self, prefix: str) -> None:
        self.memory = memory = MemorySource("registry")
        one = memory.make_image([tar_of({"a": b"one"})], f"{prefix}/one:1")
        two = memory.make_image([tar_of({"a": b"two"})], f"{prefix}/two:1", platform="linux/arm64")
        index = memory.make_index([one, two], f"{prefix}/web:1")
        sbom = memory.make_referrer(b"what is in it", one.tree.root, annotations={"made": "today"})
        referrers = (
            memory.make_signature(index.tree.root),
            memory.make_signature(two.tree.root, kind="att"),
            sbom,
            memory.make_referrer(b"who says so", sbom.tree.root),
            memory.make_signature(sbom.tree.root),
        )
        self.image = memory.refer(index, *referrers)

    @property
    def outgoing(self) -> OutgoingImage:
        return OutgoingImage(self.image.reference, self.image.tree, {}, self.image.referrers)


def keys(referrers: tuple[Referrer, ...]) -> set[tuple[str, str, str]]:
    return {(one.digest, one.subject, one.tag) for one in referrers}


@dataclass
class Place:
    """Somewhere that images are put into and read from again, with their referrers."""

    prefix: str
    destination: Callable[[], ImageDestination]
    source: Callable[[], ImageSource]


@contextmanager
def layout(path: Path) -> Iterator[Place]:
    yield Place(
        "shop.test",
        lambda: OciLayoutDestination(path / "lay"),
        lambda: OciLayoutSource(path / "lay", archive=False),
    )


def registry(kind: str) -> Callable[[Path], Iterator[Place]]:
    def make(path: Path) -> Iterator[Place]:
        with serve("real" if kind == "real" else "fake") as server:
            if isinstance(server, FakeRegistry):
                server.quirks.referrers = kind == "with the API"
                server.quirks.referrers_page = 1
            yield Place(
                server.address,
                lambda: RegistryDestination(server.address, PLAIN_HTTP),
                lambda: RegistrySource(PLAIN_HTTP),
            )

    return make


PLACES = {
    "oci directory": layout,
    "registry with the API": contextmanager(registry("with the API")),
    "registry with tags only": contextmanager(registry("with tags")),
    "real registry": contextmanager(registry("real")),
}


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.registry] if name == "real registry" else []) for name in PLACES]
)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    with PLACES[request.param](tmp_path) as made:
        yield made


def test_what_was_put_is_found_again_to_the_byte(place: Place) -> None:
    signed = Signed(f"{place.prefix}/shop")
    destination = place.destination()
    result = destination.put(signed.outgoing, signed.memory, CountingTask())
    destination.finish()
    assert result.referrers == ReferrerCounts(put=5)
    source = place.source()
    (found,) = source.resolve(str(signed.image.reference))
    assert isinstance(found, RegistryForm)
    assert keys(found.referrers) == keys(signed.image.referrers)
    assert found.left_out == ()
    wanted = found.digests
    assert wanted == signed.image.digests
    for content in source.contents([found], wanted, CountingTask()):
        assert read_all(content.stream, content.size) == signed.memory.blobs[content.digest]
        wanted -= {content.digest}
    assert not wanted
    source.close()


def test_put_again_nothing_changes(place: Place) -> None:
    signed = Signed(f"{place.prefix}/shop")
    results = []
    for _ in range(2):
        destination = place.destination()
        results.append(destination.put(signed.outgoing, signed.memory, CountingTask()))
        destination.finish()
    assert (results[1].status, results[1].bytes_sent) == ("skipped", 0)
    assert results[1].referrers == ReferrerCounts(there=5)


def test_those_that_are_new_come_to_an_image_that_is_there(place: Place) -> None:
    signed = Signed(f"{place.prefix}/shop")
    image, memory = signed.image, signed.memory
    first = OutgoingImage(image.reference, image.tree, {}, image.referrers[:2])
    more = memory.make_referrer(b"made later", image.tree.root)
    for outgoing, put in (
        (first, 2),
        (OutgoingImage(image.reference, image.tree, {}, (*image.referrers, more)), 4),
    ):
        destination = place.destination()
        result = destination.put(outgoing, memory, CountingTask())
        destination.finish()
        assert result.referrers.put == put
        assert result.status != "skipped"
    source = place.source()
    (found,) = source.resolve(str(image.reference))
    assert isinstance(found, RegistryForm)
    assert keys(found.referrers) == keys((*image.referrers, more))
    source.close()


def test_through_a_bundle(place: Place, tmp_path: Path) -> None:
    """Near registry or layout, bundle, far one: what is found there is what was found here."""
    signed = Signed(f"{place.prefix}/shop")
    destination = place.destination()
    destination.put(signed.outgoing, signed.memory, CountingTask())
    destination.finish()
    source = place.source()
    (found,) = source.resolve(str(signed.image.reference))
    options = PackOptions(workers=1)
    manifest = write_bundle(make_plan([PlannedImage("shop", found, source)]), tmp_path / "bundle", options)
    source.close()
    bundle = open_bundle(tmp_path / "bundle")
    (image,) = manifest.applications[0].images
    assert keys(bundle.outgoing(image).referrers) == keys(signed.image.referrers)
    assert {*image.blobs} == signed.image.digests
    (again,) = bundle.resolve("")
    assert isinstance(again, RegistryForm)
    write_bundle(make_plan([PlannedImage("shop", again, bundle)]), tmp_path / "again", options)
    rows = open_bundle(tmp_path / "again").manifest.applications[0].images[0].referrers
    assert rows == image.referrers


def test_a_docker_archive_leaves_them_out_and_says_so(tmp_path: Path) -> None:
    signed = Signed("shop.test")
    destination = DockerArchiveDestination(tmp_path / "images.tar", AMD64)
    result = destination.put(signed.outgoing, signed.memory, CountingTask())
    destination.finish()
    assert result.referrers == ReferrerCounts(left_out=5)
    assert any("referrers" in note for note in result.notes)


@pytest.mark.parametrize(("store", "put"), [(CONTAINERD, 5), (CLASSIC, 0)])
def test_an_engine_gets_them_where_its_store_keeps_manifests(store: str, put: int) -> None:
    signed = Signed("shop.test/a")
    with make_fake(store) as engine:
        destination = EngineDestination(EngineClient(engine.host))
        result = destination.put(signed.outgoing, signed.memory, CountingTask())
        destination.finish()
    assert result.referrers == ReferrerCounts(put=put, left_out=5 - put)
    assert not result.notes or not any("referrers" in note for note in result.notes)
    assert bool(result.details) == (put == 0)
