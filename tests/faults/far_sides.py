"""Places that images arrive at, and their eyes: what a name leads to there, read to the last byte and proven."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundler.api.one_by_one import put_images
from bundler.api.transfer_report import TransferReport
from bundler.bundle.reader import Bundle
from bundler.content.images import ImageDestination, ImageSource, RegistryForm
from bundler.destinations.docker_archive import DockerArchiveDestination
from bundler.destinations.engine import EngineDestination
from bundler.destinations.oci_layout import OciLayoutDestination
from bundler.destinations.registry import RegistryDestination
from bundler.errors import NotABundle, NotFound
from bundler.model.digest import Digest
from bundler.model.platforms import Platform
from bundler.progress import SILENT
from bundler.sources.docker_archive import DockerArchiveSource
from bundler.sources.engine import EngineSource
from bundler.sources.oci_layout import OciLayoutSource
from bundler.sources.registry import RegistrySource
from bundler.transports.engine import EngineClient
from tests.fakes.engine_archives import chain_ids
from tests.fakes.engine_stores import ClassicStore, ContainerdStore, Store
from tests.fakes.registry import FakeRegistry
from tests.registry_access import PLAIN_HTTP
from tests.servers.either_registry import serve
from tests.servers.engine import RealEngine
from tests.servers.registry import RealRegistry
from tests.unit.engines import CLASSIC, CONTAINERD, make_fake
from tests.unit.sources.reading import read

_AMD64 = Platform.parse("linux/amd64")


@dataclass(frozen=True)
class FarSide:
    """One such place.

    Attributes:
        open: makes a destination for it.
        source: opens it for reading; raises if there is nothing to open.
        rename: gives the name there of a name in the bundle.
        check_store: fails if bytes lie there under a digest that is not theirs, also where no name leads to them.
        keeps_blobs: whether it takes every blob of an image, and as it is.
        is_one_file: whether it holds all images that were asked for or none.
    """

    open: Callable[[], ImageDestination]
    source: Callable[[], ImageSource]
    rename: Callable[[str], str]
    check_store: Callable[[], None]
    keeps_blobs: bool
    is_one_file: bool = False

    def take(self, bundle: Bundle) -> TransferReport:
        """Put all images of a bundle here."""
        return put_images(bundle, bundle.images(), self.open, "put", SILENT)

    def arrived(self, bundle: Bundle) -> set[str]:
        """Return the images of a bundle that are here; fail if one of them is not right, or not whole."""
        self.check_store()
        result: set[str] = set()
        try:
            source = self.source()
        except (NotFound, NotABundle):
            return result
        try:
            for _, image in bundle.images():
                if self._is_here(source, image.reference, {image.descriptor.digest, *image.image_ids}):
                    result.add(image.reference)
        finally:
            source.close()
        return result

    def _is_here(self, source: ImageSource, reference: str, known_as: set[Digest]) -> bool:
        try:
            (found,) = source.resolve(self.rename(reference))
        except NotFound:
            return False
        assert read(source, found).keys() == found.digests
        root = found.tree.root.digest if isinstance(found, RegistryForm) else found.config_digest
        assert root in known_as
        return True


MakeFarSide = Callable[[Path, pytest.FixtureRequest], AbstractContextManager[FarSide]]


def _same(name: str) -> str:
    return name


def _nothing() -> None:
    pass


@contextmanager
def layout(place: Path, request: pytest.FixtureRequest) -> Iterator[FarSide]:
    path = place / "layout"

    def check_store() -> None:
        for blob in (path / "blobs" / "sha256").glob("*"):
            assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name

    yield FarSide(
        lambda: OciLayoutDestination(path),
        lambda: OciLayoutSource(path, archive=False),
        _same,
        check_store,
        keeps_blobs=True,
    )


@contextmanager
def archive(place: Path, request: pytest.FixtureRequest) -> Iterator[FarSide]:
    path = place / "images.tar"

    def check_store() -> None:
        assert [found.name for found in place.glob("images.tar*")] in ([], ["images.tar"])

    yield FarSide(
        lambda: DockerArchiveDestination(path, _AMD64),
        lambda: DockerArchiveSource(path),
        _same,
        check_store,
        keeps_blobs=False,
        is_one_file=True,
    )


def registry(kind: str, piece_bytes: int | None = None) -> MakeFarSide:
    @contextmanager
    def make(place: Path, request: pytest.FixtureRequest) -> Iterator[FarSide]:
        with serve(kind) as server:

            def check_store() -> None:
                for digest, data in _blobs_in(server):
                    assert hashlib.sha256(data).hexdigest() == digest

            yield FarSide(
                lambda: RegistryDestination(
                    server.address, PLAIN_HTTP, piece_bytes=piece_bytes, on_existing_tag="overwrite"
                ),
                lambda: RegistrySource(PLAIN_HTTP),
                lambda name: f"{server.address}/{name.partition('/')[2]}",
                check_store,
                keeps_blobs=True,
            )

    return make


def _blobs_in(server: FakeRegistry | RealRegistry) -> Iterator[tuple[str, bytes]]:
    if isinstance(server, FakeRegistry):
        yield from ((digest.partition(":")[2], data) for digest, data in server.store.blobs.items())
    else:
        for path in server.storage.glob("docker/registry/v2/blobs/sha256/*/*/data"):
            yield path.parent.name, path.read_bytes()


def fake_engine(which: str) -> MakeFarSide:
    @contextmanager
    def make(place: Path, request: pytest.FixtureRequest) -> Iterator[FarSide]:
        with make_fake(which) as fake:
            yield _engine(fake.host, lambda: _check_engine_store(fake.store))

    return make


def real_engine(fixture: str) -> MakeFarSide:
    @contextmanager
    def make(place: Path, request: pytest.FixtureRequest) -> Iterator[FarSide]:
        engine: RealEngine = request.getfixturevalue(fixture)
        engine.empty()
        yield _engine(engine.host, _nothing)
        engine.empty()

    return make


def _engine(host: str, check_store: Callable[[], None]) -> FarSide:
    return FarSide(
        lambda: EngineDestination(EngineClient(host)),
        lambda: EngineSource(EngineClient(host)),
        _same,
        check_store,
        keeps_blobs=False,
    )


def _check_engine_store(store: Store) -> None:
    if isinstance(store, ContainerdStore):
        for digest, data in store.blobs.items():
            assert f"sha256:{hashlib.sha256(data).hexdigest()}" == digest
    if isinstance(store, ClassicStore):
        for image_id, config in store.images.items():
            assert f"sha256:{hashlib.sha256(config).hexdigest()}" == image_id
        # A layer is known by the chain that ends with it: each must be the next one of some image's chain.
        of_one = {chain_ids([_sha(layer)])[0]: chain for chain, layer in store.layers.items()}
        assert all(chain in store.layers for chain in of_one.values())


def _sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


FAR_SIDES: dict[str, MakeFarSide] = {
    "layout": layout,
    "docker archive": archive,
    "fake registry": registry("fake"),
    "real registry": registry("real"),
    # Of a blob that turns out damaged some pieces were taken then.
    "fake registry, in pieces": registry("fake", 64 << 10),
    "real registry, in pieces": registry("real", 64 << 10),
    CLASSIC: fake_engine(CLASSIC),
    CONTAINERD: fake_engine(CONTAINERD),
    "real engine": real_engine("second_engine"),
    "real engine 26 containerd": real_engine("engine_26_containerd"),
}
_MARKS = {"real registry": pytest.mark.registry, "real engine": pytest.mark.engine}
#: For ``pytest.mark.parametrize``.
KINDS = [
    pytest.param(name, marks=[mark for server, mark in _MARKS.items() if name.startswith(server)])
    for name in FAR_SIDES
]
