"""A dry run: what it says, what it asks, and that it sends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bundler.content.images import OnExistingTag, OutgoingImage, ReferrerCounts, RegistryForm
from bundler.destinations.registry import RegistryDestination
from bundler.destinations.registry_inspector import RegistryInspector
from bundler.destinations.registry_preview import Preview, RegistryPreview
from bundler.errors import PolicyRefused
from bundler.model.manifest import Manifest
from bundler.model.platform_choice import PlatformChoice
from bundler.model.platforms import Platform
from bundler.model.reference import Reference
from bundler.progress import SILENT
from tests.fakes.memory import CountingTask, MemorySource, multi_platform
from tests.fakes.registry import FakeRegistry
from tests.registry_access import PLAIN_HTTP


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


class Far:
    """One registry, and images that share a base layer."""

    def __init__(self, registry: FakeRegistry) -> None:
        self.registry, self.memory = registry, MemorySource()

    def image(self, name: str, *layers: bytes) -> RegistryForm:
        return self.memory.make_image([b"base" * 1000, *layers], name, compression="none")

    def destination(self, policy: OnExistingTag = "error") -> RegistryDestination:
        return RegistryDestination(self.registry.address, PLAIN_HTTP, on_existing_tag=policy)

    def push(self, *images: RegistryForm) -> None:
        destination = self.destination()
        for image in images:
            destination.put(outgoing(image), self.memory, SILENT.task(""))
        destination.finish()

    def preview(self, *images: RegistryForm, policy: OnExistingTag = "error", ask: bool = True) -> list[Preview]:
        looking, task = RegistryPreview(self.destination(policy), policy, ask=ask), CountingTask()
        self.registry.log.clear()
        found = [looking.put(outgoing(one), self.memory, task) for one in images]
        looking.finish()
        assert task.done == sum(sum(sizes(image)) for image in images)
        assert {entry.method for entry in self.registry.log} <= {"HEAD", "GET"}, "nothing is sent"
        return found


@pytest.fixture
def far(registry: FakeRegistry) -> Far:
    return Far(registry)


def outgoing(image: RegistryForm) -> OutgoingImage:
    return OutgoingImage(image.reference, image.tree, {}, image.referrers)


def sizes(image: RegistryForm) -> list[int]:
    return [blob.size for _, node in image.tree.nodes() if isinstance(node, Manifest) for blob in node.children]


def test_what_is_absent_equal_or_another(far: Far) -> None:
    equal, old = far.image("reg.test/equal:1", b"e"), far.image("reg.test/moved:1", b"old")
    far.push(equal, old)
    new, absent = far.image("reg.test/moved:1", b"new"), far.image("reg.test/absent:1", b"a", b"aa")
    found = far.preview(equal, new, absent)
    assert [(one.there, one.status, one.blobs_to_send) for one in found] == [
        ("equal", "skipped", 0), ("other", "refused", 0), ("absent", "planned", 3),
    ]  # fmt: skip
    assert found[1].existing == old.tree.root.digest
    assert found[1].digest == new.tree.root.digest
    # Its base layer is taken over from the repository of the first image.
    assert found[2].bytes_to_send == sum(sizes(absent)) - 4000
    assert found[2].bytes_skipped == 4000
    assert all(one.bytes_sent == 0 for one in found)


@pytest.mark.parametrize(("policy", "status", "blobs"), [("skip", "skipped", 0), ("overwrite", "planned", 2)])
def test_other_policies(far: Far, policy: OnExistingTag, status: str, blobs: int) -> None:
    old, new = far.image("reg.test/a:1", b"old"), far.image("reg.test/a:1", b"new")
    far.push(old)
    (found,) = far.preview(new, policy=policy)
    assert (found.there, found.status, found.blobs_to_send) == ("other", status, blobs)
    assert found.digest == (old if policy == "skip" else new).tree.root.digest
    assert found.replaced == (old.tree.root.digest if policy == "overwrite" else None)


def test_requests_are_few(far: Far) -> None:
    """One for each name, and one for each blob of images that are not there, however many share it."""
    images = [far.image(f"reg.test/a{number}:1", bytes([number])) for number in range(5)]
    far.push(images[0])
    far.preview(*images)
    asked = [entry.path for entry in far.registry.log]
    assert len(asked) == len(set(asked)) == 5 + 4 * 2
    far.preview(images[0])
    assert len(far.registry.log) == 1
    assert far.preview(*images, ask=False)[0].there == "unknown"
    assert far.registry.log == []


def test_by_default_a_tag_stays_and_what_is_equal_is_not_touched(far: Far) -> None:
    old, new = far.image("reg.test/a:1", b"old"), far.image("reg.test/a:1", b"new")
    far.push(old)
    with pytest.raises(PolicyRefused, match=old.tree.root.digest):
        far.push(new)
    far.registry.log.clear()
    far.push(old)
    assert [entry.method for entry in far.registry.log] == ["HEAD"]


def test_what_refers_to_an_image_is_foreseen(far: Far) -> None:
    image = far.image("reg.test/a:1", b"x")
    signature, sbom = far.memory.make_signature(image.tree.root), far.memory.make_referrer(b"s", image.tree.root)
    signed = far.memory.refer(image, signature, sbom)
    (absent,) = far.preview(signed)
    assert absent.referrers == ReferrerCounts(put=2)
    far.push(image)
    (unsigned,) = far.preview(signed)
    assert (unsigned.there, unsigned.status, unsigned.referrers) == ("equal", "planned", ReferrerCounts(put=2))
    assert absent.bytes_to_send == unsigned.bytes_to_send + sum(sizes(image))
    far.push(signed)
    (equal,) = far.preview(signed)
    assert (equal.status, equal.blobs_to_send, equal.referrers) == ("skipped", 0, ReferrerCounts(there=2))


def test_a_signature_in_the_way_of_another_one(far: Far) -> None:
    image = far.image("reg.test/a:1", b"x")
    far.push(far.memory.refer(image, far.memory.make_signature(image.tree.root, "b2xk")))
    other = far.memory.refer(image, far.memory.make_signature(image.tree.root, "bmV3"))
    (refused,) = far.preview(other)
    assert refused.status == "refused"
    assert "sha256-" in refused.notes[0]
    (moved,) = far.preview(other, policy="overwrite")
    assert (moved.status, moved.referrers) == ("planned", ReferrerCounts(put=1))


def test_of_an_image_whose_signature_is_refused_nothing_is_sent(far: Far) -> None:
    image = far.image("reg.test/a:1", b"x")
    far.push(far.memory.refer(image, far.memory.make_signature(image.tree.root, "b2xk")))
    far.registry.store.repo("a").tags.pop("1")
    other = far.memory.refer(image, far.memory.make_signature(image.tree.root, "bmV3"))
    refused, later = far.preview(other, far.image("reg.test/b:1", b"x", b"y"))
    assert (refused.there, refused.status, refused.blobs_to_send, refused.bytes_skipped) == (
        "absent", "refused", 0, 0,
    )  # fmt: skip
    # And so there is nothing to take over from its repository.
    assert later.blobs_to_send == 4


def test_a_name_that_is_left_alone_leaves_the_signatures_behind(far: Far) -> None:
    far.push(far.image("reg.test/a:1", b"old"))
    image = far.image("reg.test/a:1", b"new")
    signed = far.memory.refer(image, far.memory.make_signature(image.tree.root))
    (found,) = far.preview(signed, policy="skip")
    pushed = far.destination("skip").put(outgoing(signed), far.memory, SILENT.task(""))
    assert found.referrers == pushed.referrers == ReferrerCounts(left_out=1)
    assert found.notes == pushed.notes
    assert "left alone" in found.notes[0]


def test_an_index_that_is_tried_is_not_promised(far: Far) -> None:
    multi_platform(far.memory, "reg.test/shop/web:1")
    (some,) = far.memory.resolve("reg.test/shop/web:1", PlatformChoice((Platform.parse("linux/arm64"),)))
    assert isinstance(some, RegistryForm)
    destination = RegistryDestination(far.registry.address, PLAIN_HTTP, sparse_index=True)
    found = RegistryPreview(destination, "error").put(outgoing(some), far.memory, CountingTask())
    assert found.digest == some.tree.root.digest
    assert "only the push shows" in found.notes[0]


def test_an_image_without_a_tag_is_warned_about(far: Far) -> None:
    image = far.image("reg.test/a:1", b"x")
    pinned = far.memory.make_image(
        [b"base" * 1000, b"x"], f"reg.test/a@{image.tree.root.digest}", compression="none"
    )
    (found,) = far.preview(pinned)
    assert "no tag" in found.notes[0]
    assert found.target == f"{far.registry.address}/a@{image.tree.root.digest}"


@pytest.mark.parametrize("wanted", ["linux/arm64", "linux/arm64,linux/s390x"])
def test_some_platforms_of_many_are_found_again(far: Far, wanted: str) -> None:
    """The same as a push says: of what it made itself, and of the index that the image came with."""
    whole = multi_platform(far.memory, "reg.test/shop/web:1")
    choice = PlatformChoice(tuple(map(Platform.parse, wanted.split(","))))
    (some,) = far.memory.resolve("reg.test/shop/web:1", choice)
    assert isinstance(some, RegistryForm)
    planned = far.destination().planned(OutgoingImage(some.reference, some.tree), far.memory)

    def seen() -> tuple[str, str]:
        found = RegistryPreview(far.destination(), "error").put(outgoing(some), far.memory, CountingTask())
        done = far.destination().put(outgoing(some), far.memory, SILENT.task(""))
        # Whatever there is to say, such as that the original index was left, is said before too.
        assert (found.notes, found.digest, found.original) == (done.notes, done.digest, done.original)
        return found.there, found.status

    assert seen() == ("absent", "planned")
    assert planned.root != whole.tree.root.digest
    assert seen() == ("equal", "skipped")
    look = RegistryInspector(far.destination()).look
    assert look(outgoing(some)).notes == planned.notes
    far.registry.store.repo("shop/web").tags.clear()
    far.push(whole)
    assert seen() == ("equal", "skipped")
    # Nothing is missing there, so `check` has nothing to say either.
    assert look(outgoing(some)).notes == ()


def test_a_pin_that_is_lost_is_said_before(far: Far) -> None:
    whole = multi_platform(far.memory, "reg.test/shop/web:1")
    (some,) = far.memory.resolve("reg.test/shop/web:1", PlatformChoice((Platform.parse("linux/arm64"),)))
    assert isinstance(some, RegistryForm)
    pinned = replace(some, reference=Reference.parse(f"reg.test/shop/web:1@{whole.tree.root.digest}"))
    found = RegistryPreview(far.destination(), "error").put(outgoing(pinned), far.memory, CountingTask())
    done = far.destination().put(outgoing(pinned), far.memory, SILENT.task(""))
    assert found.notes == done.notes
    assert "whoever names it by" in found.notes[-1]
