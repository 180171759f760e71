from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

import pytest

from bundler.content.hashing import sha256
from bundler.content.images import OnExistingTag, OutgoingImage, PutResult, RegistryForm
from bundler.destinations.engine import EngineDestination
from bundler.destinations.engine_patience import Patience
from bundler.errors import DamagedContent, NoSpace, NotFound, PolicyRefused, Refused, Unreachable, UsageError
from bundler.model.reference import Reference
from bundler.transports.engine import EngineClient
from tests.fakes.engine import FakeEngine
from tests.fakes.engine_stores import ClassicStore
from tests.fakes.memory import CountingTask, MemorySource, tar_of
from tests.unit.engines import CLASSIC, CONTAINERD, ENGINES, NEW_CLASSIC, layer, make_fake, new_name, running


@pytest.fixture(params=ENGINES)
def client(request: pytest.FixtureRequest) -> Iterator[EngineClient]:
    with running(request.param, request) as host:
        client = EngineClient(host)
        yield client
        client.close()


@pytest.fixture(params=[CLASSIC, CONTAINERD])
def fake(request: pytest.FixtureRequest) -> Iterator[FakeEngine]:
    with make_fake(request.param) as engine:
        yield engine


@pytest.fixture
def old() -> Iterator[FakeEngine]:
    with make_fake(CLASSIC) as engine:
        yield engine


def put(
    client: EngineClient,
    source: MemorySource,
    image: RegistryForm,
    on_existing_tag: OnExistingTag = "overwrite",
    sizes: dict[str, int] | None = None,
) -> PutResult:
    """Put an image, and see that the task was told of all its bytes."""
    task = CountingTask()
    outgoing = OutgoingImage(image.reference, image.tree, sizes or {})  # type: ignore[arg-type]
    destination = EngineDestination(client, on_existing_tag, patience=Patience(delays=()))
    result = destination.put(outgoing, source, task)
    assert task.done == sum(blob.size for blob in image.tree.blobs())
    return result


def is_classic(client: EngineClient) -> bool:
    return client.info.store == "classic"


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_an_image_is_loaded_and_loading_it_again_sends_nothing(client: EngineClient, compression: str) -> None:
    source, name = MemorySource(), new_name()
    layers = [layer(new_name()), layer(new_name())]
    image = source.make_image([*layers, layers[0]], name, compression=compression)
    first = put(client, source, image)
    assert (first.status, first.target, first.replaced) == ("loaded", name, None)
    assert first.bytes_sent > 0
    assert first.digest == (
        image.tree.platform_images()[0].image_id if is_classic(client) else image.tree.root.digest
    )
    found = client.inspect(name)
    assert found is not None
    assert found.id == first.digest
    assert found.diff_ids == tuple(map(sha256, [*layers, layers[0]]))
    source.opened.clear()
    second = put(client, source, image)
    assert (second.status, second.bytes_sent, second.digest) == ("skipped", 0, first.digest)
    assert second.bytes_skipped == sum(blob.size for blob in image.tree.blobs())
    assert source.opened == []


def test_a_second_name_sends_no_layer(client: EngineClient) -> None:
    source, name, other = MemorySource(), new_name(), new_name("other")
    image = source.make_image([layer(name)], name)
    first = put(client, source, image)
    source.opened.clear()
    second = put(client, source, replace(image, reference=Reference.parse(other)))
    assert (second.status, second.bytes_sent, second.digest) == ("loaded", 0, first.digest)
    assert source.opened == []
    found = client.inspect(other)
    assert found is not None
    assert found.id == first.digest


def test_a_classic_store_gets_only_the_layers_above_those_that_it_has(client: EngineClient) -> None:
    source = MemorySource()
    base, middle, top = (layer(new_name()) for _ in range(3))
    put(client, source, source.make_image([base, middle], new_name()))
    source.opened.clear()
    image = source.make_image([base, middle, top, base], new_name())
    result = put(client, source, image)
    stored = [blob.digest for blob in image.tree.platform_images()[0].manifest.layers]
    if is_classic(client):
        # The base again, on top of others, is another layer for the engine.
        assert set(source.opened) == {stored[2], stored[0]}
        assert result.bytes_skipped == len(source.blobs[stored[1]])
    else:
        assert set(stored) <= set(source.opened)
    found = client.inspect(str(image.reference))
    assert found is not None
    assert found.diff_ids == tuple(map(sha256, [base, middle, top, base]))


def test_the_same_layers_in_another_order_are_sent_again(client: EngineClient) -> None:
    source, first, second = MemorySource(), layer(new_name()), layer(new_name())
    put(client, source, source.make_image([first, second], new_name()))
    source.opened.clear()
    image = source.make_image([second, first], new_name())
    put(client, source, image)
    assert {blob.digest for blob in image.tree.platform_images()[0].manifest.layers} <= set(source.opened)


def test_a_name_that_points_elsewhere_is_moved_kept_or_refused(client: EngineClient) -> None:
    source, name = MemorySource(), new_name()
    old = put(client, source, source.make_image([layer(new_name())], name))
    image = source.make_image([layer(new_name())], name)
    with pytest.raises(PolicyRefused, match=old.digest):
        put(client, source, image, "error")
    kept = put(client, source, image, "skip")
    assert (kept.status, kept.digest, kept.replaced) == ("skipped", old.digest, None)
    assert old.digest in kept.notes[0]
    assert client.inspect(name).id == old.digest  # type: ignore[union-attr]
    moved = put(client, source, image)
    assert (moved.status, moved.replaced) == ("loaded", old.digest)
    assert client.inspect(name).id == moved.digest  # type: ignore[union-attr]


@pytest.mark.parametrize("policy", get_args(OnExistingTag))
def test_what_is_there_already_breaks_no_policy(client: EngineClient, policy: OnExistingTag) -> None:
    source, name = MemorySource(), new_name()
    image = source.make_image([layer(name)], name)
    put(client, source, image, policy)
    assert put(client, source, image, policy).status == "skipped"


def test_a_reference_with_a_digest_only_is_loaded_without_a_name(client: EngineClient) -> None:
    source = MemorySource()
    image = source.make_image([layer(new_name())], new_name())
    pinned = replace(image, reference=Reference.parse(f"{image.reference.name}@{image.tree.root.digest}"))
    result = put(client, source, pinned)
    assert result.status == "loaded"
    assert "no tag" in result.notes[0]
    assert client.inspect(result.digest).repo_tags == ()  # type: ignore[union-attr]
    assert put(client, source, pinned).status == "skipped"


def test_another_architecture_is_loaded_with_a_warning(client: EngineClient) -> None:
    source = MemorySource()
    result = put(client, source, source.make_image([layer(new_name())], new_name(), platform="linux/s390x"))
    assert result.status == "loaded"
    assert "linux/s390x" in result.notes[0]


def test_of_several_platforms_the_engine_gets_what_its_store_can_hold(client: EngineClient) -> None:
    source = MemorySource()
    images = [
        source.make_image([layer(new_name())], new_name(), platform=platform)
        for platform in ("linux/s390x", "linux/amd64")
    ]
    index = source.make_index(images, new_name())
    result = put(client, source, index)
    expected = images[1].tree.platform_images()[0].image_id if is_classic(client) else index.tree.root.digest
    assert (result.digest, result.notes) == (expected, ())
    assert (images[0].tree.platform_images()[0].manifest.layers[0].digest in source.opened) != is_classic(client)


def test_a_damaged_blob_leaves_the_engine_as_it_was(client: EngineClient) -> None:
    source, name = MemorySource(), new_name()
    before = put(client, source, source.make_image([layer(new_name())], name))
    image = source.make_image([layer(new_name()), tar_of({"r": random.Random(name).randbytes(200_000)})], name)
    digest = image.tree.platform_images()[0].manifest.layers[1].digest
    data = source.blobs[digest]
    source.blobs[digest] = data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(DamagedContent):
        put(client, source, image)
    assert client.inspect(name).id == before.digest  # type: ignore[union-attr]
    fresh = replace(image, reference=Reference.parse(new_name()))
    with pytest.raises(DamagedContent):
        put(client, source, fresh)
    assert client.inspect(str(fresh.reference)) is None


def test_an_engine_before_23_gets_zstd_layers_plain_whether_or_not_their_size_is_known(old: FakeEngine) -> None:
    client, source, data = EngineClient(old.host), MemorySource(), layer("a", 50_000)
    for sizes in (True, False):
        image = source.make_image([data, layer(str(sizes))], new_name(), compression="zstd")
        digests = [blob.digest for blob in image.tree.platform_images()[0].manifest.layers]
        known = dict(zip(digests, (len(data), len(layer(str(sizes)))), strict=True)) if sizes else {}
        put(client, source, image, sizes=known)  # type: ignore[arg-type]
        assert not any(digest.hex in name for digest in digests for name in old.uploads[-1])
    store = old.store
    assert isinstance(store, ClassicStore)
    assert data in store.layers.values()
    client.close()


def test_an_engine_from_23_on_gets_zstd_layers_as_they_are() -> None:
    with make_fake(NEW_CLASSIC) as engine:
        client, source = EngineClient(engine.host), MemorySource()
        image = source.make_image([layer("a")], new_name(), compression="zstd")
        result = put(client, source, image)
        sent = {blob.digest: blob.size for blob in image.tree.blobs() if blob.digest != image.tree.root.digest}
        assert result.bytes_sent == sum(sent.values())
        client.close()


def test_a_wrong_recorded_size_is_found_before_the_engine_has_anything(old: FakeEngine) -> None:
    client, source = EngineClient(old.host), MemorySource()
    image = source.make_image([layer("a")], new_name(), compression="zstd")
    digest = image.tree.platform_images()[0].manifest.layers[0].digest
    with pytest.raises(DamagedContent):
        put(client, source, image, sizes={digest: len(layer("a")) - 512})
    assert client.inspect(str(image.reference)) is None
    client.close()


def test_success_is_what_inspecting_says_and_not_what_the_engine_says(fake: FakeEngine) -> None:
    client, source = EngineClient(fake.host), MemorySource()
    fake.faults.lies_on_load = True
    with pytest.raises(Refused, match="no such image"):
        put(client, source, source.make_image([layer("a")], new_name()))
    client.close()


def test_an_engine_that_stored_only_a_part_is_not_believed() -> None:
    class Forgetful(dict[str, bytes]):
        def update(self, files: dict[str, bytes]) -> None:  # type: ignore[override]
            super().update({digest: data for digest, data in files.items() if data[:1] == b"{"})

    with make_fake(CONTAINERD) as engine:
        client, source = EngineClient(engine.host), MemorySource()
        engine.store.blobs = Forgetful()  # type: ignore[attr-defined]
        image = source.make_image([layer("a")], new_name())
        with pytest.raises(Refused, match="does not have all"):
            put(client, source, image)
        assert client.inspect(str(image.reference)) is None
        client.close()


def test_an_engine_that_fails_after_it_moved_the_name_gets_the_name_back(fake: FakeEngine) -> None:
    client, source, name = EngineClient(fake.host), MemorySource(), new_name()
    before = put(client, source, source.make_image([layer("a")], name))
    # A second name keeps the old image alive, as some stores drop what has none.
    client.tag(name, Reference.parse(new_name()))
    fake.faults.moves_tag_and_fails = True
    with pytest.raises(Refused, match="failed to register layer"):
        put(client, source, source.make_image([layer("b")], name))
    assert client.inspect(name).id == before.digest  # type: ignore[union-attr]
    fresh = new_name()
    with pytest.raises(Refused):
        put(client, source, source.make_image([layer("c")], fresh))
    assert client.inspect(fresh) is None
    client.close()


def test_a_full_disk_and_a_broken_connection_are_told_apart(fake: FakeEngine) -> None:
    client, source = EngineClient(fake.host), MemorySource()
    image = source.make_image([layer("a")], new_name())
    fake.faults.load_error = "write /var/lib/docker/x: no space left on device"
    with pytest.raises(NoSpace):
        put(client, source, image)
    fake.faults.load_error, fake.faults.break_load_after = None, 1000
    with pytest.raises(Unreachable):
        put(client, source, image)
    fake.faults.break_load_after = None
    assert put(client, source, image).status == "loaded"
    client.close()


def test_several_platforms_are_known_to_be_there_where_the_engine_can_tell() -> None:
    for api_version, status in (("1.45", "loaded"), ("1.47", "skipped")):
        with FakeEngine("28.0.0", "containerd", api_version) as engine:
            client, source = EngineClient(engine.host), MemorySource()
            images = [
                source.make_image([layer(platform)], new_name(), platform=platform)
                for platform in ("linux/amd64", "linux/s390x")
            ]
            index = source.make_index(images, new_name())
            put(client, source, index)
            assert put(client, source, index).status == status
            client.close()


def test_a_platform_that_the_engine_lacks_is_sent_although_the_id_is_the_same() -> None:
    with FakeEngine("28.0.0", "containerd", "1.47") as engine:
        client, source = EngineClient(engine.host), MemorySource()
        images = [
            source.make_image([layer(platform)], new_name(), platform=platform)
            for platform in ("linux/amd64", "linux/s390x")
        ]
        sparse = source.make_index(images[:1], new_name(), absent=[images[1].tree.root])
        whole = source.make_index(images, str(sparse.reference))
        assert sparse.tree.root.digest == whole.tree.root.digest
        only = {d: raw for d, raw in sparse.tree.documents.items() if d not in images[1].tree.documents}
        first = replace(sparse, tree=replace(sparse.tree, documents=only))
        assert put(client, source, first).status == "loaded"
        assert put(client, source, first).status == "skipped"
        assert put(client, source, whole).status == "loaded"
        assert put(client, source, whole).status == "skipped"
        client.close()


def test_an_artifact_fits_only_where_manifests_are_kept(fake: FakeEngine) -> None:
    client, source = EngineClient(fake.host), MemorySource()
    artifact = source.make_artifact(b"payload", new_name())
    if fake.kind == "classic":
        with pytest.raises((NotFound, UsageError)):
            put(client, source, artifact)
    else:
        assert put(client, source, artifact).digest == artifact.tree.root.digest
    client.close()


def test_another_engine_of_the_same_api_gets_all_layers(old: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    client, source, base = EngineClient(old.host), MemorySource(), layer("base")
    put(client, source, source.make_image([base], new_name()))
    source.opened.clear()
    other = replace(client.info, is_docker=False)
    monkeypatch.setitem(client.__dict__, "info", other)
    put(client, source, source.make_image([base, layer("top")], new_name()))
    assert len(source.opened) == 2
    client.close()


def test_finishing_and_aborting_close_the_connection_and_may_be_repeated(old: FakeEngine) -> None:
    destination = EngineDestination(EngineClient(old.host))
    destination.finish()
    destination.abort()
