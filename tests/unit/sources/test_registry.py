"""The source: whole trees, verified, from the fake registry and the real one."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from bundler.content.images import OutgoingImage, RegistryForm
from bundler.content.streams import read_all
from bundler.destinations.registry import RegistryDestination
from bundler.errors import (
    DamagedContent,
    InvalidReference,
    MalformedDocument,
    NotFound,
    PolicyRefused,
    ProtocolError,
    Unreachable,
    UsageError,
)
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.limits import DEFAULT_LIMITS
from bundler.progress import SILENT
from bundler.sources.registry import RegistrySource
from bundler.transports.registry.access.access import RegistryAccess
from bundler.transports.registry.access.mirrors import Routes
from bundler.transports.registry.access.places import Places
from bundler.transports.registry.access.registries_conf import Route
from tests.fakes.memory import MemorySource
from tests.fakes.registry import FakeRegistry, Script
from tests.fakes.registry_store import digest_of
from tests.registry_access import PLAIN_HTTP
from tests.servers.either_registry import KINDS, Registry, serve


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[Registry]:
    with serve(request.param) as running:
        yield running


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


@pytest.fixture
def memory() -> MemorySource:
    return MemorySource()


@pytest.fixture
def source() -> Iterator[RegistrySource]:
    made = RegistrySource(PLAIN_HTTP)
    yield made
    made.close()


def push(server: Registry, memory: MemorySource, *images: RegistryForm) -> None:
    destination = RegistryDestination(server.address, PLAIN_HTTP, on_existing_tag="overwrite")
    for image in images:
        destination.put(OutgoingImage(image.reference, image.tree), memory, SILENT.task(""))
    destination.finish()


def read(source: RegistrySource, image: RegistryForm, wanted: set[Digest]) -> dict[Digest, bytes]:
    found = {}
    for content in source.contents([image], wanted, SILENT.task("")):
        found[content.digest] = read_all(content.stream, content.size)
        assert len(found[content.digest]) == content.size
    return found


def resolve(source: RegistrySource, name: str) -> RegistryForm:
    (found,) = source.resolve(name)
    assert isinstance(found, RegistryForm)
    return found


def test_an_image_comes_back_to_the_byte(server: Registry, memory: MemorySource, source: RegistrySource) -> None:
    image = memory.make_image([b"lower" * 1000, b"upper"], "reg.test/shop/web:1", compression="zstd")
    push(server, memory, image)
    found = resolve(source, f"{server.address}/shop/web:1")
    assert str(found.reference) == f"{server.address}/shop/web:1"
    assert found.tree.root.digest == image.tree.root.digest
    assert found.tree.documents == image.tree.documents
    blobs = [blob.digest for blob in image.tree.blobs()]
    read_back = read(source, found, set(blobs))
    assert list(read_back) == blobs
    assert all(read_back[digest] == memory.blobs[digest] for digest in blobs)


def test_an_index_comes_with_everything_below(
    server: Registry, memory: MemorySource, source: RegistrySource
) -> None:
    images = [memory.make_image([name.encode()], f"reg.test/a:{name}", platform=f"linux/{name}")
              for name in ("amd64", "arm64")]  # fmt: skip
    index = memory.make_index(images, "reg.test/shop/multi:1")
    outer = memory.make_index([index], "reg.test/shop/outer:1")
    push(server, memory, outer)
    found = resolve(source, f"{server.address}/shop/outer:1")
    assert found.tree.documents == outer.tree.documents
    assert [str(image.platform) for image in found.tree.platform_images()] == ["linux/amd64", "linux/arm64"]


def test_an_artifact(server: Registry, memory: MemorySource, source: RegistrySource) -> None:
    artifact = memory.make_artifact(b"signature", "reg.test/shop/sig:1")
    push(server, memory, artifact)
    found = resolve(source, f"{server.address}/shop/sig:1")
    assert found.tree.documents == artifact.tree.documents
    wanted = {blob.digest for blob in found.tree.blobs()}
    assert set(read(source, found, wanted)) == wanted


def test_a_digest_decides_where_a_tag_stands_beside_it(
    server: Registry, memory: MemorySource, source: RegistrySource
) -> None:
    old, new = (memory.make_image([text], "reg.test/shop/web:1") for text in (b"old", b"new"))
    push(server, memory, old, new)
    name = f"{server.address}/shop/web"
    pinned = f"{name}:1@{old.tree.root.digest}"
    assert resolve(source, f"{name}:1").tree.root.digest == new.tree.root.digest
    assert resolve(source, pinned).tree.root.digest == old.tree.root.digest
    assert str(resolve(source, pinned).reference) == pinned
    assert resolve(source, f"{name}@{old.tree.root.digest}").tree.root.digest == old.tree.root.digest


def test_only_what_is_wanted_is_fetched(fake: FakeRegistry, memory: MemorySource, source: RegistrySource) -> None:
    image = memory.make_image([b"one", b"two", b"three"], "reg.test/shop/web:1")
    push(fake, memory, image)
    found = resolve(source, f"{fake.address}/shop/web:1")
    fake.log.clear()
    layer = found.tree.platform_images()[0].manifest.layers[1]
    assert set(read(source, found, {layer.digest, found.tree.root.digest})) == {
        found.tree.root.digest, layer.digest,
    }  # fmt: skip
    assert [entry.path for entry in fake.log] == [f"/v2/shop/web/blobs/{layer.digest}"]


def test_blobs_are_opened_at_offsets(server: Registry, memory: MemorySource, source: RegistrySource) -> None:
    image = memory.make_image([b"layer" * 100_000], "reg.test/shop/web:1", compression="none")
    push(server, memory, image)
    found = resolve(source, f"{server.address}/shop/web:1")
    for blob in found.tree.blobs():
        for offset in (0, 7, blob.size):
            stream = source.open_blob(blob, offset)
            assert read_all(stream, blob.size) == memory.blobs[blob.digest][offset:]
            stream.close()
    blob = found.tree.root
    for offset in (-1, blob.size + 1):
        with pytest.raises(UsageError):
            source.open_blob(blob, offset)


def test_what_is_not_there(server: Registry, memory: MemorySource, source: RegistrySource) -> None:
    image = memory.make_image([b"x"], "reg.test/shop/web:1")
    push(server, memory, image)
    for name in ("shop/web:2", "shop/other:1", f"shop/web@sha256:{'1' * 64}"):
        with pytest.raises(NotFound):
            source.resolve(f"{server.address}/{name}")
    with pytest.raises(NotFound):
        source.open_blob(image.tree.root)
    with pytest.raises(NotFound):
        list(source.contents([image], {image.tree.root.digest}, SILENT.task("")))
    with pytest.raises(InvalidReference):
        source.resolve("")


def test_a_blob_outside_of_the_image_is_missed(
    fake: FakeRegistry, memory: MemorySource, source: RegistrySource
) -> None:
    push(fake, memory, memory.make_image([b"x"], "reg.test/shop/web:1"))
    found = resolve(source, f"{fake.address}/shop/web:1")
    with pytest.raises(DamagedContent):
        read(source, found, {Digest.from_hex("1" * 64)})


def test_a_layer_that_the_registry_lost(fake: FakeRegistry, memory: MemorySource, source: RegistrySource) -> None:
    image = memory.make_image([b"one", b"two"], "reg.test/shop/web:1")
    push(fake, memory, image)
    found = resolve(source, f"{fake.address}/shop/web:1")
    layer = found.tree.platform_images()[0].manifest.layers[0]
    fake.store.repo("shop/web").blobs.remove(layer.digest)
    with pytest.raises(DamagedContent, match="does not have it"):
        read(source, found, {layer.digest})


def test_a_config_that_is_damaged_or_lost(
    fake: FakeRegistry, memory: MemorySource, source: RegistrySource
) -> None:
    image = memory.make_image([b"one"], "reg.test/shop/web:1")
    push(fake, memory, image)
    config = image.tree.platform_images()[0].manifest.config
    good = fake.store.blobs[config.digest]
    fake.store.blobs[config.digest] = good[:-1] + b" "
    with pytest.raises(DamagedContent):
        source.resolve(f"{fake.address}/shop/web:1")
    fake.store.repo("shop/web").blobs.remove(config.digest)
    with pytest.raises(MalformedDocument):
        source.resolve(f"{fake.address}/shop/web:1")


def test_an_index_without_one_of_its_children_is_sparse(
    fake: FakeRegistry, memory: MemorySource, source: RegistrySource
) -> None:
    images = [memory.make_image([name.encode()], f"reg.test/a:{name}", platform=f"linux/{name}")
              for name in ("amd64", "arm64")]  # fmt: skip
    index = memory.make_index(images, "reg.test/shop/multi:1")
    push(fake, memory, index)
    manifests = fake.store.repo("shop/multi").manifests
    del manifests[images[0].tree.root.digest]
    found = resolve(source, f"{fake.address}/shop/multi:1")
    assert [str(image.platform) for image in found.tree.platform_images()] == ["linux/arm64"]
    del manifests[images[1].tree.root.digest]
    with pytest.raises(NotFound, match="none of the manifests"):
        source.resolve(f"{fake.address}/shop/multi:1")


def test_a_child_of_another_size_is_noticed(
    fake: FakeRegistry, memory: MemorySource, source: RegistrySource
) -> None:
    """Registries do not check the sizes that a document names."""
    image = memory.make_image([b"x"], "reg.test/a:1")
    root = image.tree.root
    wrong = Descriptor(media_type=root.media_type, digest=root.digest, size=root.size + 1)
    index = memory.make_index([dataclasses.replace(image, tree=dataclasses.replace(image.tree, root=root))],
                              "reg.test/shop/multi:1")  # fmt: skip
    push(fake, memory, index)
    repo = fake.store.repo("shop/multi")
    media_type, raw = repo.manifests[index.tree.root.digest]
    bad = raw.replace(f'"size":{root.size}'.encode(), f'"size":{wrong.size}'.encode())
    assert bad != raw
    fake.store.put_manifest("shop/multi", "bad", media_type, bad)
    with pytest.raises(DamagedContent):
        source.resolve(f"{fake.address}/shop/multi:bad")


def test_old_and_strange_manifests_are_refused(
    fake: FakeRegistry, memory: MemorySource, source: RegistrySource
) -> None:
    schema_1 = b'{"schemaVersion": 1, "name": "a", "fsLayers": []}'
    repo = fake.store.repo("shop/old")
    repo.manifests[digest_of(schema_1)] = (media_types.OCI_MANIFEST, schema_1)
    repo.tags["1"] = digest_of(schema_1)
    with pytest.raises(MalformedDocument):
        source.resolve(f"{fake.address}/shop/old:1")


def test_an_image_of_too_many_documents(fake: FakeRegistry, memory: MemorySource) -> None:
    images = [memory.make_image([bytes([n])], f"reg.test/a:{n}") for n in range(5)]
    push(fake, memory, memory.make_index(images, "reg.test/shop/many:1"))
    limits = dataclasses.replace(DEFAULT_LIMITS, documents=4)
    source = RegistrySource(PLAIN_HTTP, limits=limits)
    with pytest.raises(MalformedDocument):
        source.resolve(f"{fake.address}/shop/many:1")
    source.close()


def test_a_registry_that_is_not_there(source: RegistrySource) -> None:
    with FakeRegistry() as gone:
        address = gone.address
    with pytest.raises(Unreachable):
        source.resolve(f"{address}/shop/web:1")


def referring(server: Registry, memory: MemorySource) -> RegistryForm:
    """Put an index of two platforms with three referrers at the registry."""
    one = memory.make_image([b"one"], f"{server.address}/shop/one:1")
    two = memory.make_image([b"two"], f"{server.address}/shop/two:1", platform="linux/arm64")
    index = memory.make_index([one, two], f"{server.address}/shop/web:1")
    sbom = memory.make_referrer(b"sbom", two.tree.root)
    image = memory.refer(
        index, memory.make_signature(index.tree.root), sbom, memory.make_signature(sbom.tree.root)
    )
    destination = RegistryDestination(server.address, PLAIN_HTTP)
    outgoing = OutgoingImage(image.reference, image.tree, {}, image.referrers)
    destination.put(outgoing, memory, SILENT.task(""))
    destination.finish()
    return image


@pytest.mark.parametrize("has_api", [False, True])
def test_referrers_cost_one_request_of_a_kind_for_each_digest(
    fake: FakeRegistry, memory: MemorySource, source: RegistrySource, has_api: bool
) -> None:
    fake.quirks.referrers = has_api
    image = referring(fake, memory)
    fake.log.clear()
    (found,) = source.resolve(str(image.reference))
    assert isinstance(found, RegistryForm)
    assert {one.digest for one in found.referrers} == {one.digest for one in image.referrers}
    # The index, its two platforms, and three referrers.
    subjects = 6
    assert len(fake.requests("HEAD", "/manifests/sha256-")) == 3 * subjects
    assert len(fake.requests("GET", "/referrers/")) == (subjects if has_api else 1)
    assert len(fake.requests("GET", "/manifests/sha256-")) == (0 if has_api else subjects)
    asked = [(entry.method, entry.path) for entry in fake.log]
    assert len(asked) == len(set(asked)), "something was asked for twice"
    source.resolve(str(image.reference))
    again = [(entry.method, entry.path) for entry in fake.log[len(asked) :]]
    assert not [path for _, path in again if "sha256-" in path or "/referrers/" in path]


def test_nobody_asks_for_referrers_that_are_not_wanted(fake: FakeRegistry, memory: MemorySource) -> None:
    image = referring(fake, memory)
    fake.log.clear()
    source = RegistrySource(PLAIN_HTTP, referrers=False)
    (found,) = source.resolve(str(image.reference))
    source.close()
    assert isinstance(found, RegistryForm)
    assert found.referrers == ()
    assert not fake.requests("GET", "/referrers/")
    assert not fake.requests("HEAD")


def test_a_referrer_is_read_as_a_blob_too(
    fake: FakeRegistry, memory: MemorySource, source: RegistrySource
) -> None:
    image = referring(fake, memory)
    (found,) = source.resolve(str(image.reference))
    assert isinstance(found, RegistryForm)
    for referrer in found.referrers:
        for blob in referrer.tree.blobs():
            stream = source.open_blob(blob)
            assert read_all(stream, blob.size) == memory.blobs[blob.digest]
            stream.close()


def through(tmp_path: Path, text: str) -> RegistrySource:
    """Return a source that knows a registries.conf, and nothing else of any machine."""
    (tmp_path / "registries.conf").write_text(text)
    places = Places({"CONTAINERS_REGISTRIES_CONF": str(tmp_path / "registries.conf")}, tmp_path, tmp_path)
    return RegistrySource(RegistryAccess(plain_http=True, routes=Routes(places)))


def mirrors(*locations: str, of: str = "reg.test") -> str:
    entries = "".join(f'[[registry.mirror]]\nlocation = "{location}"\n' for location in locations)
    return f'[[registry]]\nlocation = "{of}"\n{entries}'


def test_a_mirror_that_lacks_the_image_is_passed_over(
    fake: FakeRegistry, memory: MemorySource, tmp_path: Path
) -> None:
    image = memory.make_image([b"layer"], "reg.test/shop/web:1")
    push(fake, memory, image)
    with FakeRegistry() as empty, FakeRegistry() as refusing:
        refusing.quirks.scripts["."] = Script(403, b"")
        source = through(tmp_path, mirrors(empty.address, refusing.address, fake.address))
        found = resolve(source, "reg.test/shop/web:1")
        # The bundle names what was asked for; where it came from is said.
        assert str(found.reference) == "reg.test/shop/web:1"
        assert found.found_at == f"{fake.address}/shop/web"
        wanted = {blob.digest for blob in image.tree.blobs()}
        assert read(source, found, wanted) == {digest: memory.blobs[digest] for digest in wanted}
        assert [empty.address in note for note in source.notes()] == [True, False]
        source.close()


def test_a_layer_that_a_mirror_lacks_comes_from_the_next_place(
    fake: FakeRegistry, memory: MemorySource, tmp_path: Path
) -> None:
    image = memory.make_image([b"layer", b"other"], "reg.test/shop/web:1")
    push(fake, memory, image)
    with FakeRegistry() as lacking, FakeRegistry() as refusing:
        for mirror in (lacking, refusing):
            push(mirror, memory, image)
        lost = next(blob for blob in image.tree.blobs() if "layer" in blob.media_type)
        lacking.quirks.scripts[f"/blobs/{lost.digest}"] = Script(404)
        refusing.quirks.scripts[f"/blobs/{lost.digest}"] = Script(403)
        source = through(tmp_path, mirrors(lacking.address, refusing.address, of=fake.address))
        found = resolve(source, f"{fake.address}/shop/web:1")
        assert found.found_at == f"{lacking.address}/shop/web"
        wanted = {blob.digest for blob in image.tree.blobs()}
        assert read(source, found, wanted) == {digest: memory.blobs[digest] for digest in wanted}
        stream = source.open_blob(lost)
        assert read_all(stream, lost.size) == memory.blobs[lost.digest]
        stream.close()
        # What nobody has is missed at the place that has the last word.
        fake.quirks.scripts[f"/blobs/{lost.digest}"] = Script(404)
        with pytest.raises(DamagedContent, match=fake.address):
            read(source, found, wanted)
        source.close()


def test_when_no_mirror_helps_the_registry_itself_has_the_word(
    fake: FakeRegistry, memory: MemorySource, tmp_path: Path
) -> None:
    push(fake, memory, memory.make_image([b"layer"], "reg.test/shop/web:1"))
    with FakeRegistry() as gone:
        dead = gone.address
    source = through(tmp_path, mirrors(dead, of=fake.address))
    assert resolve(source, f"{fake.address}/shop/web:1").found_at == ""
    with pytest.raises(NotFound, match=fake.address):
        source.resolve(f"{fake.address}/shop/other:1")
    source.close()


def test_a_mirror_that_does_not_answer_is_tried_once_in_a_run(
    fake: FakeRegistry, memory: MemorySource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(fake, memory, memory.make_image([b"layer"], "reg.test/shop/web:1"))
    with FakeRegistry() as gone:
        dead = gone.address
    source, asked = through(tmp_path, mirrors(dead, of=fake.address)), []
    resolve_at = RegistrySource._resolve_at

    def noting(self: RegistrySource, route: Route, *more: Any) -> RegistryForm:
        asked.append(route.reference.registry)
        return resolve_at(self, route, *more)

    monkeypatch.setattr(RegistrySource, "_resolve_at", noting)
    for tag in ("1", "1"):
        resolve(source, f"{fake.address}/shop/web:{tag}")
    assert asked == [dead, fake.address, fake.address]
    (note,) = source.notes()
    assert dead in note
    source.close()


def test_another_location_and_a_short_name(fake: FakeRegistry, memory: MemorySource, tmp_path: Path) -> None:
    image = memory.make_image([b"layer"], "reg.test/copies/shop/web:1")
    push(fake, memory, image)
    text = (
        f'[[registry]]\nprefix = "reg.test/shop"\nlocation = "{fake.address}/copies/shop"\n'
        '[[registry]]\nprefix = "bad.test"\nlocation = "bad.test"\nblocked = true\n'
        '[aliases]\n"web" = "reg.test/shop/web"\n'
    )
    source = through(tmp_path, text)
    found = resolve(source, "web:1")
    assert (str(found.reference), found.found_at) == ("reg.test/shop/web:1", f"{fake.address}/copies/shop/web")
    with pytest.raises(PolicyRefused):
        source.resolve("bad.test/a:1")
    source.close()


@pytest.mark.parametrize("storage", [False, True])
def test_an_image_of_many_layers_is_fetched_ahead_and_in_order(
    fake: FakeRegistry, memory: MemorySource, source: RegistrySource, storage: bool
) -> None:
    image = memory.make_image([bytes([number]) * 50_000 for number in range(12)], "reg.test/shop/web:1")
    push(fake, memory, image)
    fake.quirks.storage = storage
    found = resolve(source, f"{fake.address}/shop/web:1")
    blobs = [blob.digest for blob in image.tree.blobs()]
    assert list(read(source, found, set(blobs))) == blobs
    asked = [entry.path for entry in fake.requests("GET", "/blobs/")]
    assert len(asked) == len(set(asked)), "no blob is asked for twice"


@pytest.mark.parametrize(("ignore", "wrong"), [(False, False), (True, False), (False, True)])
def test_layers_that_break_off_are_gone_on_with(
    fake: FakeRegistry, memory: MemorySource, source: RegistrySource, ignore: bool, wrong: bool
) -> None:
    """By Range; a server that ignores it is read from its start, one that gives another range is refused."""
    image = memory.make_image([random.Random(n).randbytes(400_000) for n in range(2)], "reg.test/shop/web:1")
    push(fake, memory, image)
    found = resolve(source, f"{fake.address}/shop/web:1")
    layers = {layer.digest for layer, _ in image.tree.platform_images()[0].layers()}
    fake.quirks.cuts = 2
    fake.quirks.ignore_range, fake.quirks.wrong_range = ignore, wrong
    if wrong:
        with pytest.raises(ProtocolError, match="got range"):
            read(source, found, layers)
        return
    assert read(source, found, layers) == {digest: memory.blobs[digest] for digest in layers}
    assert len([entry for entry in fake.requests("GET", "/blobs/") if entry.headers.get("Range")]) == 2


def test_a_source_that_is_left_in_the_middle_asks_no_more(
    fake: FakeRegistry, memory: MemorySource, source: RegistrySource
) -> None:
    image = memory.make_image([bytes([number]) * 1000 for number in range(30)], "reg.test/shop/web:1")
    push(fake, memory, image)
    found = resolve(source, f"{fake.address}/shop/web:1")
    contents = source.contents([found], {blob.digest for blob in image.tree.blobs()}, SILENT.task(""))
    for _ in range(3):
        next(contents)
    assert isinstance(contents, Generator)
    contents.close()
    assert len(fake.requests("GET", "/blobs/")) < 15
