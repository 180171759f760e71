"""What becomes of referrers at a registry where something stands in their way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bundler.content.images import OnExistingTag, OutgoingImage, PutResult, ReferrerCounts, RegistryForm
from bundler.destinations.registry import RegistryDestination
from bundler.errors import PolicyRefused, Refused, Unauthorised
from bundler.model.image import ImageTree
from bundler.model.referrers import schema_tag
from tests.fakes.memory import CountingTask, MemorySource, tar_of
from tests.fakes.registry import FakeRegistry, Script
from tests.registry_access import PLAIN_HTTP
from tests.unit.transports.registry.clients import QUICK


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


@pytest.fixture
def memory() -> MemorySource:
    return MemorySource()


def image(memory: MemorySource, platform: str = "linux/amd64", name: str = "x/a:1") -> RegistryForm:
    return memory.make_image([tar_of({"a": platform.encode()})], name, platform=platform)


def put(
    fake: FakeRegistry,
    memory: MemorySource,
    found: RegistryForm,
    *,
    policy: OnExistingTag = "overwrite",
    tree: ImageTree | None = None,
) -> PutResult:
    destination = RegistryDestination(fake.address, PLAIN_HTTP, retries=QUICK, on_existing_tag=policy)
    try:
        outgoing = OutgoingImage(found.reference, tree or found.tree, {}, found.referrers)
        return destination.put(outgoing, memory, CountingTask())
    finally:
        destination.finish()


def test_where_there_is_the_api_no_tag_is_made(fake: FakeRegistry, memory: MemorySource) -> None:
    fake.quirks.referrers = True
    made = image(memory)
    put(fake, memory, memory.refer(made, memory.make_referrer(b"sbom", made.tree.root)))
    assert list(fake.store.repo("x/a").tags) == ["1"]


def test_a_registry_that_lists_without_saying_so_gets_the_tag_too(
    fake: FakeRegistry, memory: MemorySource
) -> None:
    """A client may only leave the index out where the answer to the PUT says that it is not needed."""
    made = image(memory)
    sbom = memory.make_referrer(b"sbom", made.tree.root)
    put(fake, memory, memory.refer(made, sbom))
    assert schema_tag(made.tree.root.digest) in fake.store.repo("x/a").tags


def test_those_of_what_is_not_pushed_are_left_out_and_named(fake: FakeRegistry, memory: MemorySource) -> None:
    """Of an index with one platform here, that platform goes alone; what is signed is the index."""
    one, two = image(memory), image(memory, "linux/arm64", "x/b:1")
    index = memory.make_index([one, two], "x/all:1")
    of_one = memory.make_referrer(b"sbom", one.tree.root)
    of_index, of_two = memory.make_signature(index.tree.root), memory.make_signature(two.tree.root)
    signed = memory.refer(index, of_one, of_index, of_two, memory.make_referrer(b"x", of_two.tree.root))
    absent = {two.tree.root.digest, two.tree.platform_images()[0].image_id}
    sparse = ImageTree(index.tree.root, {d: raw for d, raw in index.tree.documents.items() if d not in absent})
    result = put(fake, memory, signed, tree=sparse)
    assert result.digest == one.tree.root.digest
    assert result.referrers == ReferrerCounts(put=1, left_out=3)
    assert any(of_index.tag in note and of_two.tag in note for note in result.notes)
    assert not {of_index.tag, of_two.tag} & fake.store.repo("x/all").tags.keys()


@pytest.mark.parametrize("policy", ["overwrite", "skip", "error"])
def test_a_tag_of_cosign_that_stands_for_something_else(
    fake: FakeRegistry, memory: MemorySource, policy: OnExistingTag
) -> None:
    made = image(memory)
    there, new = memory.make_signature(made.tree.root, "b2xk"), memory.make_signature(made.tree.root, "bmV3")
    put(fake, memory, memory.refer(made, there))
    tags = fake.store.repo("x/a").tags
    if policy == "error":
        del tags["1"]
        with pytest.raises(PolicyRefused):
            put(fake, memory, memory.refer(made, new), policy=policy)
        assert "1" not in tags, "the image was pushed before its signature was looked at"
    else:
        result = put(fake, memory, memory.refer(made, new), policy=policy)
        assert any(new.tag in note for note in result.notes)
        assert result.referrers == (ReferrerCounts(put=1) if policy == "overwrite" else ReferrerCounts(left_out=1))
    assert tags[new.tag] == (new if policy == "overwrite" else there).digest


def test_what_the_registry_refuses_is_an_error_that_names_it_and_the_image_is_there(
    fake: FakeRegistry, memory: MemorySource
) -> None:
    made = image(memory)
    sbom, signature = memory.make_referrer(b"sbom", made.tree.root), memory.make_signature(made.tree.root)
    fake.quirks.scripts[f"PUT .*{sbom.digest}"] = Script(400, b'{"errors":[{"code":"MANIFEST_INVALID"}]}')
    with pytest.raises(Refused, match=f"the image is there .*{sbom.digest}.*MANIFEST_INVALID") as caught:
        put(fake, memory, memory.refer(made, sbom, signature))
    assert "--no-referrers" in caught.value.advice
    tags = fake.store.repo("x/a").tags
    assert (tags["1"], tags[signature.tag]) == (made.tree.root.digest, signature.digest)
    del fake.quirks.scripts[f"PUT .*{sbom.digest}"]
    again = put(fake, memory, memory.refer(made, sbom, signature))
    assert again.referrers == ReferrerCounts(put=1, there=1), "the next push brings what was missing"


def test_a_list_that_the_registry_refuses_leaves_its_referrers_unfound(
    fake: FakeRegistry, memory: MemorySource
) -> None:
    made = image(memory)
    sbom = memory.make_referrer(b"sbom", made.tree.root)
    fake.quirks.scripts[f"PUT .*{schema_tag(made.tree.root.digest)}"] = Script(403)
    with pytest.raises(Refused, match=schema_tag(made.tree.root.digest)):
        put(fake, memory, memory.refer(made, sbom))


def test_credentials_that_are_missing_are_an_error(fake: FakeRegistry, memory: MemorySource) -> None:
    made = image(memory)
    sbom = memory.make_referrer(b"sbom", made.tree.root)
    fake.quirks.scripts[f"PUT .*{sbom.digest}"] = Script(401)
    with pytest.raises(Unauthorised):
        put(fake, memory, memory.refer(made, sbom))


def test_a_name_that_is_left_to_another_image_gets_no_referrers(fake: FakeRegistry, memory: MemorySource) -> None:
    put(fake, memory, image(memory, "linux/arm64"))
    made = image(memory)
    result = put(fake, memory, memory.refer(made, memory.make_signature(made.tree.root)), policy="skip")
    assert (result.status, result.referrers) == ("skipped", ReferrerCounts(left_out=1))
    assert list(fake.store.repo("x/a").tags) == ["1"]
