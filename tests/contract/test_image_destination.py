"""What every ``ImageDestination`` promises, tried on every one that there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundler.content.images import BlobReader, OutgoingImage, PutResult, RegistryForm
from bundler.content.streams import ByteStream, MemoryStream, VerifiedStream
from bundler.errors import AirbundleError, DamagedContent, Unreachable
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from tests.contract.subjects import BLOB_STORES, BREAKING, DESTINATIONS, GROWING, DestinationCase, params
from tests.fakes.memory import CountingTask
from tests.fakes.streams import FailingStream


@pytest.fixture(params=params(DESTINATIONS))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DestinationCase]:
    with DESTINATIONS[request.param](tmp_path, request) as made:
        yield made


blob_stores = pytest.mark.parametrize("case", params(BLOB_STORES), indirect=True)
growing = pytest.mark.parametrize("case", params(GROWING), indirect=True)


def outgoing(image: RegistryForm) -> OutgoingImage:
    return OutgoingImage(image.reference, image.tree)


def total(image: RegistryForm) -> range:
    """Return how many bytes an image may count for: registries do not count manifests among the blobs."""
    everything = sum(descriptor.size for descriptor in image.tree.blobs())
    manifests = sum(descriptor.size for descriptor, _ in image.tree.nodes())
    return range(everything - manifests, everything + 1)


def put(case: DestinationCase, *images: RegistryForm) -> list[PutResult]:
    """Put images through one destination object; the bytes of each are counted once as it goes."""
    destination, results = case.open(), []
    for image in images:
        task = CountingTask()
        results.append(destination.put(outgoing(image), case.originals.memory, task))
        assert task.done in total(image)
    destination.finish()
    return results


def identities(image: RegistryForm) -> set[Digest]:
    return {image.tree.root.digest, image.tree.platform_images()[0].image_id}


def test_what_was_put_is_there_under_its_name(case: DestinationCase) -> None:
    results = put(case, *case.originals.images)
    for result, image in zip(results, case.originals.images, strict=True):
        assert result.reference == str(image.reference)
        assert result.status in ("pushed", "loaded", "extracted")
        assert result.replaced is None
        assert result.digest in identities(image)
        assert case.held(str(image.reference)) in identities(image)


@blob_stores
def test_blobs_stay_as_they_are_and_are_counted(case: DestinationCase) -> None:
    for result, image in zip(put(case, *case.originals.images), case.originals.images, strict=True):
        assert result.digest == case.held(str(image.reference)) == image.tree.root.digest
        assert result.bytes_sent + result.bytes_skipped in total(image)


@growing
def test_the_same_again_is_skipped(case: DestinationCase) -> None:
    put(case, *case.originals.images)
    for result, image in zip(put(case, *case.originals.images), case.originals.images, strict=True):
        assert (result.status, result.bytes_sent, result.replaced) == ("skipped", 0, None)
        assert result.digest in identities(image)
        assert case.held(str(image.reference)) in identities(image)


@growing
def test_a_name_that_moves_says_what_it_pointed_to(case: DestinationCase) -> None:
    web, api = case.originals.images
    put(case, web)
    (result,) = put(case, RegistryForm(web.reference, api.tree))
    assert result.replaced is not None
    assert Digest(result.replaced) in identities(web)
    assert case.held(str(web.reference)) in identities(api)


@blob_stores
def test_layers_that_are_there_are_not_sent_again(case: DestinationCase) -> None:
    web, api = case.originals.images
    _, result = put(case, web, api)
    layers = sum(layer.size for layer in web.tree.platform_images()[0].manifest.layers)
    assert result.bytes_skipped >= layers
    assert result.bytes_sent < layers


class BrokenReader:
    """Gives one layer in a way that a test chooses, and everything else right."""

    def __init__(self, below: BlobReader, digest: Digest, change: Callable[[bytes], ByteStream]) -> None:
        self._below, self._digest, self._change = below, digest, change

    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
        stream = self._below.open_blob(descriptor, offset)
        if descriptor.digest != self._digest:
            return stream
        data = bytearray(descriptor.size - offset)
        stream.readinto(memoryview(data))
        stream.close()
        changed = self._change(bytes(data))
        return changed if offset else VerifiedStream(changed, descriptor.size, descriptor.digest)


MISHAPS: list[tuple[Callable[[bytes], ByteStream], type[AirbundleError]]] = [
    (lambda data: MemoryStream(data[:-5] + b"?" + data[-4:]), DamagedContent),
    (lambda data: MemoryStream(data[:-1]), DamagedContent),
    (lambda data: MemoryStream(data + b"?"), DamagedContent),
    (lambda data: FailingStream(data[:100], Unreachable("gone")), Unreachable),
]


@pytest.mark.parametrize("case", params(BREAKING), indirect=True)
@pytest.mark.parametrize(("change", "kind"), MISHAPS, ids=["flipped", "truncated", "longer", "broken off"])
@pytest.mark.parametrize("ending", ["finish", "abort"])
def test_after_a_mishap_the_name_points_to_what_it_pointed_to(
    case: DestinationCase, change: Callable[[bytes], ByteStream], kind: type[AirbundleError], ending: str
) -> None:
    web, api = case.originals.images
    name = str(web.reference)
    put_first(case, web)
    before = case.held(name)
    fresh = case.originals.memory.make_image([b"\0" * 10240], name, compression="none")
    layer = fresh.tree.platform_images()[0].manifest.layers[0]
    destination = case.open()
    if ending == "finish":
        destination.put(outgoing(api), case.originals.memory, CountingTask())
    broken = BrokenReader(case.originals.memory, layer.digest, change)
    with pytest.raises(kind):
        destination.put(outgoing(fresh), broken, CountingTask())
    destination.finish() if ending == "finish" else destination.abort()
    assert case.held(name) == before
    if ending == "finish":  # one image that failed takes no other with it
        assert case.held(str(api.reference)) in identities(api)


def put_first(case: DestinationCase, image: RegistryForm) -> None:
    """Give the name a meaning that must survive, where the destination can be added to later."""
    if case.grows:
        put(case, image)


def test_aborting_at_once(case: DestinationCase) -> None:
    case.open().abort()
    assert case.held(str(case.originals.web.reference)) is None
