"""Trees of documents: walking them, and choosing a platform."""

from __future__ import annotations

import pytest

from bundler.content.images import RegistryForm
from bundler.errors import MalformedDocument, NotFound
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.limits import Limits
from bundler.model.platforms import Platform
from tests.fakes.memory import MemorySource


def images(source: MemorySource, *platforms: str) -> list[RegistryForm]:
    return [source.make_image([platform.encode()], "x", platform=platform) for platform in platforms]


def index_of(*platforms: str) -> ImageTree:
    source = MemorySource()
    return source.make_index(images(source, *platforms), "web:1").tree


@pytest.mark.parametrize(
    ("held", "host", "chosen"),
    [
        (["linux/amd64", "linux/arm64"], "linux/arm64", "linux/arm64"),
        (["linux/amd64", "linux/arm64"], "linux/amd64", "linux/amd64"),
        (["linux/arm/v6", "linux/arm/v7"], "linux/arm/v7", "linux/arm/v7"),
        (["linux/arm/v7", "linux/arm/v6"], "linux/arm/v6", "linux/arm/v6"),
        (["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"], "linux/arm/v6", "linux/arm/v6"),
        (["linux/amd64", "unknown/unknown"], "linux/amd64", "linux/amd64"),
        # The only one that there is: the engine may emulate it, the caller warns.
        (["linux/arm64"], "linux/amd64", "linux/arm64"),
        (["linux/arm64", "unknown/unknown"], "linux/amd64", "linux/arm64"),
    ],
)
def test_select(held: list[str], host: str, chosen: str) -> None:
    assert str(index_of(*held).select(Platform.parse(host)).platform) == chosen


@pytest.mark.parametrize("held", [["linux/arm64", "linux/s390x"], ["unknown/unknown"], []])
def test_select_finds_nothing(held: list[str]) -> None:
    with pytest.raises(NotFound, match="no variant for linux/amd64") as caught:
        index_of(*held).select(Platform.parse("linux/amd64"))
    assert "It holds: " in caught.value.advice


def test_select_takes_the_first_of_equals() -> None:
    source = MemorySource()
    first, second = (source.make_image([data], "x") for data in (b"1", b"2"))
    chosen = source.make_index([first, second], "web").tree.select(Platform.parse("linux/amd64"))
    assert chosen.descriptor.digest == first.tree.root.digest


def test_a_platform_image_knows_its_layers() -> None:
    source = MemorySource()
    tree = source.make_image([b"1", b"2", b"1"], "web", compression="zstd").tree
    (image,) = tree.platform_images()
    assert image.image_id == image.manifest.config.digest
    assert image.config is not None
    assert [diff_id for _, diff_id in image.layers()] == list(image.config.diff_ids)
    assert [layer.media_type for layer, _ in image.layers()] == [media_types.OCI_LAYER_ZSTD] * 3


def test_an_artifact_has_neither_config_nor_diff_ids() -> None:
    source = MemorySource()
    (image,) = source.make_artifact(b"signature", "web:sig").tree.platform_images()
    assert image.config is None
    assert image.platform == Platform()
    assert [diff_id for _, diff_id in image.layers()] == [None]


def test_the_config_is_believed_before_the_index() -> None:
    source = MemorySource()
    image = source.make_image([b"1"], "x", platform="linux/arm64")
    listed = Descriptor(
        media_type=image.tree.root.media_type,
        digest=image.tree.root.digest,
        size=image.tree.root.size,
        platform=Platform.parse("linux/amd64"),
    )
    tree = source.make_index([], "web", absent=[listed]).tree
    assert [str(found.platform) for found in tree.platform_images()] == ["linux/arm64"]


def test_blobs_come_once_and_parents_first() -> None:
    source = MemorySource()
    one = source.make_image([b"base", b"1"], "x")
    two = source.make_image([b"base", b"2", b"base"], "x", platform="linux/arm64")
    inner = source.make_index([two], "x")
    tree = source.make_index([one, inner, one], "web").tree
    digests = [descriptor.digest for descriptor in tree.blobs()]
    assert len(digests) == len(set(digests)) == 9  # 2 indexes, 2 manifests, 2 configs, 3 layers
    roots = [tree.root, one.tree.root, inner.tree.root, two.tree.root]
    assert [descriptor.digest for descriptor, _ in tree.nodes()] == [root.digest for root in roots]
    assert digests[0] == tree.root.digest
    assert digests.index(inner.tree.root.digest) < digests.index(two.tree.root.digest)
    assert set(digests) >= set(tree.documents)


def test_a_sparse_index_yields_what_is_there() -> None:
    source = MemorySource()
    there, away = images(source, "linux/amd64", "linux/arm64")
    index = source.make_index([there, away], "web")
    documents = {digest: raw for digest, raw in index.tree.documents.items() if digest != away.tree.root.digest}
    tree = ImageTree(index.tree.root, documents)
    assert [found.descriptor.digest for found in tree.platform_images()] == [there.tree.root.digest]
    assert away.tree.root.digest not in {descriptor.digest for descriptor in tree.blobs()}


def test_a_tree_without_its_root_is_none() -> None:
    tree = index_of("linux/amd64")
    with pytest.raises(MalformedDocument, match="is not there"):
        list(ImageTree(tree.root, {}).nodes())


def test_depth_and_number_of_documents_are_bounded() -> None:
    source = MemorySource()
    form = source.make_image([b"1"], "x")
    for _ in range(3):
        form = source.make_index([form], "x")
    assert len(list(ImageTree(form.tree.root, source.blobs, Limits(document_nesting=3)).nodes())) == 4
    for limits in (Limits(document_nesting=2), Limits(documents=3)):
        with pytest.raises(MalformedDocument, match="too many"):
            list(ImageTree(form.tree.root, source.blobs, limits).nodes())


def test_an_index_of_many_equal_children_is_walked_once() -> None:
    source = MemorySource()
    form = source.make_image([b"1"], "x")
    for _ in range(6):
        form = source.make_index([form] * 50, "x")  # 50^6 paths, 7 documents
    assert len(list(form.tree.nodes())) == 7


def test_documents_that_break_their_form_are_reported() -> None:
    tree = index_of("linux/amd64")
    broken: dict[Digest, bytes] = {**tree.documents, tree.root.digest: b"{}"}
    with pytest.raises(MalformedDocument):
        list(ImageTree(tree.root, broken).blobs())
