"""What every source and destination promises of images of several platforms, tried on each that can hold one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from bundler.bundle.reader import open_bundle
from bundler.content.images import ImageSource, OutgoingImage, RegistryForm
from bundler.destinations.registry import RegistryDestination
from bundler.errors import NoSuchPlatform
from bundler.model.digest import Digest
from bundler.model.platform_choice import EVERY_PLATFORM, PlatformChoice
from bundler.model.platforms import Platform
from bundler.sources.docker_archive import DockerArchiveSource
from bundler.sources.engine import EngineSource
from bundler.sources.oci_layout import OciLayoutSource
from bundler.sources.registry import RegistrySource
from bundler.transports.engine import EngineClient
from tests.builders import pack_images
from tests.contract.subjects import DESTINATIONS, SOURCES, DestinationCase, SourceCase, params
from tests.fakes.layouts import entry, layout_files, write_archive, write_directory
from tests.fakes.memory import CountingTask, MemorySource, multi_platform, tar_of
from tests.registry_access import PLAIN_HTTP
from tests.servers.either_registry import serve
from tests.unit.engines import CONTAINERD, load, make_fake

LISTED = ("linux/amd64", "linux/arm/v6", "linux/arm/v7", "linux/s390x")
NAME = "multi.test/shop/web:1"


def choice(*names: str, is_default: bool = False) -> PlatformChoice:
    return PlatformChoice(tuple(map(Platform.parse, names)), is_default)


@contextmanager
def holding(
    kind: str, memory: MemorySource, image: RegistryForm, place: Path
) -> Iterator[tuple[ImageSource, str]]:
    """Give a source of a kind that holds the image, and the name that the image has there."""
    files = layout_files(memory, [entry(image, NAME, NAME)])
    if kind.endswith("registry"):
        with serve(kind.split()[0]) as server:
            destination = RegistryDestination(server.address, PLAIN_HTTP)
            destination.put(OutgoingImage(image.reference, image.tree), memory, CountingTask())
            destination.finish()
            yield RegistrySource(PLAIN_HTTP), f"{server.address}/shop/web:1"
    elif kind == "containerd engine":
        with make_fake(CONTAINERD) as engine:
            with closing(EngineClient(engine.host)) as client:
                load(client, memory, image)
            yield EngineSource(EngineClient(engine.host)), NAME
    elif kind == "bundle":
        pack_images(place / "bundle", memory, {"web": [image]})
        yield open_bundle(place / "bundle"), NAME
    elif kind == "oci archive":
        yield OciLayoutSource(write_archive(place / "x.tar", files), archive=True), NAME
    elif kind == "oci directory":
        yield OciLayoutSource(write_directory(place / "x", files), archive=False), NAME
    elif kind == "docker archive":
        yield DockerArchiveSource(write_archive(place / "x.tar", {**files, "manifest.json": b"[]"})), NAME
    else:
        yield memory, NAME


KINDS = [
    *("memory", "oci directory", "oci archive", "docker archive", "bundle", "fake registry", "containerd engine"),
    pytest.param("real registry", marks=pytest.mark.registry),
]


def platforms_in(found: RegistryForm) -> list[str]:
    known = [image.descriptor.platform for image in found.tree.platform_images()]
    return sorted(str(one) for one in known if one is not None and one.is_known)


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_gives_of_an_index_what_is_wanted(kind: str, tmp_path: Path) -> None:
    memory = MemorySource()
    image = multi_platform(memory, NAME, LISTED, layer=lambda text: tar_of({"name": text.encode()}))
    parts = {str(one.platform): one for one in image.tree.platform_images() if one.platform.is_known}
    with holding(kind, memory, image, tmp_path) as (source, name), closing(source):

        def resolve(wanted: PlatformChoice) -> RegistryForm:
            (found,) = source.resolve(name, wanted)
            assert isinstance(found, RegistryForm)
            # The index is to the byte what it was.
            assert found.tree.root.digest == image.tree.root.digest
            return found

        whole = resolve(EVERY_PLATFORM)
        assert whole.digests == image.digests
        assert whole.selection.left_out == ()

        one = resolve(choice("linux/s390x"))
        (attestation,) = [node for node in one.tree.platform_images() if not node.platform.is_known]
        needed = {image.tree.root.digest, attestation.descriptor.digest, *content(attestation)}
        assert one.digests == needed | {parts["linux/s390x"].descriptor.digest, *content(parts["linux/s390x"])}
        assert len(one.selection.left_out) == 6
        assert one.selection.notes == ()
        assert [str(platform) for platform in one.selection.listed] == list(LISTED)

        assert platforms_in(resolve(choice("linux/amd64", "linux/arm"))) == ["linux/amd64", "linux/arm/v7"]
        lower = resolve(choice("linux/arm64"))
        assert platforms_in(lower) == ["linux/arm/v7"]
        assert lower.selection.notes == ("linux/arm/v7 was taken for linux/arm64, the best of what is there",)
        for absent in (choice("linux/ppc64le"), choice("linux/amd64", "windows/amd64"), choice("linux/arm/v5")):
            with pytest.raises(NoSuchPlatform, match="linux/amd64, linux/arm/v6, linux/arm/v7, linux/s390x"):
                source.resolve(name, absent)

        contents = {content.digest for content in source.contents([one], one.digests, CountingTask())}
        assert contents == one.digests


def content(image: object) -> set[Digest]:
    return {child.digest for child in image.manifest.children}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", params(SOURCES))
def test_an_image_without_an_index_is_taken_whatever_is_wanted(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    case: SourceCase
    with SOURCES[name](tmp_path, request) as case:
        reference = str(case.originals.web.reference)
        assert case.source.resolve(reference, choice("linux/s390x")) == case.source.resolve(reference)


@pytest.mark.parametrize("name", params(DESTINATIONS))
def test_a_destination_takes_one_platform_of_an_image_again_and_again(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    case: DestinationCase
    with DESTINATIONS[name](tmp_path, request) as case:
        memory = case.originals.memory
        reference = str(case.originals.web.reference)
        multi_platform(
            memory, reference, LISTED, layer=lambda text: tar_of({"name": f"{text} {reference}".encode()})
        )
        (image,) = memory.resolve(reference, choice("linux/amd64"))
        assert isinstance(image, RegistryForm)
        (own,) = [one for one in image.tree.platform_images() if one.platform.is_known]
        for status in ({"pushed", "loaded", "extracted"}, {"skipped"}):
            destination = case.open()
            result = destination.put(OutgoingImage(image.reference, image.tree), memory, CountingTask())
            destination.finish()
            assert result.status in status
            held = case.held(reference)
            assert held in (image.tree.root.digest, own.descriptor.digest, own.image_id)
            if not case.grows:
                break
