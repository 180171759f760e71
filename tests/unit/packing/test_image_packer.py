"""What a bundle holds of its images; and sources that lie."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.content.hashing import sha256
from bundler.content.images import Content, FoundImage, RegistryForm
from bundler.content.streams import MemoryStream
from bundler.errors import DamagedContent, MalformedDocument, Unreachable
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.packing.pack import write_bundle
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PlannedImage, make_plan
from bundler.progress import Task
from tests.builders import (
    KIB,
    SHOP,
    SHOP_TOOLS,
    SMALL,
    TwoApplications,
    final_names,
    joined,
    layer,
    no_thread_is_left,
    pack_images,
    within,
)  # fmt: skip
from tests.fakes.memory import CountingTask, MemorySource, compress, make_config

A, B = layer("a", 80 * KIB), layer("b", 3 * KIB)


def members(directory: Path, *archives: str) -> dict[str, bytes]:
    data = b"".join(joined(directory, archive) for archive in archives)
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = [(member.name, tar.extractfile(member)) for member in tar]
        result = {name: file.read() for name, file in files if file is not None}
    assert len(result) == len(files)
    return result


def test_the_bundle_of_two_applications(tmp_path: Path) -> None:
    packed = TwoApplications()
    manifest = packed.pack(tmp_path / "bundle")
    assert [archive.name for archive in manifest.archives] == ["shared", "erp", "shop"]
    assert verify_bundle(open_bundle(tmp_path / "bundle"), "deep").ok
    # Each content once in the whole bundle, and nothing read twice.
    whole = joined(tmp_path / "bundle", "shared") + joined(tmp_path / "bundle", "shop")
    whole += joined(tmp_path / "bundle", "erp")
    for blob in manifest.blobs:
        assert whole.count(f"blobs/sha256/{blob.digest.hex}\0".encode()) == 1
    for source in (packed.registry, packed.engine):
        assert len(source.opened) == len(set(source.opened))
    base = sha256(layer("base", 90 * KIB))
    assert base not in packed.engine.opened
    (shared,) = (blob for blob in manifest.blobs if blob.archive == "shared")
    assert shared.diff_id == base


def test_what_came_with_a_digest_keeps_it(tmp_path: Path) -> None:
    packed = TwoApplications()
    manifest = packed.pack(tmp_path)
    files = members(tmp_path, "shared", "shop")
    for image in (packed.web, packed.tools):
        for blob in image.tree.blobs():
            assert files[f"blobs/sha256/{blob.digest.hex}"] == packed.registry.blobs[blob.digest]
    shop = next(application for application in manifest.applications if application.name == "shop")
    assert all(image.digest_preserved for image in shop.images)
    assert [image.reference for image in shop.images] == [SHOP_TOOLS, SHOP]
    web = shop.images[1]
    assert web.blobs == tuple(blob.digest for blob in packed.web.tree.blobs())
    assert (web.platforms, web.source) == (("linux/amd64",), "registry")


def test_an_image_of_an_engine_keeps_its_config(tmp_path: Path) -> None:
    packed = TwoApplications()
    manifest = packed.pack(tmp_path)
    (image,) = next(application.images for application in manifest.applications if application.name == "erp")
    assert image.image_ids == (packed.ledger.config_digest,)
    assert not image.digest_preserved
    rows = manifest.blob_by_digest
    layers = [rows[digest] for digest in image.blobs if rows[digest].diff_id]
    assert [blob.diff_id for blob in layers] == list(packed.ledger.diff_ids)
    for blob in layers:
        assert blob.uncompressed_size == len(packed.engine.blobs[blob.diff_id or Digest("")])
    # The base came from a registry, as it was; the others were compressed here, and the recipe is recorded.
    assert [blob.encoder and blob.encoder.algorithm for blob in layers] == [None, "zstd", "zstd"]
    files = members(tmp_path, "shared", "erp")
    assert files[f"blobs/sha256/{packed.ledger.config_digest.hex}"] == make_config(
        [packed.engine.blobs[diff_id] for diff_id in packed.ledger.diff_ids]
    )


def test_the_tables_of_an_archive(tmp_path: Path) -> None:
    packed = TwoApplications()
    packed.pack(tmp_path)
    files = members(tmp_path, "shared", "shop")
    assert list(files)[-2:] == ["manifest.json", "index.json"]
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    rows = json.loads(files["manifest.json"])
    assert [row["RepoTags"] for row in rows] == [[SHOP_TOOLS], [SHOP]]
    for row in rows:
        assert {row["Config"], *row["Layers"]} <= files.keys()
    index = json.loads(files["index.json"])
    assert [item["annotations"] for item in index["manifests"]] == [
        {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name}
        for name in (SHOP_TOOLS, SHOP)
    ]
    shared = members(tmp_path, "shared")
    assert all(name.startswith("blobs/") for name in shared)
    assert not joined(tmp_path, "shared").endswith(bytes(1024))


def test_a_layer_twice_in_one_image(tmp_path: Path) -> None:
    source = MemorySource("docker")
    image = source.make_engine_image([A, B, A], "x/one:1")
    manifest = pack_images(tmp_path, source, {"web": [image]})
    assert len(manifest.blobs) == 4
    (row,) = json.loads(members(tmp_path, "web")["manifest.json"])
    assert len(row["Layers"]) == 3
    assert row["Layers"][0] == row["Layers"][2] != row["Layers"][1]
    assert verify_bundle(open_bundle(tmp_path), "deep").ok


def test_one_image_under_two_names(tmp_path: Path) -> None:
    source = MemorySource("docker")
    one, two = source.make_engine_image([A], "x/one:1"), source.make_engine_image([A], "x/two:1")
    manifest = pack_images(tmp_path, source, {"web": [one, two]})
    assert len(manifest.blobs) == 3
    (row,) = json.loads(members(tmp_path, "web")["manifest.json"])
    assert row["RepoTags"] == ["docker.io/x/one:1", "docker.io/x/two:1"]


def test_an_index_an_artifact_and_a_sparse_index(tmp_path: Path) -> None:
    source = MemorySource("registry")
    arm = source.make_image([A], "x/arm:1", platform="linux/arm64")
    amd = source.make_image([B], "x/amd:1")
    absent = replace_digest(arm, b"elsewhere")
    index = source.make_index([arm, amd], "x/both:1", absent=[absent])
    artifact = source.make_artifact(b"signed", "x/signature:1")
    manifest = pack_images(tmp_path, source, {"web": [index, artifact]})
    both, signature = manifest.applications[0].images
    assert both.platforms == ("linux/amd64", "linux/arm64")
    assert signature.platforms == ()
    (row,) = json.loads(members(tmp_path, "web")["manifest.json"])
    assert row["Layers"] == [f"blobs/sha256/{sha256(compress(B, 'gzip')).hex}"]
    assert verify_bundle(open_bundle(tmp_path), "deep").ok


def replace_digest(image: RegistryForm, other: bytes) -> Descriptor:
    root = image.tree.root
    return Descriptor(media_type=root.media_type, digest=sha256(other), size=len(other))


def test_an_artifact_without_bytes(tmp_path: Path) -> None:
    source = MemorySource("registry")
    images = [source.make_artifact(b"", f"x/{name}:1", annotations={"of": name}) for name in ("one", "two")]
    # In two applications: the empty blob may be the last thing in `shared`.
    manifest = pack_images(tmp_path, source, {"a": [images[0]], "b": [images[1]]})
    assert manifest.blob_by_digest[sha256(b"")].size == 0
    assert verify_bundle(open_bundle(tmp_path), "deep").ok


# -- sources that lie ---------------------------------------------------------------------------------------


class LyingSource(MemorySource):
    """Gives what ``lie`` makes of each content."""

    def __init__(self, lie: Callable[[Content, bytes], list[Content]], kind: str) -> None:
        super().__init__(kind)
        self._lie = lie

    def contents(self, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task) -> Iterator[Content]:
        for content in super().contents(images, wanted, task):
            yield from self._lie(content, self.blobs[content.digest])


def a_content(digest: Digest, data: bytes, size: int | None = None) -> Content:
    return Content(digest, len(data) if size is None else size, MemoryStream(data))


LIES: dict[str, Callable[[Content, bytes], list[Content]]] = {
    "nothing": lambda content, data: [],
    "other bytes": lambda content, data: [a_content(content.digest, data[:-1] + bytes([data[-1] ^ 1]))],
    "too few bytes": lambda content, data: [a_content(content.digest, data[:-1], len(data))],
    "too many bytes": lambda content, data: [a_content(content.digest, data + b"x", len(data))],
    "a shorter content": lambda content, data: [a_content(content.digest, data[:-1])],
    "a longer content": lambda content, data: [a_content(content.digest, data + b"x")],
    "something else": lambda content, data: [a_content(sha256(b"x"), b"x")],
}


def packing_fails(
    output: Path, source: MemorySource, image: FoundImage, kind: type[Exception] = DamagedContent
) -> None:
    with no_thread_is_left(), pytest.raises(kind):
        within(20, lambda: pack_images(output, source, {"web": [image]}))
    assert final_names(output) == []


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("form", ["registry", "engine"])
def test_a_source_that_lies(tmp_path: Path, lie: Callable[[Content, bytes], list[Content]], form: str) -> None:
    source = LyingSource(lie, "oci")
    if form == "registry":
        packing_fails(tmp_path, source, source.make_image([A, B], "x/one:1"))
    else:
        packing_fails(tmp_path, source, source.make_engine_image([A, B], "x/one:1"))


def test_an_engine_that_gives_a_negative_size(tmp_path: Path) -> None:
    source = LyingSource(lambda content, data: [a_content(content.digest, data, -1)], "docker")
    packing_fails(tmp_path, source, source.make_engine_image([A], "x/one:1"))


def test_what_was_not_asked_for_and_what_comes_twice_is_passed_over(tmp_path: Path) -> None:
    def chatty(content: Content, data: bytes) -> list[Content]:
        # The same stream object may not be read twice, so the second time it is broken.
        return [a_content(sha256(b"x"), b"x"), content, a_content(content.digest, b"broken")]

    honest = MemorySource("oci")
    source = LyingSource(chatty, "oci")
    one = pack_images(tmp_path / "a", source, {"web": [source.make_image([A, B], "x/one:1")]})
    two = pack_images(tmp_path / "b", honest, {"web": [honest.make_image([A, B], "x/one:1")]})
    assert one.raw == two.raw


def test_a_source_that_breaks_off(tmp_path: Path) -> None:
    def breaks(content: Content, data: bytes) -> list[Content]:
        raise Unreachable("gone")

    source = LyingSource(breaks, "docker")
    packing_fails(tmp_path, source, source.make_engine_image([A], "x/one:1"), Unreachable)


def test_a_config_that_is_not_that_of_its_layers(tmp_path: Path) -> None:
    source = MemorySource("docker")
    image = source.make_engine_image([A, B], "x/one:1")
    packing_fails(tmp_path, source, replace(image, diff_ids=image.diff_ids[::-1]))


def test_a_config_that_is_none(tmp_path: Path) -> None:
    source = MemorySource("docker")
    image = source.make_engine_image([A], "x/one:1")
    junk = source.store(b'{"rootfs":7}', media_types.OCI_CONFIG)
    packing_fails(tmp_path, source, replace(image, config_digest=junk.digest), MalformedDocument)


def test_a_layer_that_is_not_what_the_config_of_a_registry_says(tmp_path: Path) -> None:
    source = MemorySource("registry")
    layers = [source.store(compress(A, "gzip"), media_types.OCI_LAYER_GZIP)]
    config = source.store(make_config([B]), media_types.OCI_CONFIG)
    document = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": config, "layers": layers}
    packing_fails(tmp_path, source, source.add(document, "x/one:1"))


@pytest.mark.parametrize("where", ["in one image", "in two images"])
def test_one_blob_cannot_be_two_layers(tmp_path: Path, where: str) -> None:
    # A blob is looked into once. Were the second name for it believed, it would stand in for any layer that an
    # engine's image asks for.
    source = MemorySource("registry")
    layer = source.store(compress(A, "gzip"), media_types.OCI_LAYER_GZIP)

    def image(name: str, *contents: bytes) -> RegistryForm:
        config = source.store(make_config(contents), media_types.OCI_CONFIG)
        layers = [layer] * len(contents)
        document = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": config, "layers": layers}
        return source.add(document, name)

    images: list[FoundImage] = [source.make_engine_image([B], "x/victim:1")]
    images += [image("x/one:1", B, A)] if where == "in one image" else [image("x/b:1", A), image("x/c:1", B)]
    with no_thread_is_left(), pytest.raises(DamagedContent, match="another config says"):
        pack_images(tmp_path, source, {"web": images})
    assert "bundle.json" not in final_names(tmp_path)


def test_the_progress_tells_every_byte_read(tmp_path: Path) -> None:
    class Recording:
        def __init__(self) -> None:
            self.tasks: list[tuple[str, int | None, CountingTask]] = []

        def task(self, label: str, total: int | None = None) -> Task:
            self.tasks.append((label, total, CountingTask()))
            return self.tasks[-1][2]

        def message(self, text: str) -> None:
            raise AssertionError(text)

    progress, packed = Recording(), TwoApplications()
    packed.pack(tmp_path, SMALL, progress)
    ((label, total, task),) = progress.tasks
    assert label == "pack"
    read = sum(len(packed.registry.blobs[digest]) for digest in packed.registry.opened)
    read += sum(len(packed.engine.blobs[digest]) for digest in packed.engine.opened[1:])
    assert task.done == read
    assert total is not None
    assert read <= total


def test_bundles_of_bundles_are_equal(tmp_path: Path) -> None:
    """A bundle is a source like any other, and loses nothing: what was made here has a digest now."""
    packed = TwoApplications()
    first = packed.pack(tmp_path / "first")
    again = tmp_path / "again"
    second = _repack(tmp_path / "first", again)
    assert {blob.digest for blob in second.blobs} == {blob.digest for blob in first.blobs}
    assert verify_bundle(open_bundle(again), "deep").ok
    assert _repack(again, tmp_path / "third").raw == second.raw


def _repack(directory: Path, output: Path, options: PackOptions = SMALL) -> BundleManifest:
    bundle = open_bundle(directory)
    images = [
        PlannedImage(application.name, found, bundle)
        for application, image in bundle.images()
        for found in bundle.resolve(image.reference)
    ]
    return write_bundle(make_plan(images), output, options)


def test_names_of_images_are_kept(tmp_path: Path) -> None:
    source = MemorySource("registry")
    digests = [source.make_image([data], "x/y:1").tree.root.digest for data in (A, B)]
    names = [f"docker.io/x/one:1@{digests[0]}", f"docker.io/x/two@{digests[1]}"]
    images = [source.make_image([data], name) for data, name in zip((A, B), names, strict=True)]
    manifest = pack_images(tmp_path, source, {"web": images})
    assert [one.reference for one in manifest.applications[0].images] == names
    rows = json.loads(members(tmp_path, "web")["manifest.json"])
    assert [row["RepoTags"] for row in rows] == [["docker.io/x/one:1"], []]
