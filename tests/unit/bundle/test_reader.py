"""A bundle as an image source: names, documents, blobs. The contract suites say the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bundler.bundle.reader import Bundle, open_bundle
from bundler.content.images import FoundImage, RegistryForm
from bundler.errors import (
    DamagedBundle,
    DamagedContent,
    IncompleteBundle,
    MalformedDocument,
    NotFound,
    UsageError,
)
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from tests.builders import ERP, SHOP, SHOP_TOOLS, TwoApplications, flip, layer, overwrite, pack_images, rewrite
from tests.fakes.memory import CountingTask, MemorySource
from tests.fakes.streams import read_and_close


@pytest.fixture
def packed() -> TwoApplications:
    return TwoApplications()


@pytest.fixture
def bundle(tmp_path: Path, packed: TwoApplications) -> Bundle:
    packed.pack(tmp_path)
    return open_bundle(str(tmp_path))


def names(bundle: Bundle, *applications: str, images: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    found = bundle.images(applications, images)
    return [(application.name, image.reference) for application, image in found]


def test_selecting_images(bundle: Bundle) -> None:
    assert names(bundle) == [("erp", ERP), ("shop", SHOP_TOOLS), ("shop", SHOP)]
    assert names(bundle, "shop") == [("shop", SHOP_TOOLS), ("shop", SHOP)]
    assert names(bundle, "shop", "erp", images=(SHOP,)) == [("shop", SHOP)]
    assert names(bundle, images=(ERP, SHOP)) == [("erp", ERP), ("shop", SHOP)]


@pytest.mark.parametrize(
    ("applications", "images"),
    [(("web",), ()), (("erp", "web"), ()), ((), ("shop.test/web:2",)), (("erp",), (SHOP,)), ((), ("NOT A NAME",)),
     ((), ("",)), ((), (SHOP, "busybox"))],
)  # fmt: skip
def test_what_is_not_there(bundle: Bundle, applications: tuple[str, ...], images: tuple[str, ...]) -> None:
    with pytest.raises(NotFound) as caught:
        bundle.images(applications, images)
    assert caught.value.advice


def test_short_names(tmp_path: Path) -> None:
    source = MemorySource()
    pack_images(tmp_path, source, {"web": [source.make_image([layer("a", 10)], "busybox")]})
    bundle = open_bundle(tmp_path)
    for name in ("busybox", "busybox:latest", "library/busybox", "docker.io/library/busybox:latest"):
        assert names(bundle, images=(name,)) == [("web", "docker.io/library/busybox:latest")]
        assert len(bundle.resolve(name)) == 1


def test_uncompressed_sizes_go_out_with_an_image(bundle: Bundle, packed: TwoApplications) -> None:
    (_, image), *_ = bundle.images(["erp"])
    outgoing = bundle.outgoing(image)
    sizes = [outgoing.uncompressed_sizes[layer.digest] for layer, _ in outgoing.tree.platform_images()[0].layers()]
    assert sizes == [len(packed.engine.blobs[diff_id]) for diff_id in packed.ledger.diff_ids]


def test_contents_come_in_the_order_of_the_media(bundle: Bundle) -> None:
    for image in bundle.resolve(""):
        assert isinstance(image, RegistryForm)
        wanted = [blob.digest for blob in image.tree.blobs()]
        given = [content.digest for content in bundle.contents([image], wanted[::-1], CountingTask())]
        rows = [bundle.manifest.blob_by_digest[digest] for digest in given]
        order = [archive.name for archive in bundle.manifest.archives]
        assert rows == sorted(rows, key=lambda row: (order.index(row.archive), row.offset))
        assert set(given) == set(wanted)


def test_contents_that_are_not_there(bundle: Bundle) -> None:
    (image, *_) = bundle.resolve("")
    with pytest.raises(DamagedContent, match="no blob"):
        list(bundle.contents([image], [Digest("sha256:" + "0" * 64)], CountingTask()))


def test_every_offset_of_a_blob(bundle: Bundle, packed: TwoApplications) -> None:
    descriptor = packed.web.tree.platform_images()[0].manifest.config
    data = packed.registry.blobs[descriptor.digest]
    for offset in range(len(data) + 1):
        assert read_and_close(bundle.open_blob(descriptor, offset)) == data[offset:]


@pytest.mark.parametrize("offset", [-1, -512, 10**9])
def test_offsets_outside_of_a_blob(bundle: Bundle, packed: TwoApplications, offset: int) -> None:
    with pytest.raises(UsageError):
        bundle.open_blob(packed.web.tree.root, offset)


def test_descriptors_that_are_not_those_of_the_table(bundle: Bundle, packed: TwoApplications) -> None:
    root = packed.web.tree.root
    with pytest.raises(NotFound):
        bundle.open_blob(Descriptor(media_type="a/b", digest=Digest("sha256:" + "0" * 64), size=1))
    with pytest.raises(MalformedDocument, match=r"bytes in bundle\.json"):
        bundle.open_blob(Descriptor(media_type="a/b", digest=root.digest, size=root.size + 1))


def test_damage_hits_only_what_lies_there(bundle: Bundle, packed: TwoApplications) -> None:
    # The first part of `shop` holds the layers of `tools` and the beginning of those of `web`.
    row = bundle.manifest.blob_by_digest[packed.web.tree.platform_images()[0].manifest.layers[1].digest]
    parts = bundle.parts_of("shop")
    index, inside = parts.locate(row.offset + row.size // 2)
    flip(bundle.directory / parts.archive.parts[index].file, inside)
    with pytest.raises(DamagedBundle, match=r"shop\.oci\.tar"):
        read_and_close(bundle.open_blob(row.descriptor))
    for image in bundle.resolve(""):
        assert isinstance(image, RegistryForm)
        for blob in image.tree.blobs():
            if blob.digest != row.digest:
                read_and_close(bundle.open_blob(blob))


def test_images_whose_parts_are_not_there_yet(bundle: Bundle) -> None:
    for path in bundle.directory.glob("shop.oci.tar*"):
        path.unlink()
    assert len(bundle.resolve(ERP)) == 1
    with pytest.raises(IncompleteBundle):
        bundle.resolve(SHOP)


def test_a_blob_whose_sums_are_right_and_whose_digest_is_not(bundle: Bundle, packed: TwoApplications) -> None:
    row = bundle.manifest.blob_by_digest[packed.web.tree.platform_images()[0].manifest.layers[1].digest]
    overwrite(bundle.directory, row.archive, row.offset + 7, b"other")
    changed = open_bundle(bundle.directory)
    with pytest.raises(DamagedContent, match="hash to"):
        read_and_close(changed.open_blob(row.descriptor))
    # A destination that goes on behind an interruption compares the digest of the whole itself.
    read_and_close(changed.open_blob(row.descriptor, 1))


def test_one_name_for_two_images(tmp_path: Path) -> None:
    one, two = MemorySource(), MemorySource()
    pack_images(tmp_path / "a", one, {"web": [one.make_image([layer("a", 10)], SHOP)]})
    images: dict[str, list[FoundImage]] = {"a": [one.images[SHOP]], "b": [two.make_image([layer("b", 10)], SHOP)]}
    one.blobs.update(two.blobs)
    pack_images(tmp_path / "b", one, images)
    assert len(open_bundle(tmp_path / "b").resolve(SHOP)) == 2
    pack_images(tmp_path / "c", one, {"a": [one.images[SHOP]], "b": [one.images[SHOP]]})
    assert len(open_bundle(tmp_path / "c").resolve(SHOP)) == 1


def test_an_image_that_names_a_document_of_another_size(bundle: Bundle) -> None:
    def change(table: dict[str, Any]) -> None:
        root = table["applications"][0]["images"][0]["descriptor"]
        (row,) = (blob for blob in table["blobs"] if blob["digest"] == root["digest"])
        row["size"] = root["size"] = root["size"] - 1

    rewrite(bundle.directory, change)
    with pytest.raises(DamagedContent):
        open_bundle(bundle.directory).resolve(ERP)
