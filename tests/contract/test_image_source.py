"""What every ``ImageSource`` and ``BlobReader`` promises, tried on every one that there is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.content.hashing import sha256
from bundler.content.images import BlobReader, EngineForm, FoundImage, RegistryForm
from bundler.content.streams import VerifiedStream
from bundler.errors import AirbundleError, DamagedContent, NotFound
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from tests.contract.subjects import DAMAGEABLE, LISTING, READERS, SOURCES, WITHOUT_DIGESTS, SourceCase, params
from tests.fakes.memory import CountingTask
from tests.fakes.streams import read_and_close
from tests.unit.sources.reading import read, read_all_of, wanted_of


@pytest.fixture(params=params(SOURCES))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SourceCase]:
    with SOURCES[request.param](tmp_path, request) as made:
        yield made


listing = pytest.mark.parametrize("case", params(LISTING), indirect=True)
damageable = pytest.mark.parametrize("case", params(DAMAGEABLE), indirect=True)
without_digests = pytest.mark.parametrize("case", params(WITHOUT_DIGESTS), indirect=True)
readers = pytest.mark.parametrize("case", params(READERS), indirect=True)
damageable_readers = pytest.mark.parametrize(
    "case", params(name for name in READERS if name in DAMAGEABLE), indirect=True
)


def find(case: SourceCase, original: RegistryForm) -> FoundImage:
    (found,) = case.source.resolve(str(original.reference))
    return found


def is_the_same(found: FoundImage, original: RegistryForm) -> bool:
    if isinstance(found, RegistryForm):
        return found.tree.root.digest == original.tree.root.digest
    return found.config_digest == original.tree.platform_images()[0].image_id


def test_kind(case: SourceCase) -> None:
    assert case.source.kind in ("docker", "oci", "registry", "bundle")


def test_a_name_finds_its_image_and_no_other(case: SourceCase) -> None:
    for original in case.originals.images:
        found = find(case, original)
        assert found.reference == original.reference
        assert is_the_same(found, original)
        if isinstance(found, EngineForm):
            image = original.tree.platform_images()[0]
            assert found.diff_ids == tuple(diff_id for _, diff_id in image.layers())
            assert found.platform == image.platform
        else:
            assert dict(found.tree.documents) == dict(original.tree.documents)


@listing
def test_nothing_means_everything_in_a_fixed_order(case: SourceCase) -> None:
    found = case.source.resolve("")
    assert {image.reference for image in found} == {image.reference for image in case.originals.images}
    assert [image.reference for image in case.source.resolve("")] == [image.reference for image in found]


def test_what_is_not_there_is_not_found(case: SourceCase) -> None:
    name = case.originals.web.reference.name
    for absent in (f"{name}:no-such-tag", f"{name}-no-such-repository:1"):
        with pytest.raises(NotFound):
            case.source.resolve(absent)


def test_every_content_comes_once_and_right(case: SourceCase) -> None:
    known = case.originals.known
    for original in case.originals.images:
        found = find(case, original)
        contents = read(case.source, found)
        assert contents.keys() == wanted_of(found)
        assert all(data == known[digest] for digest, data in contents.items())


@without_digests
def test_several_images_in_engine_form_come_together(case: SourceCase) -> None:
    images = [find(case, original) for original in case.originals.images]
    known, wanted = case.originals.known, wanted_of(images[0]) | wanted_of(images[1])
    contents = read_all_of(case.source, images)
    assert contents.keys() == wanted
    assert all(data == known[digest] for digest, data in contents.items())
    for digest in sorted(wanted):
        assert list(read_all_of(case.source, images, {digest})) == [digest]
    assert read_all_of(case.source, images, set()) == {}
    assert read_all_of(case.source, [images[0], images[0]], wanted_of(images[0])).keys() == wanted_of(images[0])


def test_contents_come_in_the_order_of_their_places(case: SourceCase) -> None:
    found = find(case, case.originals.web)
    places = [content.place for content in case.source.contents([found], wanted_of(found), CountingTask())]
    assert places == sorted(places)


def test_places_that_are_known_before_are_those_of_the_contents(case: SourceCase) -> None:
    groups: list[list[FoundImage]] = [[find(case, original)] for original in case.originals.images]
    if isinstance(groups[0][0], EngineForm):
        groups.append([*groups[0], *groups[1]])
    configs = {image.tree.platform_images()[0].image_id: image for image in case.originals.images}
    raws = {digest: image.tree.documents[digest] for digest, image in configs.items()}
    for images in groups:
        wanted = set().union(*map(wanted_of, images))
        given = {content.digest: content.place for content in case.source.contents(images, wanted, CountingTask())}
        for known in ({}, raws):
            places = case.source.places(images, known)
            assert {digest: given[digest] for digest in places if digest in wanted} == {
                digest: place for digest, place in places.items() if digest in wanted
            }


def test_every_layer_has_a_place_that_is_known_before(case: SourceCase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    found = find(case, case.originals.web)
    original = case.originals.web.tree
    config = original.platform_images()[0].image_id
    layers = wanted_of(found) - {found.config_digest} if isinstance(found, EngineForm) else wanted_of(found)
    assert layers <= case.source.places([found], {config: original.documents[config]}).keys()


def test_the_order_is_always_the_same(case: SourceCase) -> None:
    found = find(case, case.originals.web)
    first, second = list(read(case.source, found)), list(read(case.source, found))
    assert first == second
    some = set(first[1:])
    assert list(read(case.source, find(case, case.originals.web), some)) == first[1:]


def test_only_what_is_wanted_comes(case: SourceCase) -> None:
    found = find(case, case.originals.web)
    assert read(case.source, found, set()) == {}
    for digest in sorted(wanted_of(found)):
        assert list(read(case.source, found, {digest})) == [digest]


def test_a_consumer_may_leave_contents_unread(case: SourceCase) -> None:
    found = find(case, case.originals.web)
    wanted = wanted_of(found)
    order = []
    for number, content in enumerate(case.source.contents([found], wanted, CountingTask())):
        order.append(content.digest)
        if number % 2:
            data = read_and_close(VerifiedStream(content.stream, content.size, content.digest))
            assert data == case.originals.known[content.digest]
    assert set(order) == wanted
    assert len(order) == len(wanted)


def test_a_consumer_may_stop_and_begin_again(case: SourceCase) -> None:
    found = find(case, case.originals.web)
    contents = case.source.contents([found], wanted_of(found), CountingTask())
    next(contents)
    contents.close()  # type: ignore[attr-defined]  # every source is a generator
    assert read(case.source, found).keys() == wanted_of(found)


@damageable
def test_damage_is_never_passed_on_as_right(case: SourceCase) -> None:
    found = find(case, case.originals.web)
    documents = {*found.tree.documents} if isinstance(found, RegistryForm) else {found.config_digest}
    digest = min(wanted_of(found) - documents)
    case.damage(digest)
    with pytest.raises(DamagedContent):
        read(case.source, found, {digest})
    for other in wanted_of(found) - {digest}:
        # A neighbour in the same block of a bundle may be refused as well, but it is never wrong.
        try:
            assert read(case.source, found, {other}) == {other: case.originals.known[other]}
        except DamagedContent:
            assert case.source.kind == "bundle"


def test_closing_twice_is_closing(case: SourceCase) -> None:
    case.source.resolve(str(case.originals.web.reference))
    case.source.close()
    case.source.close()


# -- BlobReader -----------------------------------------------------------------------------------------------


@pytest.fixture
def reader(case: SourceCase) -> BlobReader:
    for image in case.originals.images:
        case.source.resolve(str(image.reference))
    return case.reader


def blobs(case: SourceCase) -> list[Descriptor]:
    return list(case.originals.web.tree.blobs())


@readers
def test_every_blob_from_every_offset(case: SourceCase, reader: BlobReader) -> None:
    for descriptor in blobs(case):
        data = case.originals.memory.blobs[descriptor.digest]
        for offset in (0, 1, len(data) // 2, len(data) - 1, len(data)):
            assert read_and_close(reader.open_blob(descriptor, offset)) == data[offset:]


@readers
def test_blobs_may_be_read_by_several_threads(case: SourceCase, reader: BlobReader) -> None:
    wrong: list[object] = []

    def work() -> None:
        try:
            for descriptor in blobs(case) * 3:
                if sha256(read_and_close(reader.open_blob(descriptor))) != descriptor.digest:
                    wrong.append(descriptor)
        except AirbundleError as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@readers
def test_two_streams_of_one_blob_do_not_disturb_each_other(case: SourceCase, reader: BlobReader) -> None:
    layer = blobs(case)[-1]
    data = case.originals.memory.blobs[layer.digest]
    one, two = reader.open_blob(layer), reader.open_blob(layer)
    buffer = memoryview(bytearray(3))
    assert one.readinto(buffer) == 3
    assert read_and_close(two) == data
    assert read_and_close(one) == data[3:]


@readers
def test_a_blob_that_is_not_there(case: SourceCase, reader: BlobReader) -> None:
    absent = Descriptor(media_type="a/b", digest=Digest.from_hex("0" * 64), size=3)
    with pytest.raises(NotFound):
        read_and_close(reader.open_blob(absent))


@damageable_readers
def test_a_damaged_blob_is_not_read_to_its_end(case: SourceCase, reader: BlobReader) -> None:
    layer = blobs(case)[-1]
    case.damage(layer.digest)
    with pytest.raises(DamagedContent):
        read_and_close(reader.open_blob(layer))


@readers
def test_closing_a_stream_early_and_twice(case: SourceCase, reader: BlobReader) -> None:
    stream = reader.open_blob(blobs(case)[-1])
    stream.readinto(memoryview(bytearray(1)))
    stream.close()
    stream.close()
