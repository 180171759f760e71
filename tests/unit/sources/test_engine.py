from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.content.hashing import sha256
from bundler.content.images import EngineForm, FoundImage, RegistryForm
from bundler.content.streams import StreamFile
from bundler.errors import DamagedContent, InvalidReference, MalformedDocument, NotFound, Unreachable
from bundler.model.reference import Reference
from bundler.sources.docker_archive import DockerArchiveSource
from bundler.sources.engine import EngineSource
from bundler.transports.engine import EngineClient
from tests.fakes.engine import FakeEngine
from tests.fakes.engine_stores import ClassicStore, ContainerdStore
from tests.fakes.memory import CountingTask, MemorySource
from tests.unit.engines import (
    CLASSIC,
    CLASSIC_STORES,
    CONTAINERD,
    ENGINES,
    layer,
    load,
    make_fake,
    new_name,
    running,
)
from tests.unit.sources.reading import read, read_all_of, wanted_of


@pytest.fixture(params=ENGINES)
def client(request: pytest.FixtureRequest) -> Iterator[EngineClient]:
    with running(request.param, request) as host:
        client = EngineClient(host)
        yield client
        client.close()


@pytest.fixture
def old() -> Iterator[FakeEngine]:
    with make_fake(CLASSIC) as engine:
        yield engine


@pytest.fixture
def containerd() -> Iterator[FakeEngine]:
    with make_fake(CONTAINERD) as engine:
        yield engine


def image_of(client: EngineClient, *layers: bytes, compression: str = "gzip") -> FoundImage:
    source, name = MemorySource(), new_name()
    load(client, source, source.make_image(layers, name, compression=compression))
    (found,) = EngineSource(client).resolve(name)
    return found


def save(client: EngineClient, image: FoundImage, path: Path) -> Path:
    stream = client.save(str(image.reference))
    path.write_bytes(StreamFile(stream).read())
    stream.close()
    return path


def test_an_image_is_found_in_the_form_that_the_store_keeps(client: EngineClient) -> None:
    layers = [layer(new_name()) for _ in range(3)]
    image = image_of(client, *layers)
    if client.info.store == "classic":
        assert isinstance(image, EngineForm)
        assert image.diff_ids == tuple(map(sha256, layers))
        assert str(image.platform) == "linux/amd64"
    else:
        assert isinstance(image, RegistryForm)
        assert image.tree.root.annotations == {}


def test_an_engine_and_its_saved_file_give_the_same_in_the_same_order(
    client: EngineClient, tmp_path: Path
) -> None:
    top = layer(new_name())
    # One layer twice: an engine saves it once, and a link beside it that may come first.
    image = image_of(client, layer(new_name()), top, layer(new_name()), top, compression="none")
    source = EngineSource(client)
    archive = DockerArchiveSource(save(client, image, tmp_path / "saved.tar"))
    (from_file,) = archive.resolve("")
    if isinstance(image, EngineForm):
        assert isinstance(from_file, EngineForm)
        assert (from_file.config_digest, from_file.diff_ids) == (image.config_digest, image.diff_ids)
        assert (from_file.reference, from_file.platform) == (image.reference, image.platform)
    else:
        assert from_file == image
    assert source.kind == archive.kind
    first, second = read(source, image), read(archive, from_file)
    assert list(first.items()) == list(second.items())
    assert set(first) == wanted_of(image)
    archive.close()


@pytest.mark.parametrize("client", CLASSIC_STORES, indirect=True)
def test_images_on_one_base_come_together_from_the_engine_and_from_a_file_of_more(
    client: EngineClient, tmp_path: Path
) -> None:
    base, own = [layer(new_name()), layer(new_name())], [layer(new_name()) for _ in range(3)]
    images = [image_of(client, *base, top, compression="none") for top in own]
    saved = client.save(*(str(image.reference) for image in (*images, image_of(client, *base))))
    path = tmp_path / "saved.tar"
    path.write_bytes(StreamFile(saved).read())
    saved.close()
    source, archive = EngineSource(client), DockerArchiveSource(path)
    first = read_all_of(source, images)
    assert set(first) == set().union(*map(wanted_of, images))
    in_file = [archive.resolve(str(image.reference))[0] for image in images]
    assert list(read_all_of(archive, in_file).items()) == list(first.items())
    # An engine takes the images of a request as it likes; it is all the same.
    for some in (images, images[::-1], [images[1], images[2], images[0]]):
        assert list(read_all_of(source, some)) == list(first)
    left = set(list(first)[1::2])
    assert list(read_all_of(source, images, left)) == [digest for digest in first if digest in left]
    archive.close()


def test_several_images_are_saved_in_two_requests_at_once_and_none_for_nothing(old: FakeEngine) -> None:
    client, task = EngineClient(old.host), CountingTask()
    base = layer("base")
    images = [image_of(client, base, layer(name, size)) for name, size in (("a", 9000), ("b", 3000), ("c", 3000))]
    old.faults.saves_at_once = threading.Barrier(2)
    read_all_of(EngineSource(client), images, task=task)
    ids = [image.config_digest for image in images if isinstance(image, EngineForm)]
    assert sorted(old.saves) == sorted([ids[:1], sorted(ids[1:])])
    assert task.texts[0] == "the engine is preparing 3 images"
    old.saves.clear()
    own = wanted_of(images[1]) - wanted_of(images[0])
    read_all_of(EngineSource(client), images, own)
    assert old.saves == [[image.config_digest for image in images[1:2] if isinstance(image, EngineForm)]]
    client.close()


def test_several_images_in_an_unknown_layout(old: FakeEngine) -> None:
    client, base = EngineClient(old.host), layer("base")
    images = [image_of(client, base, layer(name)) for name in "abc"]
    old.faults.save_prefix = True
    assert set(read_all_of(EngineSource(client), images)) == set().union(*map(wanted_of, images))
    assert len(old.saves) == 4, "two halves to find out, and to hand over"
    client.close()


def test_one_of_several_images_that_vanished_or_a_cut_is_no_success(old: FakeEngine) -> None:
    client, base = EngineClient(old.host), layer("base")
    images, source = [image_of(client, base, layer(name, 200_000)) for name in "ab"], EngineSource(client)
    old.faults.cut_save_after = 1_000
    with pytest.raises(Unreachable):
        read_all_of(source, images)
    old.faults.cut_save_after = None
    client.untag(str(images[1].reference))
    with pytest.raises(NotFound):
        read_all_of(source, images)
    source.close()


def test_an_engine_without_room_for_two_halves_is_asked_for_all_together(old: FakeEngine) -> None:
    client, base = EngineClient(old.host), layer("base")
    images = [image_of(client, base, layer(name)) for name in "ab"]
    first = read_all_of(EngineSource(client), images)
    old.saves.clear()
    old.faults.saves_at_once, old.faults.refuse_one = threading.Barrier(2), True
    assert list(read_all_of(EngineSource(client), images).items()) == list(first.items())
    assert [len(names) for names in old.saves] == [1, 1, 2]
    client.close()


def test_what_an_engine_far_away_sends_comes_once(old: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    client, base = EngineClient(old.host), layer("base")
    images = [image_of(client, base, layer(name)) for name in "ab"]
    monkeypatch.setattr(EngineClient, "is_near", False)
    read_all_of(EngineSource(client), images)
    assert len(old.saves) == 1
    client.close()


def test_an_image_that_the_engine_leaves_out_of_several_is_missed(old: FakeEngine) -> None:
    client, base = EngineClient(old.host), layer("base")
    images, store = [image_of(client, base, layer(name)) for name in "ab"], old.store
    assert isinstance(store, ClassicStore)
    save, left_out = store.save, images[1]
    assert isinstance(left_out, EngineForm)
    # The end of the stream comes as ever; only what was said of the images tells that one is not there.
    store.save = lambda names, nameless: save(  # type: ignore[method-assign]
        [name for name in names if name != left_out.config_digest], nameless
    )
    with pytest.raises(DamagedContent, match=r"did not save 2 of the contents of .*, "):
        read_all_of(EngineSource(client), images)
    client.close()


def test_only_what_is_wanted_is_given(client: EngineClient) -> None:
    image = image_of(client, layer(new_name()), layer(new_name()))
    source = EngineSource(client)
    wanted = sorted(wanted_of(image))[:1]
    stranger = sha256(b"stranger")
    assert list(read(source, image, wanted)) == wanted
    assert list(source.contents([image], [stranger], CountingTask())) == []
    assert list(source.contents([image], [], CountingTask())) == []


def test_contents_may_be_passed_over_unread(client: EngineClient) -> None:
    image = image_of(client, layer(new_name()), layer(new_name()))
    digests = [
        content.digest for content in EngineSource(client).contents([image], wanted_of(image), CountingTask())
    ]
    assert sorted(digests) == sorted(wanted_of(image))


def test_what_is_not_there_is_not_found(client: EngineClient) -> None:
    with pytest.raises(NotFound, match="the engine has no image"):
        EngineSource(client).resolve(new_name())
    with pytest.raises(InvalidReference):
        EngineSource(client).resolve("")


def test_the_long_silence_before_the_first_byte_is_explained(old: FakeEngine) -> None:
    client, task = EngineClient(old.host), CountingTask()
    image = image_of(client, layer("a"))
    read(EngineSource(client), image, task=task)
    assert task.texts[0] == "the engine is preparing the image"
    assert task.texts[1].startswith("reading")
    client.close()


def test_an_image_is_saved_once_however_the_engine_names_its_layers(old: FakeEngine) -> None:
    client = EngineClient(old.host)
    image = image_of(client, layer("a"), layer("b"), layer("a"))
    read(EngineSource(client), image)
    assert len(old.saves) == 1
    client.close()


def test_an_unknown_layout_costs_a_second_save_but_is_read(old: FakeEngine) -> None:
    client = EngineClient(old.host)
    image = image_of(client, layer("a"), layer("b"), layer("a"))
    old.faults.save_prefix = True
    assert set(read(EngineSource(client), image)) == wanted_of(image)
    assert len(old.saves) == 2
    client.close()


def test_a_moved_name_does_not_change_what_is_read(old: FakeEngine) -> None:
    client, source = EngineClient(old.host), MemorySource()
    image = image_of(client, layer("a"))
    load(client, source, source.make_image([layer("b")], str(image.reference)))
    assert set(read(EngineSource(client), image)) == wanted_of(image)
    client.close()


@pytest.mark.parametrize("which", [CLASSIC, CONTAINERD])
def test_an_image_that_vanished_or_was_cut_is_no_success(which: str) -> None:
    with make_fake(which) as engine:
        client = EngineClient(engine.host)
        image, source = image_of(client, layer("a"), layer("b", 200_000)), EngineSource(client)
        engine.faults.cut_save_after = 1_000
        with pytest.raises(Unreachable):
            read(source, image)
        engine.faults.cut_save_after = None
        client.untag(str(image.reference))
        with pytest.raises(NotFound):
            read(source, image)
        source.close()


def test_a_content_that_the_engine_leaves_out_is_missed(containerd: FakeEngine) -> None:
    client = EngineClient(containerd.host)
    image, store = image_of(client, layer("a"), layer("b")), containerd.store
    assert isinstance(image, RegistryForm)
    assert isinstance(store, ContainerdStore)
    del store.blobs[image.tree.platform_images()[0].manifest.layers[0].digest]
    with pytest.raises(DamagedContent, match="did not save 1"):
        read(EngineSource(client), image)
    with pytest.raises(DamagedContent, match="not saved whole"):
        EngineSource(client).resolve(str(image.reference))
    client.close()


def test_platforms_that_the_engine_has_in_part_are_left_out(containerd: FakeEngine) -> None:
    client, source, name = EngineClient(containerd.host), MemorySource(), new_name()
    images = [
        source.make_image([layer(platform)], f"x{number}:1", platform=platform)
        for number, platform in enumerate(("linux/amd64", "linux/arm64"))
    ]
    index = source.make_index(images, name)
    load(client, source, index)
    (whole,) = EngineSource(client).resolve(name)
    assert whole == RegistryForm(Reference.parse(name), index.tree)
    store = containerd.store
    assert isinstance(store, ContainerdStore)
    del store.blobs[images[1].tree.platform_images()[0].manifest.layers[0].digest]
    (sparse,) = EngineSource(client).resolve(name)
    assert isinstance(sparse, RegistryForm)
    assert sparse.tree.root.digest == index.tree.root.digest
    assert [str(image.platform) for image in sparse.tree.platform_images()] == ["linux/amd64"]
    assert set(read(EngineSource(client), sparse)) == wanted_of(sparse)
    client.close()


def test_an_image_is_found_by_the_digest_of_its_manifest(containerd: FakeEngine) -> None:
    client, source, name = EngineClient(containerd.host), MemorySource(), new_name()
    image = source.make_image([layer("a")], name)
    load(client, source, image)
    pinned = f"{Reference.parse(name).name}@{image.tree.root.digest}"
    (found,) = EngineSource(client).resolve(pinned)
    assert isinstance(found, RegistryForm)
    assert str(found.reference) == pinned
    assert set(read(EngineSource(client), found)) == wanted_of(image)
    client.close()


def test_a_damaged_manifest_is_found(containerd: FakeEngine) -> None:
    client = EngineClient(containerd.host)
    image, store = image_of(client, layer("a")), containerd.store
    assert isinstance(image, RegistryForm)
    assert isinstance(store, ContainerdStore)
    root = image.tree.root.digest
    store.blobs[root] = store.blobs[root].replace(b"schemaVersion", b"schemaversion")
    with pytest.raises((DamagedContent, MalformedDocument)):
        EngineSource(client).resolve(str(image.reference))
    client.close()


def test_sources_say_where_an_image_came_from() -> None:
    assert EngineSource.kind == DockerArchiveSource.kind == "docker"
