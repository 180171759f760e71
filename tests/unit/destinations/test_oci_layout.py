"""OCI layouts as a destination: what is on the disk, at every moment and after every mishap."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.content.images import OutgoingImage, RegistryForm
from bundler.content.streams import ByteStream
from bundler.destinations.oci_layout import OciLayoutDestination
from bundler.errors import (
    AirbundleError,
    DamagedContent,
    DiskError,
    MalformedDocument,
    NoSpace,
    NotFound,
    OutputExists,
    Unreachable,
)
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.reference import Reference
from bundler.sources.oci_layout import OciLayoutSource
from tests.fakes.layouts import CONTAINERD_NAME, REF_NAME, entry, layout_files, listed, write_directory
from tests.fakes.memory import CountingTask, MemorySource
from tests.fakes.streams import FailingStream


def outgoing(image: RegistryForm) -> OutgoingImage:
    return OutgoingImage(image.reference, image.tree)


def put(path: Path, memory: MemorySource, *images: RegistryForm) -> list[tuple[str, int, int, str | None]]:
    destination = OciLayoutDestination(path)
    results = [destination.put(outgoing(image), memory, CountingTask()) for image in images]
    destination.finish()
    return [(result.status, result.bytes_sent, result.bytes_skipped, result.replaced) for result in results]


def tree_of(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def total(memory: MemorySource, image: RegistryForm) -> int:
    return sum(len(memory.blobs[descriptor.digest]) for descriptor in image.tree.blobs())


def test_a_new_layout(tmp_path: Path) -> None:
    memory, path = MemorySource(), tmp_path / "deep" / "l"
    image = memory.make_image([b"base", b"1"], "shop/web:1", platform="linux/arm64")
    assert put(path, memory, image) == [("extracted", total(memory, image), 0, None)]
    name = "docker.io/shop/web:1"
    root = image.tree.root
    assert tree_of(path) == {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": (path / "index.json").read_bytes(),
        **{f"blobs/sha256/{digest.hex}": data for digest, data in memory.blobs.items()},
    }
    document = json.loads((path / "index.json").read_bytes())
    assert document == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{
            "mediaType": root.media_type, "digest": root.digest, "size": root.size,
            "annotations": {CONTAINERD_NAME: name, REF_NAME: name},
            "platform": {"architecture": "arm64", "os": "linux"},
        }],
    }  # fmt: skip


def test_the_same_again_changes_no_byte(tmp_path: Path) -> None:
    memory = MemorySource()
    images = [memory.make_image([b"base", b"%d" % number], f"web:{number}") for number in range(3)]
    put(tmp_path / "l", memory, *images)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "l").rglob("*")}
    results = put(tmp_path / "l", memory, *images)
    assert results == [("skipped", 0, total(memory, image), None) for image in images]
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "l").rglob("*")} == before


def test_shared_layers_are_written_once(tmp_path: Path) -> None:
    memory = MemorySource()
    one, two = (memory.make_image([b"base" * 100, data], f"web:{data.decode()}") for data in (b"1", b"2"))
    shared = one.tree.platform_images()[0].manifest.layers[0].size
    results = put(tmp_path / "l", memory, one, two)
    assert [result[2] for result in results] == [0, shared]


def test_two_names_of_one_image(tmp_path: Path) -> None:
    memory = MemorySource()
    one = memory.make_image([b"1"], "web:1")
    again = RegistryForm(Reference.parse("web:2"), one.tree)
    assert [result[0] for result in put(tmp_path / "l", memory, one, again, one)] == [
        "extracted",
        "extracted",
        "skipped",
    ]
    assert len(listed(tmp_path / "l")) == 2


def test_a_name_moves(tmp_path: Path) -> None:
    memory = MemorySource()
    old, new = memory.make_image([b"old"], "web:1"), memory.make_image([b"new"], "web:1")
    other = memory.make_image([b"old"], "web:2")
    put(tmp_path / "l", memory, old, other)
    ((status, _, _, replaced),) = put(tmp_path / "l", memory, new)
    assert (status, replaced) == ("extracted", old.tree.root.digest)
    names = {item["digest"]: item["annotations"][REF_NAME] for item in listed(tmp_path / "l")}  # type: ignore[index]
    assert names == {
        new.tree.root.digest: "docker.io/library/web:1",
        other.tree.root.digest: "docker.io/library/web:2",
    }


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("web:1@{}", "docker.io/library/web:1"),
        ("web@{}", "docker.io/library/web@{}"),
        ("web", "docker.io/library/web:latest"),
    ],
)
def test_names_with_digests(tmp_path: Path, reference: str, name: str) -> None:
    memory = MemorySource()
    image = memory.make_image([b"1"], "web:1")
    digest = image.tree.root.digest
    named = RegistryForm(Reference.parse(reference.format(digest)), image.tree)
    destination = OciLayoutDestination(tmp_path / "l")
    result = destination.put(outgoing(named), memory, CountingTask())
    assert (result.reference, result.target) == (str(named.reference), name.format(digest))
    assert destination.put(outgoing(named), memory, CountingTask()).status == "skipped"
    destination.finish()
    (found,) = OciLayoutSource(tmp_path / "l", archive=False).resolve(reference.format(digest))
    assert str(found.reference) == name.format(digest)


def test_a_layout_of_others_keeps_what_it_has(tmp_path: Path) -> None:
    memory = MemorySource()
    theirs = [memory.make_image([data], f"x:{data.decode()}") for data in (b"1", b"2", b"3", b"4")]
    files = layout_files(memory, [
        {**entry(theirs[0], "1.0"), "data": "e30="}, entry(theirs[1]), entry(theirs[2], "no name+"),
        {**entry(theirs[3], "2.0"), "platform": {"os": "linux", "architecture": "amd64", "os.features": ["x"]}},
    ])  # fmt: skip
    index = json.loads(files["index.json"])
    index["annotations"], index["future"] = {"a": "b"}, [1]
    files["index.json"] = json.dumps(index).encode()
    path = write_directory(tmp_path / "web", files)
    mine = memory.make_image([b"new"], "web:1.0")
    # A bare tag of theirs means this name too: it moves.
    ((_, _, _, replaced),) = put(path, memory, mine)
    assert replaced == theirs[0].tree.root.digest
    written = json.loads((path / "index.json").read_bytes())
    assert written["manifests"][:3] == index["manifests"][1:]
    assert written["manifests"][3]["digest"] == mine.tree.root.digest
    assert {**written, "manifests": []} == {**index, "manifests": []}


def test_a_bare_tag_of_others_with_the_same_image_is_left_alone(tmp_path: Path) -> None:
    memory = MemorySource()
    image = memory.make_image([b"1"], "web:1.0")
    path = write_directory(tmp_path / "web", layout_files(memory, [entry(image, "1.0")]))
    before = tree_of(path)
    assert put(path, memory, image) == [("skipped", 0, total(memory, image), None)]
    assert tree_of(path) == before


def test_a_name_that_others_gave_twice_leads_to_one_image_afterwards(tmp_path: Path) -> None:
    memory = MemorySource()
    one, two = (memory.make_image([data], "web:1") for data in (b"1", b"2"))
    path = write_directory(tmp_path / "web", layout_files(memory, [entry(one, "1"), entry(two, "1")]))
    put(path, memory, two)
    assert [item["digest"] for item in listed(path)] == [two.tree.root.digest]


def test_a_sparse_index_stays_sparse(tmp_path: Path) -> None:
    memory = MemorySource()
    image = memory.make_image([b"1"], "x")
    away = Descriptor(media_type=image.tree.root.media_type, digest=Digest.from_hex("1" * 64), size=9)
    index = memory.make_index([image], "web:1", absent=[away])
    put(tmp_path / "l", memory, index)
    (found,) = OciLayoutSource(tmp_path / "l", archive=False).resolve("")
    assert isinstance(found, RegistryForm)
    assert found.tree.documents == index.tree.documents
    assert not (tmp_path / "l/blobs/sha256" / away.digest.hex).exists()


def test_other_annotations_of_the_root_stay(tmp_path: Path) -> None:
    memory = MemorySource()
    document = json.loads(memory.blobs[memory.make_artifact(b"x", "web:sig").tree.root.digest])
    image = memory.add(document, "web:sig", annotations={"io.containerd.manifest.subject": "s", REF_NAME: "old"})
    put(tmp_path / "l", memory, image)
    name = "docker.io/library/web:sig"
    assert listed(tmp_path / "l")[0]["annotations"] == {
        "io.containerd.manifest.subject": "s", CONTAINERD_NAME: name, REF_NAME: name,
    }  # fmt: skip


def test_a_foreign_layer_may_stay_away_and_is_said(tmp_path: Path) -> None:
    memory = MemorySource()
    config = memory.make_image([b"w"], "x").tree.platform_images()[0].manifest.config
    layer = memory.store(b"w", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"}
    image = memory.add({**manifest, "config": config, "layers": [layer]}, "web:1")
    del memory.blobs[layer.digest]
    destination = OciLayoutDestination(tmp_path / "l")
    result = destination.put(outgoing(image), memory, CountingTask())
    assert (result.status, result.notes) == ("extracted", (f"the foreign layer {layer.digest} is not included",))
    assert result.bytes_sent == total_without(memory, image, layer)
    assert destination.put(outgoing(image), memory, CountingTask()).status == "skipped"


def total_without(memory: MemorySource, image: RegistryForm, away: Descriptor) -> int:
    return sum(item.size for item in image.tree.blobs() if item.digest != away.digest)


# -- mishaps --------------------------------------------------------------------------------------------------


class BrokenReader:
    """Gives one blob as a stream of the test's choice."""

    def __init__(self, memory: MemorySource, digest: Digest, stream: Callable[[bytes], ByteStream]) -> None:
        self._memory, self._digest, self._stream = memory, digest, stream

    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
        if descriptor.digest == self._digest:
            return self._stream(self._memory.blobs[descriptor.digest])
        return self._memory.open_blob(descriptor, offset)


MISHAPS: list[tuple[Callable[[bytes], ByteStream], type[BaseException]]] = [
    (lambda data: FailingStream(data[:5], Unreachable("gone")), Unreachable),
    (lambda data: FailingStream(data[:-1] + b"!", Unreachable("never asked")), DamagedContent),
    (lambda data: FailingStream(data + b"!", Unreachable("never asked")), DamagedContent),
    (lambda data: FailingStream(data[:5], DiskError("stick pulled out")), DiskError),
    (lambda data: FailingStream(data[:5], KeyboardInterrupt()), KeyboardInterrupt),
]


@pytest.mark.parametrize(("stream", "kind"), MISHAPS)
def test_a_mishap_leaves_the_layout_as_it_was(
    tmp_path: Path, stream: Callable[[bytes], ByteStream], kind: type[BaseException]
) -> None:
    memory, path = MemorySource(), tmp_path / "l"
    old = memory.make_image([b"old"], "web:1")
    put(path, memory, old)
    index = (path / "index.json").read_bytes()
    new = memory.make_image([b"new layer"], "web:1")
    layer = new.tree.platform_images()[0].manifest.layers[0]
    destination = OciLayoutDestination(path)
    with pytest.raises(kind):
        destination.put(outgoing(new), BrokenReader(memory, layer.digest, stream), CountingTask())
    assert not list(path.rglob("*.partial"))
    assert not (path / "blobs/sha256" / layer.digest.hex).exists()
    # The others go on: what failed is not listed, and the name leads where it led.
    destination.finish()
    assert (path / "index.json").read_bytes() == index
    put(path, memory, new)
    assert [item["digest"] for item in listed(path)] == [new.tree.root.digest]


def test_abort_leaves_no_new_layout_but_the_work_that_is_done(tmp_path: Path) -> None:
    memory, path = MemorySource(), tmp_path / "l"
    image = memory.make_image([b"1"], "web:1")
    destination = OciLayoutDestination(path)
    destination.put(outgoing(image), memory, CountingTask())
    (path / "blobs/sha256" / ("0" * 64 + ".partial")).write_bytes(b"of a killed run")
    (path / "blobs/sha256" / "notes.partial").write_bytes(b"not ours")
    destination.abort()
    assert [file.name for file in path.rglob("*.partial")] == ["notes.partial"]
    assert not (path / "index.json").exists()
    with pytest.raises(NotFound):
        OciLayoutSource(path, archive=False)
    assert put(path, memory, image) == [("extracted", 0, total(memory, image), None)]


def test_abort_before_anything_and_finish_of_nothing(tmp_path: Path) -> None:
    OciLayoutDestination(tmp_path / "l").abort()
    OciLayoutDestination(tmp_path / "l").finish()
    assert not (tmp_path / "l").exists()


@pytest.mark.parametrize("data", [b"", b"other bytes", None])
def test_a_wrong_blob_that_is_there_is_replaced(tmp_path: Path, data: bytes | None) -> None:
    memory, path = MemorySource(), tmp_path / "l"
    image = memory.make_image([b"1"], "web:1")
    put(path, memory, image)
    layer = image.tree.platform_images()[0].manifest.layers[0]
    blob = path / "blobs/sha256" / layer.digest.hex
    blob.write_bytes(memory.blobs[layer.digest][:-1] + b"!" if data is None else data)
    ((_, sent, _, _),) = put(path, memory, image)
    assert sent == layer.size
    assert blob.read_bytes() == memory.blobs[layer.digest]


def test_links_are_replaced_and_never_written_through(tmp_path: Path) -> None:
    memory, path, victim = MemorySource(), tmp_path / "l", tmp_path / "victim"
    victim.write_bytes(b"precious")
    image = memory.make_image([b"1"], "web:1")
    layer = image.tree.platform_images()[0].manifest.layers[0]
    (path / "blobs/sha256").mkdir(parents=True)
    (path / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    for name in (
        f"blobs/sha256/{layer.digest.hex}",
        f"blobs/sha256/{layer.digest.hex}.partial",
        "index.json.partial",
    ):
        (path / name).symlink_to(victim)
    put(path, memory, image)
    assert victim.read_bytes() == b"precious"
    assert not any(file.is_symlink() for file in path.rglob("*"))


def make_file(path: Path) -> None:
    path.write_bytes(b"")


def make_full_directory(path: Path) -> None:
    path.mkdir()
    (path / "letter.txt").write_bytes(b"")


def make_linked_blobs(path: Path) -> None:
    (path.parent / "elsewhere").mkdir()
    path.mkdir()
    (path / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    (path / "blobs").symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize("prepare", [make_file, make_full_directory, make_linked_blobs])
def test_what_is_no_layout_is_left_alone(tmp_path: Path, prepare: Callable[[Path], None]) -> None:
    prepare(tmp_path / "l")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputExists):
        OciLayoutDestination(tmp_path / "l")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("index", [b"", b"[]", b"{}", b'{"schemaVersion":2,"manifests":[{}]}'])
def test_a_broken_layout_is_not_added_to(tmp_path: Path, index: bytes) -> None:
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index}
    with pytest.raises(MalformedDocument):
        OciLayoutDestination(write_directory(tmp_path / "l", files))
    files = {"oci-layout": b'{"imageLayoutVersion":"9.0.0"}', "index.json": b'{"schemaVersion":2,"manifests":[]}'}
    with pytest.raises(MalformedDocument):
        OciLayoutDestination(write_directory(tmp_path / "l", files))


@pytest.mark.parametrize("empty", ["nothing", "directory", "left over", "null"])
def test_empty_places_are_taken(tmp_path: Path, empty: str) -> None:
    path = tmp_path / "l"
    if empty != "nothing":
        path.mkdir()
    if empty == "left over":
        (path / "oci-layout.partial").write_bytes(b"{")
    if empty == "null":
        (path / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
        (path / "index.json").write_bytes(b'{"schemaVersion":2,"manifests":null}')
    memory = MemorySource()
    put(path, memory, memory.make_image([b"1"], "web:1"))
    assert len(listed(path)) == 1
    assert not list(path.rglob("*.partial"))


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, path = MemorySource(), tmp_path / "l"
    image = memory.make_image([os.urandom(5000)], "web:1", compression="none")
    real = os.write

    def write(descriptor: int, data: memoryview) -> int:
        if len(data) > 1000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr("os.write", write)
    destination = OciLayoutDestination(path)
    with pytest.raises(NoSpace):
        destination.put(outgoing(image), memory, CountingTask())
    destination.abort()
    assert not list(path.rglob("*.partial"))


def test_progress_counts_every_byte_once(tmp_path: Path) -> None:
    memory = MemorySource()
    image = memory.make_image([b"base" * 1000, b"1"], "web:1", compression="none")
    destination = OciLayoutDestination(tmp_path / "l")
    for _ in range(2):
        task = CountingTask()
        destination.put(outgoing(image), memory, task)
        assert task.done == total(memory, image)


def test_a_blob_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    memory = MemorySource()
    image = memory.make_image([b"1"], "web:1")
    del memory.blobs[image.tree.platform_images()[0].manifest.layers[0].digest]
    with pytest.raises(AirbundleError):
        OciLayoutDestination(tmp_path / "l").put(outgoing(image), memory, CountingTask())
