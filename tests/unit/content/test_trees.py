"""Gathering the documents of an image from where they can be fetched one by one."""

from __future__ import annotations

import pytest

from bundler.content.trees import collect_tree
from bundler.errors import AirbundleError, DamagedContent, LimitExceeded, MalformedDocument
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.limits import Limits
from tests.fakes.memory import MemorySource


def collect(source: MemorySource, root: Descriptor, limits: Limits | None = None) -> ImageTree:
    return collect_tree(
        root,
        lambda wanted: source.blobs.get(wanted.digest),
        limits or Limits(),
        lambda wanted: wanted.digest in source.blobs,
    )


def test_gathers_documents_and_never_asks_for_layers() -> None:
    source = MemorySource()
    images = [source.make_image([b"base", b"1"], "x", platform=f"linux/{name}") for name in ("amd64", "arm64")]
    root = source.make_index([source.make_index(images, "x")], "web").tree.root
    asked: list[Digest] = []

    def fetch(wanted: Descriptor) -> bytes | None:
        asked.append(wanted.digest)
        return source.blobs[wanted.digest]

    tree = collect_tree(root, fetch)
    assert len(tree.documents) == 6  # 2 indexes, 2 manifests, 2 configs
    assert sorted(asked) == sorted(tree.documents)
    assert all(tree.documents[digest] == source.blobs[digest] for digest in tree.documents)


def test_children_of_an_index_may_be_absent() -> None:
    source = MemorySource()
    there, away = (
        source.make_image([name.encode()], "x", platform=f"linux/{name}") for name in ("amd64", "arm64")
    )
    root = source.make_index([there, away], "web").tree.root
    del source.blobs[away.tree.root.digest]
    tree = collect(source, root)
    assert [image.descriptor.digest for image in tree.platform_images()] == [there.tree.root.digest]


def test_children_of_unknown_types_belong_to_the_image_as_blobs_if_they_are_there() -> None:
    source = MemorySource()
    there = source.make_image([b"1"], "x")
    strange = source.store(b"\xff not JSON at all", "application/vnd.example.future+json")
    large = source.store(bytes(100), "application/vnd.example.cache")
    away = source.store(b"away", "application/vnd.example.future+json")
    root = source.make_index([there], "web", absent=[strange, away, large, strange]).tree.root
    del source.blobs[away.digest]
    # None of them is a document, however large it is.
    tree = collect(source, root, Limits(document_bytes=root.size))
    assert not {strange.digest, large.digest} & tree.documents.keys()
    assert len(list(tree.nodes())) == 2
    assert tree.opaque == {strange.digest, large.digest}
    assert tree.opaque_children() == [strange, large]
    assert list(tree.blobs()) == [root, *there.tree.blobs(), strange, large]
    # Whoever cannot say what is there has none of them.
    assert collect_tree(root, lambda wanted: source.blobs.get(wanted.digest)).opaque == frozenset()


def test_a_child_that_is_also_something_else_is_that() -> None:
    source = MemorySource()
    image = source.make_image([b"1"], "x")
    manifest = image.tree.platform_images()[0].manifest
    again = [
        Descriptor(media_type="application/vnd.example.other", digest=item.digest, size=item.size)
        for item in (image.tree.root, manifest.config, *manifest.layers)
    ]
    for listed in ([*again, image.tree.root], [image.tree.root, *again]):
        index = source.make_index([], "web", absent=listed).tree
        assert index.opaque_children() == []
        assert [item.media_type for item in index.blobs()] == [
            media_types.OCI_INDEX,
            *(item.media_type for item in image.tree.blobs()),
        ]
        assert index.platform_images()[0].config is not None


def test_an_artifact_s_config_is_no_document() -> None:
    source = MemorySource()
    tree = source.make_artifact(b"x", "web:sig").tree
    assert set(tree.documents) == {tree.root.digest}


def test_the_root_and_configs_must_be_there() -> None:
    source = MemorySource()
    image = source.make_image([b"1"], "web")
    (platform_image,) = image.tree.platform_images()
    config = source.blobs.pop(platform_image.image_id)
    with pytest.raises(MalformedDocument, match=r"image config .* is not there"):
        collect(source, image.tree.root)
    source.blobs[platform_image.image_id] = config
    del source.blobs[image.tree.root.digest]
    with pytest.raises(MalformedDocument, match=r"manifest .* is not there"):
        collect(source, image.tree.root)


@pytest.mark.parametrize(
    "damage", [lambda raw: raw[:-1], lambda raw: raw + b" ", lambda raw: raw[:-1] + b" ", lambda _: b""]
)
def test_every_document_is_verified(damage: object) -> None:
    source = MemorySource()
    root = source.make_index([source.make_image([b"1"], "x")], "web").tree.root
    for digest in list(collect(source, root).documents):
        kept = source.blobs[digest]
        source.blobs[digest] = damage(kept)  # type: ignore[operator]
        with pytest.raises(DamagedContent, match="is damaged"):
            collect(source, root)
        source.blobs[digest] = kept


def test_every_bound_holds() -> None:
    source = MemorySource()
    form = source.make_image([b"1"], "x")
    for _ in range(3):
        form = source.make_index([form], "x")
    assert len(collect(source, form.tree.root, Limits(document_nesting=3)).documents) == 5
    for limits in (Limits(document_nesting=2), Limits(documents=3), Limits(document_bytes=100)):
        with pytest.raises(MalformedDocument):
            collect(source, form.tree.root, limits)


def test_the_bytes_of_all_documents_together_are_bounded() -> None:
    source = MemorySource()
    images = [source.make_image([name.encode()], "x", platform=f"linux/{name}") for name in ("amd64", "arm64")]
    root = source.make_index(images, "web").tree.root
    total = sum(map(len, collect(source, root).documents.values()))
    assert len(collect(source, root, Limits(tree_bytes=total)).documents) == 5
    with pytest.raises(LimitExceeded, match="the limit tree_bytes is"):
        collect(source, root, Limits(tree_bytes=total - 1))
    # What several manifests share counts once.
    twice = source.make_index([images[0], images[0]], "web").tree
    assert len(collect(source, twice.root, Limits(tree_bytes=total)).documents) == 3


def test_children_of_unknown_types_count_as_documents_do() -> None:
    source = MemorySource()
    strange = [source.store(bytes([number]), "application/vnd.example.future") for number in range(5)]
    root = source.make_index([], "web", absent=strange).tree.root
    assert len(collect(source, root, Limits(documents=6)).opaque) == 5
    with pytest.raises(LimitExceeded, match="the limit documents is"):
        collect(source, root, Limits(documents=5))


def test_the_declared_size_is_bounded_before_anything_is_fetched() -> None:
    huge = Descriptor(media_type=media_types.OCI_INDEX, digest=Digest.from_hex("0" * 64), size=1 << 40)

    def fetch(_: Descriptor) -> bytes | None:
        pytest.fail("fetched")

    with pytest.raises(MalformedDocument, match="the limit document_bytes is"):
        collect_tree(huge, fetch)


def test_what_was_verified_is_what_is_walked() -> None:
    # One digest listed twice, the second time with a size that is not its own.
    source = MemorySource()
    image = source.make_image([b"1"], "x").tree.root
    lie = Descriptor(media_type=image.media_type, digest=image.digest, size=image.size + 1)
    for order, right in (([image, lie], True), ([lie, image], False)):
        try:
            tree = source.make_index([], "web", absent=order).tree
            assert right
            assert [found.size for found, _ in tree.nodes()][1] == image.size
        except AirbundleError:
            assert not right
