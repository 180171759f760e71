"""One image of two applications, each with platforms of its own and what refers to these."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from bundler.api.one_by_one import each_once
from bundler.bundle.manifest import BundleManifest, Image
from bundler.bundle.merging import merge_images
from bundler.bundle.reader import Bundle, open_bundle
from bundler.content.images import RegistryForm
from bundler.destinations.engine import EngineDestination
from bundler.destinations.oci_layout import OciLayoutDestination
from bundler.destinations.registry import RegistryDestination
from bundler.model.digest import Digest
from bundler.model.platform_choice import PlatformChoice
from bundler.model.platforms import Platform
from bundler.sources.oci_layout import OciLayoutSource
from bundler.sources.registry import RegistrySource
from bundler.transports.engine import EngineClient
from tests.builders import pack_images
from tests.fakes.memory import CountingTask, MemorySource, tar_of
from tests.fakes.registry import FakeRegistry
from tests.registry_access import PLAIN_HTTP
from tests.unit.engines import CONTAINERD, make_fake

NAME = "multi.test/shop/web:1"
PLATFORMS = ("linux/amd64", "linux/arm64")


@dataclass
class Packed:
    """A bundle of three applications: two take a platform each, of an index that lists one more."""

    bundle: Bundle
    index: RegistryForm
    signatures: tuple[Digest, Digest]
    index_signature: Digest
    left_out: Digest

    @property
    def manifest(self) -> BundleManifest:
        return self.bundle.manifest

    @property
    def rows(self) -> list[Image]:
        return [application.images[0] for application in self.manifest.applications]


@pytest.fixture
def packed(tmp_path: Path) -> Packed:
    memory = MemorySource()
    ones = [
        memory.make_image([tar_of({"a": name.encode()})], f"multi.test/{number}:1", platform=name)
        for number, name in enumerate((*PLATFORMS, "linux/s390x"))
    ]
    index = memory.make_index(ones, NAME)
    signatures = [memory.make_signature(one.tree.root) for one in (*ones[:2], index)]
    memory.refer(index, *signatures)
    taken = [memory.resolve(NAME, PlatformChoice((Platform.parse(name),))) for name in PLATFORMS]
    pack_images(tmp_path / "bundle", memory, {"a": taken[0], "b": taken[1]})
    roots = [signature.tree.root.digest for signature in signatures]
    return Packed(
        open_bundle(tmp_path / "bundle"), index, (roots[0], roots[1]), roots[2], ones[2].tree.root.digest
    )


def test_each_application_has_its_own_platform_and_what_refers_to_it(packed: Packed) -> None:
    for row, platform, own in zip(packed.rows, PLATFORMS, packed.signatures, strict=True):
        assert row.platforms == (platform,)
        assert {one.descriptor.digest for one in row.referrers} == {own, packed.index_signature}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_together_they_have_all_that_either_has(packed: Packed, order: tuple[int, int]) -> None:
    one, other = (packed.rows[number] for number in order)
    both = merge_images(one, other)
    assert both.platforms == PLATFORMS
    ids = {row.platforms[0]: row.image_ids[0] for row in packed.rows}
    assert both.image_ids == tuple(ids[platform] for platform in both.platforms)
    assert {*both.blobs} == {*one.blobs, *other.blobs}
    assert both.left_out == (packed.left_out,)
    assert {row.descriptor.digest for row in both.referrers} == {*packed.signatures, packed.index_signature}
    assert len(both.referrers) == 3


def test_one_that_left_nothing_out_leaves_nothing_out_together(packed: Packed) -> None:
    one, other = packed.rows
    whole = msgspec.structs.replace(other, left_out=())
    assert merge_images(one, whole).left_out == merge_images(whole, one).left_out == ()


def test_equal_rows_stay_as_they_are(packed: Packed) -> None:
    row = packed.rows[0]
    assert merge_images(row, row) is row


def test_the_bundle_as_a_source_gives_both(packed: Packed) -> None:
    (found,) = packed.bundle.resolve(NAME)
    assert isinstance(found, RegistryForm)
    known = sorted(str(one.platform) for one in found.tree.platform_images())
    assert known == list(PLATFORMS)
    assert {one.tree.root.digest for one in found.referrers} == {*packed.signatures, packed.index_signature}


def test_pushed_as_one_name_both_signatures_are_found_there(packed: Packed) -> None:
    (image,) = each_once((app, app.images[0]) for app in packed.manifest.applications)
    with FakeRegistry() as server:
        destination = RegistryDestination(server.address, PLAIN_HTTP)
        result = destination.put(packed.bundle.outgoing(image), packed.bundle, CountingTask())
        destination.finish()
        # The filtered index is another manifest: what refers to the original has nothing to refer to there.
        assert result.referrers.put == 2
        assert result.original == packed.index.tree.root.digest
        source = RegistrySource(PLAIN_HTTP)
        (found,) = source.resolve(f"{server.address}/shop/web:1")
        source.close()
    assert isinstance(found, RegistryForm)
    assert {one.tree.root.digest for one in found.referrers} == {*packed.signatures}


def test_loaded_as_one_name_the_engine_has_both_signatures(packed: Packed) -> None:
    (image,) = each_once((app, app.images[0]) for app in packed.manifest.applications)
    with make_fake(CONTAINERD) as engine:
        destination = EngineDestination(EngineClient(engine.host))
        result = destination.put(packed.bundle.outgoing(image), packed.bundle, CountingTask())
        destination.finish()
    assert (result.status, result.digest) == ("loaded", packed.index.tree.root.digest)
    assert result.referrers.put == 3


def test_extracted_as_one_name_both_signatures_are_there(packed: Packed, tmp_path: Path) -> None:
    (image,) = each_once((app, app.images[0]) for app in packed.manifest.applications)
    destination = OciLayoutDestination(tmp_path / "layout")
    destination.put(packed.bundle.outgoing(image), packed.bundle, CountingTask())
    destination.finish()
    with_both = OciLayoutSource(tmp_path / "layout", archive=False)
    (found,) = with_both.resolve(NAME)
    with_both.close()
    assert isinstance(found, RegistryForm)
    assert {one.tree.root.digest for one in found.referrers} >= {*packed.signatures}
