"""What goes where is decided before anything is read, and the order of arguments does not matter."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bundler.bundle.names import SHARED
from bundler.content.hashing import sha256
from bundler.content.images import FoundImage
from bundler.errors import ConfigError
from bundler.model import media_types
from bundler.model.digest import Digest
from bundler.packing.planning.estimate import estimate
from bundler.packing.planning.plan import PackPlan, PlannedImage, carried, layers_of, make_plan, manifest_key
from tests.builders import ERP, SHOP, SHOP_TOOLS, TwoApplications, layer
from tests.fakes.memory import MemorySource, compress, make_config

A, B, C = layer("a", 300), layer("b", 400), layer("c", 500)


def plan_of(source: MemorySource, **images: Sequence[FoundImage]) -> PackPlan:
    return make_plan(PlannedImage(name, image, source) for name, found in images.items() for image in found)


def digest_of(layer: bytes, compression: str = "gzip") -> Digest:
    return sha256(compress(layer, compression))


def test_what_two_applications_use_is_shared() -> None:
    source = MemorySource()
    one, two = source.make_image([A, B], "x/one:1"), source.make_image([A, C], "x/two:1")
    placement = plan_of(source, web=[one], api=[two]).placement
    assert placement == {
        digest_of(A): SHARED,
        digest_of(B): "web",
        digest_of(C): "api",
        one.tree.root.digest: "web",
        two.tree.root.digest: "api",
        sha256(make_config([A, B])): "web",
        sha256(make_config([A, C])): "api",
    }


def test_what_two_images_of_one_application_use_is_not_shared() -> None:
    source = MemorySource()
    plan = plan_of(source, web=[source.make_image([A, B], "x/one:1"), source.make_image([A, C], "x/two:1")])
    assert set(plan.placement.values()) == {"web"}


def test_a_whole_image_in_two_applications_is_shared() -> None:
    source = MemorySource()
    image = source.make_image([A], "x/one:1")
    assert set(plan_of(source, web=[image], api=[image]).placement.values()) == {SHARED}
    engine = source.make_engine_image([A], "x/two:1")
    placement = plan_of(source, web=[engine], api=[engine]).placement
    assert set(placement.values()) == {SHARED}
    assert manifest_key(engine.config_digest) in placement


def test_a_layer_of_an_engine_is_the_blob_of_a_registry_where_both_are_packed() -> None:
    source = MemorySource()
    registry, engine = source.make_image([A, B], "x/one:1"), source.make_engine_image([A, C], "x/two:1")
    plan = plan_of(source, web=[registry], api=[engine])
    assert plan.substitutes.keys() == {sha256(A), sha256(B)}
    assert plan.layer_key(sha256(A)) == digest_of(A)
    assert plan.layer_key(sha256(C)) == sha256(C)
    assert plan.placement[digest_of(A)] == SHARED
    assert plan.placement[sha256(C)] == "api"
    assert sha256(A) not in plan.placement
    assert estimate(plan).layers_to_compress == 1


def test_of_two_blobs_of_one_layer_always_the_same_stands_in() -> None:
    source = MemorySource()
    forms: list[FoundImage] = [
        source.make_image([A], f"x/{name}:1", compression=name) for name in ("gzip", "zstd", "none")
    ]
    forms.append(source.make_engine_image([A], "x/engine:1"))
    chosen = {
        plan_of(source, web=list(order)).substitutes[sha256(A)].digest for order in itertools.permutations(forms)
    }
    assert chosen == {min(digest_of(A, name) for name in ("gzip", "zstd", "none"))}


def test_the_order_of_arguments_does_not_matter() -> None:
    packed = TwoApplications()
    plans = [make_plan(order) for order in itertools.permutations(packed.images)]
    assert all(plan == plans[0] for plan in plans)
    assert list(plans[0].applications) == ["erp", "shop"]
    assert [str(image.reference) for image in plans[0].images] == [ERP, SHOP_TOOLS, SHOP]
    assert all(list(plan.placement.items()) == list(plans[0].placement.items()) for plan in plans)


def test_what_is_named_twice_is_packed_once() -> None:
    source = MemorySource()
    image = source.make_image([A], "x/one:1")
    assert len(plan_of(source, web=[image, image]).images) == 1


def test_one_name_for_two_images_is_refused() -> None:
    source, other = MemorySource(), MemorySource()
    one, two = source.make_image([A], "x/one:1"), other.make_image([B], "x/one:1")
    pairs: list[list[FoundImage]] = [[one, two], [two, one], [one, other.make_engine_image([A], "x/one:1")]]
    for pair in pairs:
        with pytest.raises(ConfigError, match="two different images"):
            plan_of(source, web=pair)
    # In two applications it is one name for two images too, but each application has only one.
    assert len(plan_of(source, web=[one], api=[two]).images) == 2


def test_two_engine_images_of_one_name_are_told_apart() -> None:
    source, other = MemorySource(), MemorySource()
    one, two = source.make_engine_image([A], "x/one:1"), other.make_engine_image([B], "x/one:1")
    with pytest.raises(ConfigError, match="two different images"):
        plan_of(source, web=[one, two])
    plan_of(source, web=[one, replace(one, size=None)])


@pytest.mark.parametrize(
    "name",
    ["", "Web", "we b", "-web", ".web", "web.", "web/x", "../web", "w\n", "ü", "shared", "con", "nul.txt", "com1",
     "a.oci.tar", "x" * 61],
)  # fmt: skip
def test_names_that_no_file_could_have_are_refused(name: str) -> None:
    source = MemorySource()
    with pytest.raises(ConfigError):
        plan_of(source, **{name: [source.make_image([A], "x/one:1")]})


def test_nothing_to_pack_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing to pack"):
        make_plan([])


def test_layers_that_only_their_owner_distributes_are_not_carried() -> None:
    source = MemorySource()
    kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    with_urls = source.store(compress(A, "gzip"), kind, urls=("https://owner.test/a",))
    without = source.store(compress(B, "gzip"), kind)
    config = source.store(make_config([A, B]), media_types.OCI_CONFIG)
    document = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": config}
    image = source.add({**document, "layers": [with_urls, without]}, "x/windows:1")
    assert with_urls.digest not in {blob.digest for blob in carried(image.tree)}
    assert [layer.digest for _, layer in layers_of(image.tree)] == [without.digest]
    plan = plan_of(source, web=[image])
    assert with_urls.digest not in plan.placement
    assert sha256(A) not in plan.substitutes


class TestEstimate:
    def test_of_registry_images_is_exact(self) -> None:
        source = MemorySource()
        one, two = source.make_image([A, B], "x/one:1"), source.make_image([A, C], "x/two:1")
        size = estimate(plan_of(source, web=[one], api=[two]))
        assert size.is_exact
        assert size.known_bytes == sum(512 + -(-len(data) // 512) * 512 for data in source.blobs.values())
        assert size.input_bytes == size.known_bytes

    def test_of_engine_images_invents_nothing(self) -> None:
        source = MemorySource()
        one = source.make_engine_image([A, B], "x/one:1")
        size = estimate(plan_of(source, web=[one]))
        assert not size.is_exact
        assert (size.known_bytes, size.unpacked_bytes, size.layers_to_compress) == (0, len(A) + len(B), 2)
        unknown = estimate(plan_of(source, web=[replace(one, size=None)]))
        assert unknown.unpacked_bytes is None
        assert unknown.input_bytes is None

    def test_of_engine_images_whose_layers_all_come_from_a_registry(self) -> None:
        source = MemorySource()
        images: list[FoundImage] = [source.make_image([A], "x/one:1")]
        images += [source.make_engine_image([A], "x/two:1")]
        size = estimate(plan_of(source, web=images))
        assert size.is_exact
        assert size.unpacked_bytes == 0


def test_the_plan_reads_nothing() -> None:
    packed = TwoApplications()
    plan = packed.plan()
    json.dumps(plan.placement)
    estimate(plan)
    assert packed.registry.opened == packed.engine.opened == []


def test_a_digest_that_cannot_be_kept_is_not_promised() -> None:
    source = MemorySource("docker")
    image = source.make_engine_image([A], "x/one:1@sha256:" + "0" * 64)
    with pytest.raises(ConfigError, match="would be lost"):
        plan_of(source, web=[image])
