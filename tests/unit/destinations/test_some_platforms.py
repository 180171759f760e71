"""What a registry gets of an image of which only some platforms were packed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bundler.content.images import RegistryForm
from bundler.destinations.filtered_index import FILTERED_FROM, filter_indexes
from bundler.errors import PolicyRefused
from bundler.model.image import ImageTree
from bundler.model.json_documents import canonical_json
from bundler.model.platform_choice import PlatformChoice
from bundler.model.platforms import Platform
from bundler.model.reference import Reference
from tests.fakes.memory import MemorySource, multi_platform
from tests.fakes.registry import FakeRegistry
from tests.servers.either_registry import Registry
from tests.unit.destinations.test_registry import (  # fixtures among them
    Pusher,
    fake,
    memory,
    pusher,
    put,
    server,
    what_is_there,
)

__all__ = ["fake", "memory", "pusher", "server"]
NAME = "reg.test/shop/multi:1"


def chosen(memory: MemorySource, *platforms: str) -> RegistryForm:
    """Return an image of three platforms, each attested, of which some are taken."""
    multi_platform(memory, NAME)
    (found,) = memory.resolve(NAME, PlatformChoice(tuple(map(Platform.parse, platforms))))
    assert isinstance(found, RegistryForm)
    return found


def document(server: Registry, digest: str) -> Any:
    assert isinstance(server, FakeRegistry)
    return json.loads(server.store.repo("shop/multi").manifests[digest][1])


def test_all_platforms_are_pushed_byte_for_byte(server: Registry, memory: MemorySource, pusher: Pusher) -> None:
    image = multi_platform(memory, NAME)
    result = put(pusher.to(server.address), image, memory)
    assert (result.digest, result.original, result.notes) == (image.tree.root.digest, None, ())
    assert what_is_there(server, "shop/multi:1") == image.tree.root.digest


def test_of_one_platform_the_registry_gets_its_own_manifest(
    server: Registry, memory: MemorySource, pusher: Pusher
) -> None:
    image = chosen(memory, "linux/arm64")
    result = put(pusher.to(server.address, on_existing_tag="error"), image, memory)
    (only,) = [one for one in image.tree.platform_images() if one.platform.is_known]
    assert (result.digest, result.original) == (only.descriptor.digest, image.tree.root.digest)
    assert "linux/arm64 alone" in result.notes[0]
    assert "its attestation is not pushed" in result.notes[1]
    assert what_is_there(server, "shop/multi:1") == result.digest
    assert put(pusher.to(server.address, on_existing_tag="error"), image, memory).status == "skipped"


def test_of_several_platforms_it_gets_an_index_of_just_these(
    server: Registry, memory: MemorySource, pusher: Pusher
) -> None:
    image = chosen(memory, "linux/amd64", "linux/arm64")
    result = put(pusher.to(server.address), image, memory)
    assert result.original == image.tree.root.digest
    assert "linux/amd64, linux/arm64" in result.notes[0]
    assert what_is_there(server, "shop/multi:1") == result.digest
    again = put(pusher.to(server.address, on_existing_tag="error"), image, memory)
    assert (again.status, again.digest, again.original) == ("skipped", result.digest, image.tree.root.digest)


def test_a_filtered_index_is_the_original_with_fewer_manifests(memory: MemorySource) -> None:
    image = chosen(memory, "linux/amd64", "linux/arm64")
    there = {descriptor.digest for descriptor, _ in image.tree.nodes()}
    made = filter_indexes(image.tree, there)
    before, after = (json.loads(tree.documents[tree.root.digest]) for tree in (image.tree, made))
    assert after.pop("annotations") == {"kept": "yes", FILTERED_FROM: image.tree.root.digest}
    assert before.pop("annotations") == {"kept": "yes"}
    assert after.pop("manifests") == [one for one in before.pop("manifests") if one["digest"] in there]
    assert after == before
    assert made.documents[made.root.digest] == filter_indexes(image.tree, there).documents[made.root.digest]
    assert filter_indexes(made, {descriptor.digest for descriptor, _ in made.nodes()}).root == made.root


def test_indexes_in_indexes_are_filtered_too(memory: MemorySource) -> None:
    inner = chosen(memory, "linux/amd64", "linux/arm64").tree
    empty = memory.make_index([], "a/empty", absent=[memory.make_artifact(b"x", "a/x").tree.root])
    outer = memory.store(
        canonical_json(
            {
                "schemaVersion": 2,
                "mediaType": inner.root.media_type,
                "manifests": [{**json.loads(canonical_json(inner.root)), "data": "b2xk"}, empty.tree.root],
            }
        ),
        inner.root.media_type,
    )
    documents = {**inner.documents, outer.digest: memory.blobs[outer.digest], empty.tree.root.digest: b""}
    documents[empty.tree.root.digest] = memory.blobs[empty.tree.root.digest]
    tree = ImageTree(outer, documents)
    there = {descriptor.digest for descriptor, _ in tree.nodes()}
    made = filter_indexes(tree, there)
    (child,) = json.loads(made.documents[made.root.digest])["manifests"]
    assert "data" not in child
    expected = filter_indexes(inner, there)
    assert (child["digest"], child["size"]) == (expected.root.digest, expected.root.size)
    assert len(list(made.nodes())) == 1 + len(list(expected.nodes()))


class TestSparseIndex:
    """``--sparse-index``: the original index is tried."""

    def test_a_registry_that_takes_it_keeps_the_pin(
        self, fake: FakeRegistry, memory: MemorySource, pusher: Pusher
    ) -> None:
        fake.store.takes_sparse = True
        image = chosen(memory, "linux/arm64")
        destination = pusher.to(fake.address, sparse_index=True, on_existing_tag="error")
        result = put(destination, image, memory)
        assert (result.digest, result.original, result.notes) == (image.tree.root.digest, None, ())
        assert put(destination, image, memory).status == "skipped"
        # The index is there already, but not this platform.
        other = chosen(memory, "linux/amd64")
        assert put(destination, other, memory).status == "pushed"
        assert {one.descriptor.digest for one in other.tree.platform_images()} <= fake.store.repo(
            "shop/multi"
        ).manifests.keys()

    def test_a_registry_that_refuses_it_gets_what_it_takes(
        self, server: Registry, memory: MemorySource, pusher: Pusher
    ) -> None:
        image = chosen(memory, "linux/amd64", "linux/arm64")
        first = put(pusher.to(server.address, sparse_index=True, on_existing_tag="error"), image, memory)
        assert (first.status, first.original) == ("pushed", image.tree.root.digest)
        assert "refuses the index" in first.notes[0]
        assert "is not complete here and was not pushed" in first.notes[1]
        again = put(pusher.to(server.address, sparse_index=True, on_existing_tag="error"), image, memory)
        assert (again.status, again.digest, again.bytes_sent) == ("skipped", first.digest, 0)


def test_a_name_that_stands_for_the_whole_index_is_left_as_it_is(
    fake: FakeRegistry, memory: MemorySource, pusher: Pusher
) -> None:
    whole = multi_platform(memory, NAME)
    put(pusher.to(fake.address), whole, memory)
    result = put(pusher.to(fake.address, on_existing_tag="error"), chosen(memory, "linux/arm64"), memory)
    assert (result.status, result.digest, result.original) == ("skipped", whole.tree.root.digest, None)
    assert what_is_there(fake, "shop/multi:1") == whole.tree.root.digest


def test_a_name_of_another_image_is_still_refused(
    fake: FakeRegistry, memory: MemorySource, pusher: Pusher
) -> None:
    put(pusher.to(fake.address), memory.make_image([b"other"], NAME), memory)
    with pytest.raises(PolicyRefused):
        put(pusher.to(fake.address, on_existing_tag="error"), chosen(memory, "linux/arm64"), memory)


def test_a_pin_that_is_lost_is_said(fake: FakeRegistry, memory: MemorySource, pusher: Pusher) -> None:
    image = chosen(memory, "linux/arm64")
    for name in (f"{NAME}@{image.tree.root.digest}", f"reg.test/shop/multi@{image.tree.root.digest}"):
        for _ in range(2):
            result = put(pusher.to(fake.address), replace(image, reference=Reference.parse(name)), memory)
            assert any(f"by {image.tree.root.digest} does not find it" in note for note in result.notes)
    whole = multi_platform(memory, NAME)
    pinned = replace(whole, reference=Reference.parse(f"{NAME}@{whole.tree.root.digest}"))
    assert put(pusher.to(fake.address), pinned, memory).notes == ()
