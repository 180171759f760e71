"""What is taken of an index, and what is asked of the source for it."""

from __future__ import annotations

import pytest

from bundler.content.platform_trees import REFERENCE_DIGEST, collect_chosen
from bundler.errors import DamagedContent, LimitExceeded, NoSuchPlatform
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.platform_choice import NOTHING_CHOSEN, PlatformChoice, PlatformSelection
from bundler.model.platforms import Platform
from tests.fakes.memory import MemorySource, multi_platform


def choice(*names: str, is_default: bool = False) -> PlatformChoice:
    return PlatformChoice(tuple(map(Platform.parse, names)), is_default)


class Asked:
    """A source that notes what it is asked for."""

    def __init__(self, memory: MemorySource) -> None:
        self.memory = memory
        self.fetched: list[Digest] = []

    def __call__(self, wanted: Descriptor) -> bytes | None:
        self.fetched.append(wanted.digest)
        return self.memory.blobs.get(wanted.digest)

    def collect(
        self, root: Descriptor, wanted: PlatformChoice, limits: Limits = DEFAULT_LIMITS
    ) -> tuple[ImageTree, PlatformSelection]:
        return collect_chosen(root, self, wanted, limits, lambda child: child.digest in self.memory.blobs)


@pytest.fixture
def asked() -> Asked:
    return Asked(MemorySource())


def test_other_platforms_are_not_even_fetched_and_nothing_twice(asked: Asked) -> None:
    root = multi_platform(asked.memory, "web").tree.root
    tree, selection = asked.collect(root, choice("linux/arm64"))
    # Index, manifest and config, the attestation; its own config is no image config.
    assert len(asked.fetched) == len(set(asked.fetched)) == 4
    assert set(asked.fetched) == set(tree.documents)
    assert len(selection.left_out) == 4


def test_an_index_that_says_no_platforms_is_asked_for_the_configs(asked: Asked) -> None:
    images = [
        asked.memory.make_image([name.encode()], "x", platform=name) for name in ("linux/amd64", "linux/arm64")
    ]
    artifact = asked.memory.make_artifact(b"notes", "x")
    root = asked.memory.make_index([*images, artifact], "web").tree.root
    tree, selection = asked.collect(root, choice("linux/arm64"))
    kept = {root.digest, *images[1].digests, *artifact.digests}
    assert {blob.digest for blob in tree.blobs()} == kept
    assert selection.left_out == (images[0].tree.root.digest,)
    assert len(asked.fetched) == len(set(asked.fetched))


def test_indexes_in_an_index_stay_and_their_platforms_are_chosen_alike(asked: Asked) -> None:
    inner = [multi_platform(asked.memory, name, (name,)) for name in ("linux/amd64", "linux/arm64")]
    outer = asked.memory.make_index(inner, "web")
    tree, selection = asked.collect(outer.tree.root, choice("linux/arm64"))
    there = {blob.digest for blob in tree.blobs()}
    assert there == {outer.tree.root.digest, inner[0].tree.root.digest, *inner[1].digests}
    assert [str(one) for one in selection.listed] == ["linux/amd64", "linux/arm64"]


def test_what_has_no_platforms_is_taken_whole(asked: Asked) -> None:
    artifacts = [asked.memory.make_artifact(data, "x") for data in (b"1", b"2")]
    for form in (asked.memory.make_index(artifacts, "web"), asked.memory.make_image([b"1"], "web"), artifacts[0]):
        tree, selection = asked.collect(form.tree.root, choice("linux/s390x"))
        assert {blob.digest for blob in tree.blobs()} == form.digests
        assert selection == NOTHING_CHOSEN


def test_children_of_unknown_type_follow_their_platform(asked: Asked) -> None:
    image = multi_platform(asked.memory, "x")
    arm64 = image.tree.platform_images()[2].descriptor.digest
    wanted, unwanted, free, attesting, lost = (
        asked.memory.store(name.encode(), "application/vnd.example.future.v1", **more)
        for name, more in (
            ("wanted", {"platform": Platform.parse("linux/arm64")}),
            ("unwanted", {"platform": Platform.parse("linux/amd64")}),
            ("free", {}),
            ("attesting", {"annotations": {REFERENCE_DIGEST: str(arm64)}}),
            ("lost", {"annotations": {REFERENCE_DIGEST: str(unwanted_digest())}}),
        )
    )
    root = asked.memory.make_index([image], "web", absent=[wanted, unwanted, free, attesting, lost]).tree.root
    tree, _ = asked.collect(root, choice("linux/arm64"))
    assert tree.opaque == {wanted.digest, free.digest, attesting.digest}


def unwanted_digest() -> Digest:
    return Digest.from_hex("0" * 64)


def test_attestations_without_a_subject_that_is_taken_stay_behind(asked: Asked) -> None:
    image = asked.memory.make_image([b"1"], "x")
    stray = asked.memory.make_artifact(b"stray", "x").tree.root
    listed = [
        Descriptor(media_type=one.media_type, digest=one.digest, size=one.size, platform=Platform.parse(name))
        for one, name in ((image.tree.root, "linux/amd64"), (stray, "unknown/unknown"))
    ]
    root = asked.memory.make_index([], "web", absent=listed).tree.root
    tree, selection = asked.collect(root, choice("linux/amd64"))
    assert stray.digest not in {blob.digest for blob in tree.blobs()}
    assert selection.left_out == (stray.digest,)


class TestWhatIsNotThere:
    """Sources that lack some of what their indexes list."""

    def test_the_next_best_is_taken_and_said(self, asked: Asked) -> None:
        image = multi_platform(asked.memory, "web", ("linux/arm/v7", "linux/arm/v6"))
        del asked.memory.blobs[image.tree.platform_images()[0].descriptor.digest]
        _, selection = asked.collect(image.tree.root, choice("linux/arm/v7"))
        assert selection.notes == ("linux/arm/v6 was taken for linux/arm/v7, the best of what is there",)

    def test_the_only_one_is_taken_where_nobody_named_a_platform(self, asked: Asked) -> None:
        image = multi_platform(asked.memory, "web", ("linux/amd64", "linux/arm64"))
        del asked.memory.blobs[image.tree.platform_images()[0].descriptor.digest]
        tree, selection = asked.collect(image.tree.root, choice("linux/amd64", is_default=True))
        assert [str(one.platform) for one in tree.platform_images() if one.platform.is_known] == ["linux/arm64"]
        assert selection.notes == ("linux/arm64 was taken, the only platform that is there",)
        with pytest.raises(NoSuchPlatform, match="it has: linux/arm64; its index also lists linux/amd64"):
            asked.collect(image.tree.root, choice("linux/amd64"))

    def test_of_several_others_none_is_guessed(self, asked: Asked) -> None:
        image = multi_platform(asked.memory, "web", ("linux/arm64", "linux/s390x"))
        with pytest.raises(NoSuchPlatform, match="nothing for linux/amd64; it has: linux/arm64, linux/s390x"):
            asked.collect(image.tree.root, choice("linux/amd64", is_default=True))

    def test_nothing_at_all(self, asked: Asked) -> None:
        image = multi_platform(asked.memory, "web", ("linux/arm64",))
        del asked.memory.blobs[image.tree.platform_images()[0].descriptor.digest]
        with pytest.raises(NoSuchPlatform, match="it has: none; its index also lists linux/arm64"):
            asked.collect(image.tree.root, choice("linux/arm64", is_default=True))


def test_what_was_chosen_is_verified(asked: Asked) -> None:
    image = multi_platform(asked.memory, "web")
    asked.memory.blobs[image.tree.platform_images()[2].descriptor.digest] += b" "
    asked.collect(image.tree.root, choice("linux/amd64"))
    with pytest.raises(DamagedContent):
        asked.collect(image.tree.root, choice("linux/arm64"))


def test_looking_for_what_is_there_is_bounded(asked: Asked) -> None:
    image = multi_platform(asked.memory, "web", [f"linux/arm/v{number}" for number in range(40)])
    size = sum(len(raw) for raw in image.tree.documents.values())
    for limits in (Limits(documents=30), Limits(tree_bytes=size // 2)):
        with pytest.raises(LimitExceeded):
            asked.collect(image.tree.root, choice("linux/amd64"), limits)


def test_two_of_one_platform_are_both_taken(asked: Asked) -> None:
    images = [asked.memory.make_image([data], "x").tree.root for data in (b"gzip", b"zstd")]
    listed = [
        Descriptor(
            media_type=media_types.OCI_MANIFEST,
            digest=one.digest,
            size=one.size,
            platform=Platform("amd64", "linux"),
        )
        for one in images
    ]
    root = asked.memory.make_index([], "web", absent=listed).tree.root
    tree, _ = asked.collect(root, choice("linux/amd64"))
    assert {one.digest for one in images} <= set(tree.documents)
