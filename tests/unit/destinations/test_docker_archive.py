from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.content.hashing import sha256
from bundler.content.images import EngineForm, OutgoingImage, PutResult, RegistryForm
from bundler.destinations.docker_archive import DockerArchiveDestination
from bundler.errors import DamagedContent, NotFound, OutputExists, UsageError
from bundler.model.platforms import Platform
from bundler.model.reference import Reference
from bundler.sources.docker_archive import DockerArchiveSource
from tests.fakes.memory import CountingTask, MemorySource
from tests.requirements import require, why_no_program
from tests.unit.engines import layer
from tests.unit.sources.reading import read

BASE, TOP, OTHER = layer("base"), layer("top"), layer("other")
AMD64 = Platform.parse("linux/amd64")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "images.tar"


def put(
    destination: DockerArchiveDestination, source: MemorySource, image: RegistryForm, **sizes: int
) -> PutResult:
    task = CountingTask()
    known = {f"sha256:{key[1:]}": size for key, size in sizes.items()}
    result = destination.put(OutgoingImage(image.reference, image.tree, known), source, task)  # type: ignore[arg-type]
    assert task.done == sum(blob.size for blob in image.tree.blobs())
    return result


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_images_are_written_plain_and_shared_layers_once(path: Path, compression: str) -> None:
    source, destination = MemorySource(), DockerArchiveDestination(path)
    shop = source.make_image([BASE, TOP], "shop:1", compression=compression)
    erp = source.make_image([BASE, OTHER], "reg:5000/erp:1", compression=compression)
    first, second = put(destination, source, shop), put(destination, source, erp)
    assert (first.status, first.digest) == ("extracted", shop.tree.platform_images()[0].image_id)
    assert second.bytes_sent < first.bytes_sent + len(OTHER) - len(TOP)
    assert not path.exists()
    destination.finish()
    with tarfile.open(path) as tar:
        names = tar.getnames()
    assert sorted(names) == sorted(set(names))
    found = DockerArchiveSource(path)
    for image, layers in ((shop, [BASE, TOP]), (erp, [BASE, OTHER])):
        (back,) = found.resolve(str(image.reference))
        assert isinstance(back, EngineForm)
        assert back.config_digest == image.tree.platform_images()[0].image_id
        assert back.diff_ids == tuple(map(sha256, layers))
        read(found, back)
    assert [child.name for child in path.parent.iterdir()] == [path.name]


def test_the_same_images_give_the_same_bytes(path: Path, tmp_path: Path) -> None:
    for target in (path, tmp_path / "again.tar"):
        source, destination = MemorySource(), DockerArchiveDestination(target)
        put(destination, source, source.make_image([BASE, TOP], "shop:1"))
        destination.finish()
    assert path.read_bytes() == (tmp_path / "again.tar").read_bytes()


def test_a_second_name_adds_no_bytes(path: Path) -> None:
    source, destination = MemorySource(), DockerArchiveDestination(path)
    image = source.make_image([BASE], "shop:1")
    put(destination, source, image)
    assert put(destination, source, replace(image, reference=Reference.parse("shop:2"))).bytes_sent == 0
    destination.finish()
    names = [image.reference.familiar for image in DockerArchiveSource(path).resolve("")]
    assert names == ["shop:1", "shop:2"]


def test_what_exists_is_never_overwritten(path: Path) -> None:
    path.write_bytes(b"mine")
    with pytest.raises(OutputExists):
        DockerArchiveDestination(path)
    path.unlink()
    source, destination = MemorySource(), DockerArchiveDestination(path)
    put(destination, source, source.make_image([BASE], "shop:1"))
    path.write_bytes(b"mine")
    with pytest.raises(OutputExists):
        destination.finish()
    assert path.read_bytes() == b"mine"
    assert [child.name for child in path.parent.iterdir()] == [path.name]


def test_a_damaged_image_is_taken_back_and_others_follow(path: Path) -> None:
    source, destination = MemorySource(), DockerArchiveDestination(path)
    good, bad = source.make_image([BASE], "good:1"), source.make_image([OTHER, TOP], "bad:1")
    digest = bad.tree.platform_images()[0].manifest.layers[1].digest
    data = source.blobs[digest]
    source.blobs[digest] = data[:-10] + bytes([data[-10] ^ 1]) + data[-9:]
    put(destination, source, good)
    with pytest.raises(DamagedContent):
        put(destination, source, bad)
    source.blobs[digest] = data
    put(destination, source, source.make_image([OTHER], "last:1"))
    destination.finish()
    found = DockerArchiveSource(path)
    assert [image.reference.familiar for image in found.resolve("")] == ["good:1", "last:1"]
    for image in found.resolve(""):
        read(found, image)


@pytest.mark.parametrize("error", [-512, 512])
def test_a_wrong_recorded_size_is_found(path: Path, error: int) -> None:
    source, destination = MemorySource(), DockerArchiveDestination(path)
    image = source.make_image([BASE], "shop:1")
    digest = image.tree.platform_images()[0].manifest.layers[0].digest
    with pytest.raises(DamagedContent):
        put(destination, source, image, **{f"x{digest.hex}": len(BASE) + error})
    destination.abort()
    assert list(path.parent.iterdir()) == []


def test_nothing_is_left_after_an_abort_or_without_images(path: Path) -> None:
    source, destination = MemorySource(), DockerArchiveDestination(path)
    put(destination, source, source.make_image([BASE], "shop:1"))
    destination.abort()
    destination.abort()
    DockerArchiveDestination(path).finish()
    assert list(path.parent.iterdir()) == []


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    source, destination = MemorySource(), DockerArchiveDestination(tmp_path / "none/x.tar")
    with pytest.raises(NotFound):
        put(destination, source, source.make_image([BASE], "shop:1"))
    destination.abort()


def test_one_platform_is_taken_and_the_others_are_named(path: Path) -> None:
    source = MemorySource()
    images = [
        source.make_image([BASE], f"x{n}:1", platform=p) for n, p in enumerate(("linux/s390x", "linux/amd64"))
    ]
    index = source.make_index(images, "shop:1")
    destination = DockerArchiveDestination(path, AMD64)
    result = put(destination, source, index)
    assert result.digest == images[1].tree.platform_images()[0].image_id
    assert "linux/s390x" in result.notes[0]
    with pytest.raises(NotFound, match="no variant"):
        put(DockerArchiveDestination(path, Platform.parse("linux/arm64")), source, index)
    destination.abort()


def test_what_is_no_image_and_what_has_no_tag(path: Path) -> None:
    source, destination = MemorySource(), DockerArchiveDestination(path)
    with pytest.raises((UsageError, NotFound)):
        put(destination, source, source.make_artifact(b"payload", "artifact:1"))
    image = source.make_image([BASE], "shop:1")
    pinned = replace(image, reference=Reference.parse(f"shop@{image.tree.root.digest}"))
    assert "no tag" in put(destination, source, pinned).notes[0]
    destination.finish()
    with tarfile.open(path) as tar:
        table = json.loads(tar.extractfile("manifest.json").read())  # type: ignore[union-attr]
    assert table[0]["RepoTags"] is None


def test_skopeo_reads_what_is_written(path: Path, tmp_path: Path) -> None:
    require(why_no_program("skopeo"))
    source, destination = MemorySource(), DockerArchiveDestination(path)
    image = source.make_image([BASE, TOP, BASE], "reg.test:5000/shop:1", compression="zstd")
    put(destination, source, image)
    put(destination, source, source.make_image([OTHER], "erp:1"))
    destination.finish()
    copied = tmp_path / "copied"
    command = [shutil.which("skopeo") or "skopeo", "--insecure-policy", "copy", "--quiet"]
    subprocess.run([*command, f"docker-archive:{path}:reg.test:5000/shop:1", f"dir:{copied}"], check=True)
    manifest = json.loads((copied / "manifest.json").read_bytes())
    assert manifest["config"]["digest"] == image.tree.platform_images()[0].image_id
