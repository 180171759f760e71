from __future__ import annotations

import io
import json
import tarfile
import tracemalloc
from collections import deque
from dataclasses import replace

import pytest

from bundler.content.hashing import sha256
from bundler.content.images import RegistryForm
from bundler.content.streams import ByteStream, MemoryStream
from bundler.errors import DamagedContent, NotFound
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.platforms import Platform
from bundler.transports.docker_archive_writer import (
    ArchiveImage,
    ArchiveLayer,
    DockerArchiveWriter,
    LayerForm,
    measure_plain,
)
from tests.fakes.memory import MemorySource, tar_of

BASE, MIDDLE, TOP = (tar_of({name: name.encode() * 40_000}) for name in ("base", "middle", "top"))
NAME, OTHER = "docker.io/library/shop:1", "docker.io/library/erp:1"


def of(form: RegistryForm, *forms: LayerForm, name: str | None = NAME) -> ArchiveImage:
    """Describe an image for the writer; ``forms`` are those of its layers, bottom first."""
    chosen = form.tree.select(Platform.parse("linux/amd64"))
    plain = {sha256(data): len(data) for data in (BASE, MIDDLE, TOP)}
    layers = tuple(
        ArchiveLayer(blob, diff_id, how, plain[diff_id])
        for (blob, diff_id), how in zip(chosen.layers(), forms, strict=True)
        if diff_id is not None
    )
    return ArchiveImage(name, form.tree, chosen, layers)


def members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]


def test_the_registry_form_holds_every_blob_as_it_is_and_the_tables_last() -> None:
    source = MemorySource()
    form = source.make_image([BASE, TOP], NAME, compression="zstd")
    sent: list[int] = []
    writer = DockerArchiveWriter(True, sent.append)
    files = members(b"".join((*writer.add(of(form, "stored", "stored"), source), *writer.end())))
    blobs = {f"blobs/sha256/{digest.hex}": data for digest, data in source.blobs.items()}
    assert list(files) == ["oci-layout", *(name for name in files if name in blobs), "manifest.json", "index.json"]
    assert {name: data for name, data in files.items() if name in blobs} == blobs
    assert sum(sent) == sum(map(len, blobs.values()))
    (described,) = json.loads(files["index.json"])["manifests"]
    assert described["digest"] == form.tree.root.digest
    assert set(described["annotations"].values()) == {NAME}
    (entry,) = json.loads(files["manifest.json"])
    assert entry["RepoTags"] == [NAME]
    assert [files[path] for path in entry["Layers"]] == [source.blobs[layer.digest] for layer in layers_of(form)]


def layers_of(form: RegistryForm) -> tuple[Descriptor, ...]:
    return form.tree.platform_images()[0].manifest.layers


@pytest.mark.parametrize("compression", ["zstd", "gzip"])
def test_layers_are_plain_stored_or_left_out_as_each_says(compression: str) -> None:
    source = MemorySource()
    form = source.make_image([BASE, MIDDLE, TOP], NAME, compression=compression)
    writer = DockerArchiveWriter(False)
    data = b"".join((*writer.add(of(form, "omitted", "stored", "plain"), source), *writer.end()))
    files, stored = members(data), layers_of(form)
    assert files[f"blobs/sha256/{sha256(TOP).hex}"] == TOP
    assert files[f"blobs/sha256/{stored[1].digest.hex}"] == source.blobs[stored[1].digest]
    assert f"blobs/sha256/{stored[0].digest.hex}" not in files
    assert not {"index.json", "oci-layout"} & set(files)
    assert len(json.loads(files["manifest.json"])[0]["Layers"]) == 3
    assert stored[0].digest not in source.opened


def test_several_images_share_blobs_and_one_image_has_several_names() -> None:
    source = MemorySource()
    shop, erp = source.make_image([BASE, TOP], NAME), source.make_image([BASE, MIDDLE], OTHER)
    writer = DockerArchiveWriter(True)
    images = [of(shop, "stored", "stored"), of(erp, "stored", "stored", name=OTHER)]
    images.append(replace(images[0], name="docker.io/library/again:1"))
    data = b"".join([chunk for image in images for chunk in writer.add(image, source)] + list(writer.end()))
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
    assert len(names) == len(set(names))
    files = members(data)
    table = json.loads(files["manifest.json"])
    assert [entry["RepoTags"] for entry in table] == [[NAME, "docker.io/library/again:1"], [OTHER]]
    assert len(json.loads(files["index.json"])["manifests"]) == 3


def test_a_name_given_twice_belongs_to_the_last_image() -> None:
    source = MemorySource()
    old, new = source.make_image([BASE], NAME), source.make_image([TOP], NAME)
    writer = DockerArchiveWriter(True)
    data = b"".join(
        (*writer.add(of(old, "stored"), source), *writer.add(of(new, "stored"), source), *writer.end())
    )
    assert [entry["RepoTags"] for entry in json.loads(members(data)["manifest.json"])] == [None, [NAME]]
    (described,) = json.loads(members(data)["index.json"])["manifests"]
    assert described["digest"] == new.tree.root.digest


def test_an_image_without_name_has_neither_tag_nor_annotation() -> None:
    source = MemorySource()
    form = source.make_image([BASE], NAME)
    writer = DockerArchiveWriter(True)
    files = members(b"".join((*writer.add(of(form, "stored", name=None), source), *writer.end())))
    assert json.loads(files["manifest.json"])[0]["RepoTags"] is None
    assert "annotations" not in json.loads(files["index.json"])["manifests"][0]


@pytest.mark.parametrize("how", ["stored", "plain"])
def test_a_damaged_blob_stops_the_archive_before_its_tables(how: LayerForm) -> None:
    source = MemorySource()
    form = source.make_image([BASE, TOP], NAME)
    (_, top) = layers_of(form)
    data = bytearray(source.blobs[top.digest])
    data[len(data) // 2] ^= 1
    source.blobs[top.digest] = bytes(data)
    written, writer = bytearray(), DockerArchiveWriter(False)
    with pytest.raises(DamagedContent):
        deque(map(written.extend, writer.add(of(form, "stored", how), source)), maxlen=0)
    assert b"manifest.json" not in written
    # What failed is no part of the archive, and a good image may still follow.
    good = source.make_image([BASE], OTHER)
    files = members(b"".join((*writer.add(of(good, "stored", name=OTHER), source), *writer.end())))
    assert [entry["RepoTags"] for entry in json.loads(files["manifest.json"])] == [[OTHER]]
    assert f"blobs/sha256/{layers_of(good)[0].digest.hex}" in files


@pytest.mark.parametrize("error", [-1, 1])
def test_a_wrong_uncompressed_size_is_found(error: int) -> None:
    source = MemorySource()
    image = of(source.make_image([BASE], NAME), "plain")
    layer = image.layers[0]
    image = replace(image, layers=(replace(layer, plain_size=layer.plain_size + error),))
    with pytest.raises(DamagedContent):
        list(DockerArchiveWriter(False).add(image, source))


def test_a_missing_blob_is_told_unless_it_is_foreign() -> None:
    source = MemorySource()
    form = source.make_image([BASE], NAME)
    del source.blobs[layers_of(form)[0].digest]
    with pytest.raises(NotFound):
        list(DockerArchiveWriter(True).add(of(form, "stored"), source))
    foreign = Descriptor(
        media_type="application/vnd.oci.image.layer.nondistributable.v1.tar", digest=sha256(BASE), size=len(BASE)
    )
    config = form.tree.platform_images()[0].manifest.config
    document = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": config, "layers": [foreign]}
    list(DockerArchiveWriter(True).add(of(source.add(document, NAME), "stored"), source))


def test_the_uncompressed_size_can_be_found_by_decompressing() -> None:
    source = MemorySource()
    for compression in ("none", "gzip", "zstd"):
        (layer,) = layers_of(source.make_image([BASE], NAME, compression=compression))
        assert measure_plain(layer, source) == len(BASE)


class _Zeros:
    """Gives any amount of zeros, and does not look at descriptors."""

    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
        return _ZeroStream(descriptor.size)


class _ZeroStream(MemoryStream):
    def __init__(self, size: int) -> None:
        super().__init__(b"")
        self.left = size

    def readinto(self, buffer: memoryview) -> int:
        count = min(len(buffer), self.left)
        self.left -= count
        return count


def test_memory_does_not_grow_with_the_layers() -> None:
    source = MemorySource()
    image = of(source.make_image([BASE], NAME), "stored")
    huge = replace(image.layers[0], blob=replace_size(image.layers[0].blob, 300 << 20))
    tracemalloc.start()
    total = sum(map(len, DockerArchiveWriter(False).add(replace(image, layers=(huge,)), _Zeros())))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total > 300 << 20
    assert peak < 8 << 20


def replace_size(blob: Descriptor, size: int) -> Descriptor:
    return Descriptor(media_type=blob.media_type, digest=blob.digest, size=size)
