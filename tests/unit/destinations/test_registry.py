"""The destination: what a registry holds afterwards, in which order it got it, and what happens on the way."""

from __future__ import annotations

import _thread
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bundler.content.images import BlobReader, OutgoingImage, PutResult, RegistryForm
from bundler.content.streams import ByteStream
from bundler.destinations.registry import RegistryDestination
from bundler.destinations.workers import run_all
from bundler.errors import (
    AirbundleError,
    DamagedContent,
    InvalidReference,
    NotFound,
    PolicyRefused,
    Refused,
    Unreachable,
    UsageError,
)
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.manifest import Manifest
from bundler.model.reference import Reference
from bundler.progress import SILENT
from bundler.sources.registry import RegistrySource
from bundler.transports.registry.upload.protocol import UploadState
from bundler.transports.registry.upload.saved import SavedUploads
from tests.fakes.memory import CountingTask, MemorySource
from tests.fakes.registry import FakeRegistry, Script
from tests.registry_access import PLAIN_HTTP
from tests.requirements import require, why_no_program
from tests.servers.either_registry import KINDS, Registry, serve
from tests.servers.registry import RealRegistry
from tests.unit.sources.reading import read
from tests.unit.transports.registry.clients import QUICK

KIB = 1 << 10


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


class Pusher:
    """Destinations of one test, closed at its end."""

    def __init__(self) -> None:
        self._made: list[RegistryDestination] = []

    def to(self, destination: str, **options: Any) -> RegistryDestination:
        # Most tests put several images under one name; what is done then has tests of its own.
        usual = {"access": PLAIN_HTTP, "retries": QUICK, "on_existing_tag": "overwrite"}
        made = RegistryDestination(destination, **{**usual, **options})
        self._made.append(made)
        return made

    def close(self) -> None:
        for made in self._made:
            made.finish()


@pytest.fixture
def pusher() -> Iterator[Pusher]:
    made = Pusher()
    yield made
    made.close()


def put(
    destination: RegistryDestination, image: RegistryForm, reader: BlobReader, task: CountingTask | None = None
) -> PutResult:
    return destination.put(OutgoingImage(image.reference, image.tree), reader, task or SILENT.task(""))


def blob_bytes(*images: RegistryForm) -> int:
    nodes = {descriptor.digest: node for image in images for descriptor, node in image.tree.nodes()}
    blobs = {b.digest: b.size for node in nodes.values() if isinstance(node, Manifest) for b in node.children}
    return sum(blobs.values())


def what_is_there(server: Registry, name: str) -> Digest:
    source = RegistrySource(PLAIN_HTTP)
    try:
        (found,) = source.resolve(f"{server.address}/{name}")
        assert isinstance(found, RegistryForm)
        return found.tree.root.digest
    finally:
        source.close()


def image_of(memory: MemorySource, *layers: bytes, name: str = "reg.test/shop/web:1", **more: str) -> RegistryForm:
    return memory.make_image(layers, name, compression="none", **more)


# -- what is there afterwards -----------------------------------------------------------------------------------


def test_an_image_is_pushed_once(server: Registry, memory: MemorySource, pusher: Pusher) -> None:
    image = image_of(memory, os.urandom(300_000), os.urandom(70_000), b"small")
    task, destination = CountingTask(), pusher.to(f"{server.address}/far/side", piece_bytes=64 * KIB)
    first = put(destination, image, memory, task)
    assert first == PutResult(
        reference="reg.test/shop/web:1",
        target=f"{server.address}/far/side/shop/web:1",
        digest=image.tree.root.digest,
        status="pushed",
        bytes_sent=blob_bytes(image),
    )
    assert task.done == blob_bytes(image)
    assert what_is_there(server, "far/side/shop/web:1") == image.tree.root.digest
    # Also for a destination that remembers nothing.
    memory.opened.clear()
    again = put(pusher.to(f"{server.address}/far/side"), image, memory, task)
    assert (again.status, again.bytes_sent, again.bytes_skipped) == ("skipped", 0, blob_bytes(image))
    assert task.done == 2 * blob_bytes(image)
    assert memory.opened == []


def test_what_a_killed_run_left_of_an_image_that_is_there_is_dropped(
    fake: FakeRegistry, memory: MemorySource, pusher: Pusher, tmp_path: Path
) -> None:
    """By whatever way it is found there: name and all, or blob by blob; and where it shall not go there."""
    image, other = image_of(memory, os.urandom(70_000)), image_of(memory, b"other")
    put(pusher.to(fake.address), image, memory)
    named = fake.store.repo("shop/web").tags

    def push_again(tagged: str, **options: Any) -> None:
        for _, node in image.tree.nodes():
            assert isinstance(node, Manifest)
            for blob in node.children:
                left = SavedUploads(tmp_path).claim(fake.address, "shop/web", blob.digest)
                left.save(UploadState(f"http://{fake.address}/v2/shop/web/blobs/uploads/gone", 1))
                left.release()
        for path in list(tmp_path.glob("*.json")):
            path.with_suffix(".lock").touch()
        named["1"] = tagged
        put(pusher.to(fake.address, state_directory=tmp_path, **options), image, memory)
        assert list(tmp_path.iterdir()) == []

    push_again(image.tree.root.digest)
    push_again(other.tree.root.digest)
    push_again(other.tree.root.digest, on_existing_tag="skip")


def test_an_index_is_pushed_with_its_children_first(
    server: Registry, memory: MemorySource, pusher: Pusher
) -> None:
    images = [image_of(memory, b"base" * 100, name.encode(), name=f"a.test/a:{name}", platform=f"linux/{name}")
              for name in ("amd64", "arm64", "s390x")]  # fmt: skip
    inner = memory.make_index(images[1:], "reg.test/a:inner")
    # The first child of the root is listed again deeper down.
    index = memory.make_index([images[1], inner, images[0]], "reg.test/shop/multi:1")
    result = put(pusher.to(server.address), index, memory)
    assert (result.status, result.digest) == ("pushed", index.tree.root.digest)
    assert result.bytes_sent == blob_bytes(*images)
    assert what_is_there(server, "shop/multi:1") == index.tree.root.digest
    assert what_is_there(server, f"shop/multi@{images[2].tree.root.digest}") == images[2].tree.root.digest


def test_the_tag_comes_last(fake: FakeRegistry, memory: MemorySource, pusher: Pusher) -> None:
    images = [image_of(memory, name.encode(), name=f"a.test/a:{name}", platform=f"linux/{name}")
              for name in ("amd64", "arm64")]  # fmt: skip
    index = memory.make_index(images, "reg.test/shop/multi:1")
    put(pusher.to(fake.address), index, memory)
    writes = [entry.path for entry in fake.log if entry.method == "PUT"]
    blobs = [position for position, path in enumerate(writes) if "/blobs/" in path]
    assert max(blobs) < len(writes) - 3
    assert writes[-3:] == [
        f"/v2/shop/multi/manifests/{images[0].tree.root.digest}",
        f"/v2/shop/multi/manifests/{images[1].tree.root.digest}",
        "/v2/shop/multi/manifests/1",
    ]


def test_an_artifact_is_pushed(server: Registry, memory: MemorySource, pusher: Pusher) -> None:
    artifact = memory.make_artifact(b"signature", "reg.test/shop/sig:1")
    put(pusher.to(server.address), artifact, memory)
    assert what_is_there(server, "shop/sig:1") == artifact.tree.root.digest


def test_a_reference_without_tag_is_pushed_by_digest(
    server: Registry, memory: MemorySource, pusher: Pusher
) -> None:
    image = image_of(memory, b"x")
    digest = image.tree.root.digest
    pinned = RegistryForm(Reference("reg.test", "shop/web", digest=digest), image.tree)
    target = f"{server.address}/shop/web@{digest}"
    destination = pusher.to(server.address)
    assert put(destination, pinned, memory).target == target
    assert what_is_there(server, f"shop/web@{digest}") == digest
    with pytest.raises(NotFound):
        what_is_there(server, "shop/web:1")
    assert put(destination, pinned, memory).status == "skipped"


def test_names_at_the_destination(pusher: Pusher) -> None:
    digest = "sha256:" + "1" * 64
    plain, prefixed = pusher.to("far.test:5000"), pusher.to("far.test:5000/plant/7")
    for given, target in {
        "busybox": "library/busybox:latest",
        "reg.test:1/shop/web:2": "shop/web:2",
        f"reg.test/web:2@{digest}": "web:2",
        f"reg.test/web@{digest}": f"web@{digest}",
    }.items():
        assert str(plain.target(Reference.parse(given))) == f"far.test:5000/{target}"
        assert str(prefixed.target(Reference.parse(given))) == f"far.test:5000/plant/7/{target}"
    assert str(pusher.to("docker.io/me").target(Reference.parse("a.test/x:1"))) == "docker.io/me/x:1"


@pytest.mark.parametrize("text", ["", "word", "far.test/UPPER", "far.test/", "far.test/a//b", "far.test/a/",
                                  "far.test/a:1", "http://far.test", "far.test/a@b"])  # fmt: skip
def test_what_is_no_destination(pusher: Pusher, text: str) -> None:
    with pytest.raises(InvalidReference):
        pusher.to(text)


@pytest.mark.parametrize("text", ["https://far.test/a", "http://bob:word@far.test/a", "bob:word@far.test:5000/a"])
def test_a_url_is_no_destination_and_its_password_not_repeated(pusher: Pusher, text: str) -> None:
    with pytest.raises(InvalidReference, match="neither a scheme nor a user") as caught:
        pusher.to(text)
    assert "word" not in f"{caught.value}"


@pytest.mark.parametrize("jobs", [0, 33])
def test_jobs_are_bounded(pusher: Pusher, jobs: int) -> None:
    with pytest.raises(UsageError):
        pusher.to("far.test", jobs=jobs)


# -- what need not be sent --------------------------------------------------------------------------------------


def test_images_at_once_send_what_they_share_once(
    fake: FakeRegistry, memory: MemorySource, pusher: Pusher
) -> None:
    """Some to one repository, some to others, whichever comes first."""
    shared, own = os.urandom(300_000), [os.urandom(1000) for _ in range(6)]
    images = [
        image_of(memory, shared, data, name=f"reg.test/shop/{'web' if number % 2 else f'db{number}'}:{number}")
        for number, data in enumerate(own)
    ]
    destination = pusher.to(fake.address)
    results = run_all([partial(put, destination, image, memory) for image in images], 4, destination.stopping)
    assert sum(result.bytes_sent for result in results) == blob_bytes(*images)
    for image in images:
        name = f"{image.reference.repository}:{image.reference.tag}"
        assert what_is_there(fake, name) == image.tree.root.digest


def test_shared_layers_are_mounted_from_a_sibling(server: Registry, memory: MemorySource, pusher: Pusher) -> None:
    base = os.urandom(100_000)
    web = image_of(memory, base, b"web")
    erp = image_of(memory, base, b"erp", name="reg.test/erp/app:1")
    destination = pusher.to(server.address)
    put(destination, web, memory)
    result = put(destination, erp, memory)
    assert result.bytes_skipped == len(base)
    assert result.bytes_sent == blob_bytes(erp) - len(base)
    assert what_is_there(server, "erp/app:1") == erp.tree.root.digest
    # A repository in which the image was merely found serves as well.
    later = pusher.to(server.address)
    assert put(later, web, memory).status == "skipped"
    other = image_of(memory, base, b"other", name="reg.test/other:1")
    assert put(later, other, memory).bytes_skipped == len(base)


@pytest.mark.parametrize("refusal", ["upload", 403, 404, 405])
def test_a_mount_that_is_refused_becomes_an_upload(
    fake: FakeRegistry, memory: MemorySource, pusher: Pusher, refusal: object
) -> None:
    base = os.urandom(1000)
    destination = pusher.to(fake.address)
    put(destination, image_of(memory, base, b"web"), memory)
    if isinstance(refusal, int):
        fake.quirks.scripts["POST .*mount="] = Script(refusal)
    else:
        fake.quirks.refuse_mount = True
    erp = image_of(memory, base, b"erp", name="reg.test/erp/app:1")
    assert put(destination, erp, memory).bytes_sent == blob_bytes(erp)
    assert not fake.store.uploads
    assert what_is_there(fake, "erp/app:1") == erp.tree.root.digest


def test_blobs_that_are_there_are_not_sent(server: Registry, memory: MemorySource, pusher: Pusher) -> None:
    base = os.urandom(1000)
    put(pusher.to(server.address), image_of(memory, base, b"one"), memory)
    second = image_of(memory, base, b"two")
    result = put(pusher.to(server.address), second, memory)
    assert result.bytes_skipped == len(base)
    assert result.bytes_sent == blob_bytes(second) - len(base)


# -- tags that exist --------------------------------------------------------------------------------------------


def test_a_tag_is_moved_and_the_old_digest_said(server: Registry, memory: MemorySource, pusher: Pusher) -> None:
    old, new = image_of(memory, b"old"), image_of(memory, b"new")
    destination = pusher.to(server.address)
    put(destination, old, memory)
    result = put(destination, new, memory)
    assert (result.status, result.replaced) == ("pushed", old.tree.root.digest)
    assert what_is_there(server, "shop/web:1") == new.tree.root.digest


def test_a_tag_is_left_alone_on_request(server: Registry, memory: MemorySource, pusher: Pusher) -> None:
    old, new = image_of(memory, b"old"), image_of(memory, b"new")
    put(pusher.to(server.address), old, memory)
    result = put(pusher.to(server.address, on_existing_tag="skip"), new, memory)
    assert (result.status, result.digest, result.bytes_sent, result.bytes_skipped) == (
        "skipped", old.tree.root.digest, 0, 0,
    )  # fmt: skip
    assert "left alone" in result.notes[0]
    strict = pusher.to(server.address, on_existing_tag="error")
    with pytest.raises(PolicyRefused, match=old.tree.root.digest):
        put(strict, new, memory)
    assert what_is_there(server, "shop/web:1") == old.tree.root.digest
    assert put(strict, old, memory).status == "skipped"
    assert put(strict, image_of(memory, b"x", name="reg.test/fresh:1"), memory).status == "pushed"


# -- children of an index that are of no known type ---------------------------------------------------------------


def index_with_opaque_child(memory: MemorySource, *platforms: str) -> tuple[RegistryForm, Descriptor]:
    images = [
        image_of(memory, name.encode(), name=f"a.test/{name}:1", platform=f"linux/{name}") for name in platforms
    ]
    opaque = memory.store(b"\xffnot JSON", "application/vnd.example.future.v1")
    return memory.make_index(images, "reg.test/shop/multi:1", absent=[opaque]), opaque


@pytest.mark.registry
def test_an_opaque_child_goes_along_as_a_blob_where_the_registry_takes_that(
    memory: MemorySource, pusher: Pusher
) -> None:
    with serve("real") as server:
        index, opaque = index_with_opaque_child(memory, "amd64", "arm64")
        result = put(pusher.to(server.address), index, memory)
        assert (result.status, result.digest, result.notes) == ("pushed", index.tree.root.digest, ())
        # A registry gives it back as it was.
        source = RegistrySource(PLAIN_HTTP)
        (found,) = source.resolve(f"{server.address}/shop/multi:1")
        assert isinstance(found, RegistryForm)
        assert found.tree.opaque_children() == [opaque]
        assert read(source, found, {opaque.digest}) == {opaque.digest: b"\xffnot JSON"}
        source.close()
        assert put(pusher.to(server.address), index, memory).status == "skipped"


def test_where_the_registry_wants_manifests_only_the_index_counts_as_sparse(
    fake: FakeRegistry, memory: MemorySource, pusher: Pusher
) -> None:
    index, _ = index_with_opaque_child(memory, "amd64")
    result = put(pusher.to(fake.address), index, memory)
    only = index.tree.platform_images()[0].descriptor.digest
    assert (result.status, result.digest) == ("pushed", only)
    assert "linux/amd64 alone" in result.notes[0]
    assert what_is_there(fake, "shop/multi:1") == only
    again = put(pusher.to(fake.address), index, memory)
    assert (again.status, again.digest, again.bytes_sent, again.replaced) == ("skipped", only, 0, None)
    several, _ = index_with_opaque_child(memory, "amd64", "arm64")
    result = put(pusher.to(fake.address), several, memory)
    assert (result.status, result.original) == ("pushed", several.tree.root.digest)
    assert what_is_there(fake, "shop/multi:1") == result.digest
    assert put(pusher.to(fake.address, on_existing_tag="error"), several, memory).status == "skipped"


def test_a_registry_may_keep_an_unknown_type_among_its_manifests(fake: FakeRegistry, memory: MemorySource) -> None:
    index, opaque = index_with_opaque_child(memory, "amd64")
    for descriptor, _ in index.tree.nodes():
        fake.quirks.scripts[f"GET /v2/shop/multi/manifests/({descriptor.digest}|1)$"] = Script(
            200, memory.blobs[descriptor.digest], {"Content-Type": descriptor.media_type}
        )
    config = index.tree.platform_images()[0].image_id
    fake.quirks.scripts[f"GET .*/blobs/{config}"] = Script(200, memory.blobs[config])
    fake.quirks.scripts[f"GET .*/manifests/{opaque.digest}"] = Script(200, b"\xffnot JSON")
    source = RegistrySource(PLAIN_HTTP)
    for body, kept in ((b"\xffnot JSON", True), (b"other", False)):
        fake.quirks.scripts[f"GET .*/manifests/{opaque.digest}"] = Script(200, body)
        fake.quirks.scripts["GET /v2/shop/multi/manifests/1$"] = Script(
            200, index.tree.documents[index.tree.root.digest], {"Content-Type": index.tree.root.media_type}
        )
        (found,) = source.resolve(f"{fake.address}/shop/multi:1")
        assert isinstance(found, RegistryForm)
        assert found.tree.opaque == ({opaque.digest} if kept else set())
        if kept:
            assert read(source, found, {opaque.digest}) == {opaque.digest: b"\xffnot JSON"}
    source.close()


# -- sparse indexes and foreign layers --------------------------------------------------------------------------


def test_the_one_platform_of_a_sparse_index_is_pushed_alone(
    server: Registry, memory: MemorySource, pusher: Pusher
) -> None:
    here = image_of(memory, b"amd64", name="a.test/a:1")
    absent = image_of(MemorySource(), b"arm64", platform="linux/arm64").tree.root
    attestation = memory.make_artifact(b"provenance", "a.test/a:3")
    index = memory.make_index([here, attestation], "reg.test/shop/multi:1", absent=[absent])
    result = put(pusher.to(server.address), index, memory)
    assert (result.status, result.digest) == ("pushed", here.tree.root.digest)
    assert "linux/amd64 alone" in result.notes[0]
    assert result.bytes_sent == blob_bytes(here)
    assert what_is_there(server, "shop/multi:1") == here.tree.root.digest
    assert put(pusher.to(server.address), index, memory).status == "skipped"


def test_an_index_of_which_nothing_is_there_is_refused(
    fake: FakeRegistry, memory: MemorySource, pusher: Pusher
) -> None:
    absent = image_of(MemorySource(), b"elsewhere", platform="linux/s390x").tree.root
    index = memory.make_index([], "a.test/a:1", absent=[absent])
    with pytest.raises(Refused) as caught:
        put(pusher.to(fake.address), index, memory)
    assert "platform" in caught.value.advice
    assert not fake.log


class _WithoutForeign:
    """A reader that does not have one layer."""

    def __init__(self, memory: MemorySource, foreign: Digest) -> None:
        self._memory = memory
        self._foreign = foreign

    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
        if descriptor.digest == self._foreign:
            raise NotFound("not here")
        return self._memory.open_blob(descriptor, offset)


def test_a_foreign_layer_that_is_not_here_is_the_registrys_to_accept(
    server: Registry, memory: MemorySource, pusher: Pusher
) -> None:
    """The distribution registry wants it all the same: what it says reaches the user, and no tag is given."""
    plain = image_of(memory, b"mine", b"theirs")
    manifest = plain.tree.platform_images()[0].manifest
    raw = memory.blobs[plain.tree.root.digest]
    theirs = manifest.layers[1].digest
    foreign = raw[: raw.index(theirs.encode())] + raw[raw.index(theirs.encode()) :].replace(
        b"image.layer.v1.tar", b"image.layer.nondistributable.v1.tar", 1
    )
    image = memory.add(json.loads(foreign), "reg.test/shop/win:1")
    with pytest.raises(AirbundleError) as caught:
        put(pusher.to(server.address), image, _WithoutForeign(memory, theirs))
    assert isinstance(caught.value, (Refused, Unreachable))
    assert "putting the manifest" in str(caught.value)
    with pytest.raises(NotFound):
        what_is_there(server, "shop/win:1")
    result = put(pusher.to(server.address), image, memory)
    assert result.status == "pushed"


# -- what goes wrong --------------------------------------------------------------------------------------------


def test_a_damaged_blob_gives_no_name(server: Registry, memory: MemorySource, pusher: Pusher) -> None:
    old, new = image_of(memory, b"old"), image_of(memory, *(os.urandom(100_000) for _ in range(8)))
    put(pusher.to(server.address), old, memory)
    victim = new.tree.platform_images()[0].manifest.layers[3].digest
    good = memory.blobs[victim]
    memory.blobs[victim] = good[:-1] + bytes([good[-1] ^ 1])
    destination = pusher.to(server.address, jobs=3)
    with pytest.raises(DamagedContent, match=victim):
        put(destination, new, memory)
    assert what_is_there(server, "shop/web:1") == old.tree.root.digest
    # The same destination goes on when the blob is whole again.
    memory.blobs[victim] = good
    assert put(destination, new, memory).status == "pushed"


def test_a_blob_that_is_missing(fake: FakeRegistry, memory: MemorySource, pusher: Pusher) -> None:
    image = image_of(memory, b"one", b"two")
    del memory.blobs[image.tree.platform_images()[0].manifest.layers[0].digest]
    with pytest.raises(NotFound):
        put(pusher.to(fake.address), image, memory)
    assert not fake.store.repo("shop/web").tags


@pytest.mark.parametrize(
    ("where", "script", "kind"),
    [
        ("POST", Script(403, b'{"errors": [{"code": "DENIED", "message": "quota"}]}'), Refused),
        ("PUT .*/blobs/", Script(500, b""), Unreachable),
        ("PUT .*/manifests/", Script(412, b"immutable"), Refused),
        ("HEAD", Script(405, b""), Refused),
        ("HEAD .*/manifests", Script(200, b"", {"Content-Type": "text/html"}), AirbundleError),
        (".", Script(200, b"<html>", {"Content-Type": "text/html"}), AirbundleError),
    ],
)
def test_a_registry_that_refuses(
    fake: FakeRegistry,
    memory: MemorySource,
    pusher: Pusher,
    where: str,
    script: Script,
    kind: type[AirbundleError],
) -> None:
    fake.quirks.scripts[where] = script
    with pytest.raises(kind):
        put(pusher.to(fake.address), image_of(memory, b"one", b"two"), memory)
    assert not fake.store.repo("shop/web").tags


def test_another_digest_in_the_answer_is_noticed(fake: FakeRegistry, memory: MemorySource, pusher: Pusher) -> None:
    fake.quirks.scripts["PUT .*/manifests/"] = Script(201, b"", {"Docker-Content-Digest": "sha256:" + "1" * 64})
    with pytest.raises(Unreachable, match="stored as"):
        put(pusher.to(fake.address), image_of(memory, b"one"), memory)


def test_a_small_limit_of_a_proxy_is_lived_with(fake: FakeRegistry, memory: MemorySource, pusher: Pusher) -> None:
    fake.quirks.largest_request = 64 * KIB
    image = image_of(memory, *(os.urandom(400_000) for _ in range(4)))
    task = CountingTask()
    result = put(pusher.to(fake.address), image, memory, task)
    # What was refused had partly left already.
    assert (result.bytes_sent - result.bytes_sent_again, task.done) == (blob_bytes(image), blob_bytes(image))
    assert what_is_there(fake, "shop/web:1") == image.tree.root.digest


def test_ctrl_c_stops_within_seconds_and_gives_no_name(
    fake: FakeRegistry, memory: MemorySource, pusher: Pusher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bundler.destinations.workers._AFTER_INTERRUPT_SECONDS", 1.0)
    fake.quirks.stall = threading.Event()
    image = image_of(memory, *(os.urandom(1000) for _ in range(6)))
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        put(pusher.to(fake.address), image, memory)
    assert time.monotonic() - begun < 5
    fake.quirks.stall.set()
    timer.join()
    for thread in threading.enumerate():
        if thread.name.startswith("airbundle-worker"):
            thread.join(10)
    assert not fake.store.repo("shop/web").tags


# -- other tools ------------------------------------------------------------------------------------------------


@pytest.mark.registry
def test_skopeo_gets_back_what_was_pushed(memory: MemorySource, pusher: Pusher, tmp_path: Path) -> None:
    require(why_no_program("docker-registry", "skopeo"))
    images = [
        memory.make_image([name.encode() * 1000], f"a.test/a:{name}", platform=f"linux/{name}", compression="zstd")
        for name in ("amd64", "arm64")
    ]
    index = memory.make_index(images, "reg.test/shop/multi:1")
    with RealRegistry() as real:
        put(pusher.to(f"{real.address}/far"), index, memory)
        name = f"docker://{real.address}/far/shop/multi"
        raw = _skopeo("inspect", "--raw", "--tls-verify=false", f"{name}:1")
        assert raw == memory.blobs[index.tree.root.digest]
        for reference, layout in ((f"{name}:1", "whole"), (f"{name}@{images[1].tree.root.digest}", "one")):
            _skopeo(
                "copy", "--all", "--preserve-digests", "--src-tls-verify=false",
                reference, f"oci:{tmp_path / layout}:x",
            )  # fmt: skip
        everything = {blob.hex for blob in (b.digest for b in index.tree.blobs())}
        copied = {path.name for path in (tmp_path / "whole" / "blobs" / "sha256").iterdir()}
        assert copied == everything
        assert index.tree.root.digest in (tmp_path / "whole" / "index.json").read_text()


def _skopeo(*arguments: str) -> bytes:
    done = subprocess.run(["skopeo", *arguments], capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
