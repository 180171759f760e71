"""What the contract suites run on: for each implementation, how to make one that holds the same two images.

Adding an implementation is adding a function here, and its name to the table below it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from _pytest.mark import ParameterSet

from bundler.bundle.reader import open_bundle
from bundler.content.images import BlobReader, ImageDestination, ImageSource, OutgoingImage, RegistryForm
from bundler.content.streams import StreamFile
from bundler.destinations.docker_archive import DockerArchiveDestination
from bundler.destinations.engine import EngineDestination
from bundler.destinations.oci_layout import OciLayoutDestination
from bundler.destinations.registry import RegistryDestination
from bundler.errors import NotFound
from bundler.model.digest import Digest
from bundler.model.platforms import Platform
from bundler.packing.pack import write_bundle
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PlannedImage, make_plan
from bundler.sources.docker_archive import DockerArchiveSource
from bundler.sources.engine import EngineSource
from bundler.sources.oci_layout import OciLayoutSource
from bundler.sources.registry import RegistrySource
from bundler.transports.engine import EngineClient
from tests.fakes.compressions import COMPRESSIONS
from tests.fakes.layouts import entry, layout_files, write_archive, write_directory
from tests.fakes.memory import CountingTask, MemoryDestination, MemorySource, tar_of
from tests.fakes.products.pushing import PRODUCTS, as_ci
from tests.fakes.registry import FakeRegistry
from tests.registry_access import PLAIN_HTTP
from tests.servers.either_registry import serve
from tests.servers.guarded_registry import GUARDED, guarded
from tests.unit.engines import CLASSIC, CONTAINERD, REAL, make_fake, new_name, running

AMD64 = Platform.parse("linux/amd64")


@dataclass
class Originals:
    """The two images of a case, sharing their base layer, as they were made.

    Attributes:
        memory: holds them, and every blob.
        web: the one, in three layers.
        api: the other; its layers are in another order.
        plain: the uncompressed layers by DiffID.
    """

    memory: MemorySource
    web: RegistryForm
    api: RegistryForm
    plain: dict[Digest, bytes]

    @classmethod
    def make(cls, prefix: str) -> Originals:
        """Make both under names that begin with ``prefix``; no two calls make equal layers."""
        memory, unique = MemorySource(), new_name()
        base, settings, top = (
            tar_of({kind: random.Random(f"{kind} {unique}").randbytes(9000)})
            for kind in ("base", "settings", "top")
        )
        web = memory.make_image([base, settings, top], f"{prefix}/web:1", compression="gzip")
        api = memory.make_image([base, top, settings], f"{prefix}/api:1", compression="gzip")
        plain = {
            diff_id: data
            for image in (web, api)
            for (_, diff_id), data in zip(
                image.tree.platform_images()[0].layers(),
                [base, settings, top] if image is web else [base, top, settings],
                strict=True,
            )
            if diff_id is not None
        }
        return cls(memory, web, api, plain)

    @property
    def images(self) -> tuple[RegistryForm, RegistryForm]:
        """Both images."""
        return self.web, self.api

    @property
    def known(self) -> dict[Digest, bytes]:
        """Every content that either image can rightly consist of, in whatever form."""
        return {**self.memory.blobs, **self.plain}

    def put_into(self, destination: ImageDestination) -> None:
        """Put both images into a destination, and finish it."""
        for image in self.images:
            destination.put(OutgoingImage(image.reference, image.tree), self.memory, CountingTask())
        destination.finish()


def _out_of_reach(digest: Digest) -> None:
    raise NotImplementedError(digest)


@dataclass
class SourceCase:
    """A source that holds the originals.

    Attributes:
        source: what is tested.
        originals: what it holds.
        damage: changes one byte of a blob where the source keeps it; only for sources that are ``DAMAGEABLE``.
    """

    source: ImageSource
    originals: Originals
    damage: Callable[[Digest], None] = _out_of_reach

    @property
    def reader(self) -> BlobReader:
        """The source as a ``BlobReader``; only for those that are ``READERS``."""
        return cast(BlobReader, self.source)


MakeSource = Callable[[Path, pytest.FixtureRequest], AbstractContextManager[SourceCase]]


@contextmanager
def memory_source(place: Path, request: pytest.FixtureRequest) -> Iterator[SourceCase]:
    originals = Originals.make("shop.example")
    blobs = dict(originals.memory.blobs)
    source = originals.memory
    kept = Originals(MemorySource(), originals.web, originals.api, originals.plain)
    kept.memory.blobs = blobs

    def damage(digest: Digest) -> None:
        source.blobs[digest] = _flipped(source.blobs[digest])

    yield SourceCase(source, kept, damage=damage)


@contextmanager
def oci_directory(place: Path, request: pytest.FixtureRequest) -> Iterator[SourceCase]:
    originals = Originals.make("shop.example")
    files = _layout(originals)
    path = write_directory(place / "layout", files)
    source = OciLayoutSource(path, archive=False)

    def damage(digest: Digest) -> None:
        blob = path / "blobs/sha256" / digest.hex
        blob.write_bytes(_flipped(blob.read_bytes()))

    yield SourceCase(source, originals, damage=damage)


@contextmanager
def oci_archive(place: Path, request: pytest.FixtureRequest) -> Iterator[SourceCase]:
    originals = Originals.make("shop.example")
    path = write_archive(place / "layout.tar", _layout(originals))
    source = OciLayoutSource(path, archive=True)

    def damage(digest: Digest) -> None:
        data = originals.memory.blobs[digest]
        path.write_bytes(path.read_bytes().replace(data, _flipped(data)))

    yield SourceCase(source, originals, damage=damage)


@contextmanager
def docker_archive(place: Path, request: pytest.FixtureRequest) -> Iterator[SourceCase]:
    originals, path = Originals.make("shop.example"), place / "images.tar"
    originals.put_into(DockerArchiveDestination(path, AMD64))

    def damage(digest: Digest) -> None:
        data = originals.known[digest]
        path.write_bytes(path.read_bytes().replace(data, _flipped(data)))

    yield SourceCase(DockerArchiveSource(path), originals, damage=damage)


@contextmanager
def saved_archive(place: Path, request: pytest.FixtureRequest) -> Iterator[SourceCase]:
    """What ``docker save`` of an old engine writes: no manifests, plain layers, links to those that are shared."""
    originals, path = Originals.make("shop.example"), place / "saved.tar"
    with make_fake(CLASSIC) as running_engine:
        client = EngineClient(running_engine.host)
        originals.put_into(EngineDestination(client))
        path.write_bytes(StreamFile(client.save(*(str(image.reference) for image in originals.images))).read())
        client.close()

    def damage(digest: Digest) -> None:
        data = originals.known[digest]
        path.write_bytes(path.read_bytes().replace(data, _flipped(data)))

    yield SourceCase(DockerArchiveSource(path), originals, damage=damage)


def compressed(make: MakeSource, compression: str) -> MakeSource:
    """The same archive, compressed as a whole; what its name says of that is wrong."""

    @contextmanager
    def made(place: Path, request: pytest.FixtureRequest) -> Iterator[SourceCase]:
        with make(place, request) as case:
            (path,) = place.glob("*.tar")
            compress, decompress = COMPRESSIONS[compression]
            path.write_bytes(compress(path.read_bytes()))
            case.source.close()

            def damage(digest: Digest) -> None:
                data = case.originals.known[digest]
                path.write_bytes(compress(decompress(path.read_bytes()).replace(data, _flipped(data))))

            is_oci = isinstance(case.source, OciLayoutSource)
            source = OciLayoutSource(path, archive=True) if is_oci else DockerArchiveSource(path)
            yield SourceCase(source, case.originals, damage=damage)

    return made


@contextmanager
def bundle(place: Path, request: pytest.FixtureRequest) -> Iterator[SourceCase]:
    originals, path = Originals.make("shop.example"), place / "bundle"
    plan = make_plan(
        PlannedImage(application, image, originals.memory)
        for application, image in zip(("web", "api"), originals.images, strict=True)
    )
    write_bundle(plan, path, PackOptions(part_bytes=64 << 10, block_bytes=64 << 10, workers=1))
    source = open_bundle(path)

    def damage(digest: Digest) -> None:
        blob = source.manifest.blob_by_digest[digest]
        (archive,) = (item for item in source.manifest.archives if item.name == blob.archive)
        part = path / archive.parts[0].file
        data = bytearray(part.read_bytes())
        data[blob.offset] ^= 0x20
        part.write_bytes(data)

    yield SourceCase(source, originals, damage=damage)


def registry(kind: str) -> MakeSource:
    @contextmanager
    def make(place: Path, request: pytest.FixtureRequest) -> Iterator[SourceCase]:
        with serve(kind) as server:
            originals = Originals.make(f"{server.address}/shop")
            destination = RegistryDestination(server.address, PLAIN_HTTP, on_existing_tag="overwrite")
            originals.put_into(destination)
            source = RegistrySource(PLAIN_HTTP)
            yield SourceCase(source, originals)
            source.close()

    return make


def guarded_registry(kind: str) -> MakeSource:
    @contextmanager
    def make(place: Path, request: pytest.FixtureRequest) -> Iterator[SourceCase]:
        with guarded(kind, place / "guarded") as (server, access):
            originals = Originals.make(f"{server.address}/shop")
            originals.put_into(RegistryDestination(server.address, access))
            source = RegistrySource(access)
            yield SourceCase(source, originals)
            source.close()

    return make


def engine(which: str) -> MakeSource:
    @contextmanager
    def make(place: Path, request: pytest.FixtureRequest) -> Iterator[SourceCase]:
        with running(which, request) as host:
            originals = Originals.make(new_name().rpartition(":")[0])
            originals.put_into(EngineDestination(EngineClient(host)))
            source = EngineSource(EngineClient(host))
            yield SourceCase(source, originals)
            source.close()

    return make


SOURCES: dict[str, MakeSource] = {
    "memory": memory_source,
    "oci directory": oci_directory,
    "oci archive": oci_archive,
    "docker archive": docker_archive,
    "saved archive": saved_archive,
    "oci archive in zstd": compressed(oci_archive, "zstd"),
    "oci archive in bzip2": compressed(oci_archive, "bzip2"),
    "docker archive in gzip": compressed(docker_archive, "gzip"),
    "docker archive in xz": compressed(docker_archive, "xz"),
    "saved archive in gzip": compressed(saved_archive, "gzip"),
    "bundle": bundle,
    "fake registry": registry("fake"),
    "real registry": registry("real"),
    **{f"registry with {kind}": guarded_registry(kind) for kind in GUARDED},
    CLASSIC: engine(CLASSIC),
    CONTAINERD: engine(CONTAINERD),
    "real engine": engine(REAL),
}


#: Sources in which ``""`` finds everything; engines and registries are asked by name.
LISTING = (
    *("memory", "oci directory", "oci archive", "docker archive", "bundle"),
    *("oci archive in zstd", "oci archive in bzip2", "docker archive in gzip", "docker archive in xz"),
    *("saved archive", "saved archive in gzip"),
)
#: Sources that keep no digests: their images are in engine form.
WITHOUT_DIGESTS = (CLASSIC, "real engine", "saved archive", "saved archive in gzip")
#: Sources that are ``BlobReader`` too.
READERS = (
    *("memory", "oci directory", "oci archive", "bundle", "fake registry", "real registry"),
    *("oci archive in zstd", "oci archive in bzip2"),
)
#: Sources that keep blobs where a test can damage them.
DAMAGEABLE = LISTING
_MARKS = {"real registry": pytest.mark.registry, "real engine": pytest.mark.engine} | {
    f"registry with {kind}": pytest.mark.registry for kind in GUARDED
}


def params(names: Iterable[str]) -> list[ParameterSet]:
    """Return parameters for pytest, marked by the servers they need."""
    return [pytest.param(name, marks=[_MARKS[name]] if name in _MARKS else []) for name in names]


@dataclass
class DestinationCase:
    """A destination that holds nothing yet.

    Attributes:
        open: makes a destination object for the same place; each one is finished or aborted.
        originals: what is put into it.
        held: returns what a name leads to, as a digest, once a destination was finished; ``None`` for nothing.
        grows: whether a second destination object adds to what the first one left.
    """

    open: Callable[[], ImageDestination]
    originals: Originals
    held: Callable[[str], Digest | None]
    grows: bool = True


MakeDestination = Callable[[Path, pytest.FixtureRequest], AbstractContextManager[DestinationCase]]


@contextmanager
def memory_destination(place: Path, request: pytest.FixtureRequest) -> Iterator[DestinationCase]:
    destination = MemoryDestination()
    yield DestinationCase(lambda: destination, Originals.make("shop.example"), destination.names.get)


@contextmanager
def oci_destination(place: Path, request: pytest.FixtureRequest) -> Iterator[DestinationCase]:
    path = place / "layout"

    def held(name: str) -> Digest | None:
        return _held(lambda: OciLayoutSource(path, archive=False), name)

    yield DestinationCase(lambda: OciLayoutDestination(path), Originals.make("shop.example"), held)


@contextmanager
def archive_destination(place: Path, request: pytest.FixtureRequest) -> Iterator[DestinationCase]:
    path = place / "images.tar"

    def held(name: str) -> Digest | None:
        return _held(lambda: DockerArchiveSource(path), name)

    originals = Originals.make("shop.example")
    yield DestinationCase(lambda: DockerArchiveDestination(path, AMD64), originals, held, grows=False)


def registry_destination(kind: str) -> MakeDestination:
    @contextmanager
    def make(place: Path, request: pytest.FixtureRequest) -> Iterator[DestinationCase]:
        with serve(kind) as server:

            def opened() -> ImageDestination:
                return RegistryDestination(server.address, PLAIN_HTTP, on_existing_tag="overwrite")

            def held(name: str) -> Digest | None:
                return _held(lambda: RegistrySource(PLAIN_HTTP), name)

            # The destination replaces the registry of a name by itself, and keeps the repository.
            yield DestinationCase(opened, Originals.make(f"{server.address}/shop"), held)

    return make


def guarded_destination(kind: str) -> MakeDestination:
    @contextmanager
    def make(place: Path, request: pytest.FixtureRequest) -> Iterator[DestinationCase]:
        with guarded(kind, place / "guarded") as (server, access):

            def held(name: str) -> Digest | None:
                return _held(lambda: RegistrySource(access), name)

            originals = Originals.make(f"{server.address}/shop")
            yield DestinationCase(
                lambda: RegistryDestination(server.address, access, on_existing_tag="overwrite"), originals, held
            )

    return make


def product_destination(name: str) -> MakeDestination:
    """A registry of a product, as its user ``ci`` sees it."""

    @contextmanager
    def make(place: Path, request: pytest.FixtureRequest) -> Iterator[DestinationCase]:
        kind, path = PRODUCTS[name]
        with FakeRegistry(product=kind()) as server:

            def opened() -> ImageDestination:
                return RegistryDestination(server.address, as_ci(), on_existing_tag="overwrite")

            def held(name: str) -> Digest | None:
                return _held(lambda: RegistrySource(as_ci()), name)

            yield DestinationCase(opened, Originals.make(f"{server.address}/{path}"), held)

    return make


def engine_destination(which: str) -> MakeDestination:
    @contextmanager
    def make(place: Path, request: pytest.FixtureRequest) -> Iterator[DestinationCase]:
        with running(which, request) as host:

            def held(name: str) -> Digest | None:
                return _held(lambda: EngineSource(EngineClient(host)), name)

            originals = Originals.make(new_name().rpartition(":")[0])
            yield DestinationCase(lambda: EngineDestination(EngineClient(host)), originals, held)

    return make


DESTINATIONS: dict[str, MakeDestination] = {
    "memory": memory_destination,
    "oci directory": oci_destination,
    "docker archive": archive_destination,
    "fake registry": registry_destination("fake"),
    "real registry": registry_destination("real"),
    **{f"registry with {kind}": guarded_destination(kind) for kind in GUARDED},
    CLASSIC: engine_destination(CLASSIC),
    CONTAINERD: engine_destination(CONTAINERD),
    "real engine": engine_destination(REAL),
    **{f"{name} (fake)": product_destination(name) for name in PRODUCTS},
}


#: Destinations that keep blobs as they are, so that bytes can be counted and the root's digest compared.
BLOB_STORES = (
    *("memory", "oci directory", "fake registry", "real registry"),
    *(f"{name} (fake)" for name in PRODUCTS),
)
#: Destinations that are tried in every way that a blob can break: of the products two that differ most.
BREAKING = tuple(
    name for name in DESTINATIONS if not name.endswith("(fake)") or name in ("Harbor (fake)", "zot (fake)")
)
#: Destinations where a second object adds to what the first one left.
GROWING = tuple(name for name in DESTINATIONS if name != "docker archive")


def _held(open_source: Callable[[], ImageSource], name: str) -> Digest | None:
    """Return the root digest that a source finds under a name, or the image ID where it has no manifests."""
    try:
        source = open_source()
    except NotFound:
        return None
    try:
        (found,) = source.resolve(name)
        return found.tree.root.digest if isinstance(found, RegistryForm) else found.config_digest
    except NotFound:
        return None
    finally:
        source.close()


def _layout(originals: Originals) -> dict[str, bytes]:
    entries = [entry(image, "1", str(image.reference)) for image in originals.images]
    return layout_files(originals.memory, entries)


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x20]) + data[middle + 1 :]
