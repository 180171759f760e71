"""Which referrers are taken with an image, and which are not."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest

from bundler.content.images import RegistryForm
from bundler.content.referrers import collect_referrers
from bundler.content.trees import collect_tree
from bundler.errors import LimitExceeded
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.limits import Limits
from bundler.model.referrers import Lead, Referrer, Referrers
from tests.fakes.memory import MemorySource, tar_of


class Shelf:
    """Images, and what somebody says refers to them."""

    def __init__(self) -> None:
        self.memory = MemorySource()
        self.said: dict[Digest, list[Lead]] = defaultdict(list)
        self.asked: list[Digest] = []

    def image(self, name: str = "x/a:1", platform: str = "linux/amd64") -> RegistryForm:
        return self.memory.make_image([tar_of({"f": platform.encode()})], name, platform=platform)

    def say(self, *referrers: Referrer) -> None:
        for one in referrers:
            self.said[one.subject].append(Lead(one.tree.root, one.tag))

    def find(self, subject: Digest) -> list[Lead]:
        self.asked.append(subject)
        return self.said[subject]

    def collect(self, root: Descriptor) -> ImageTree | None:
        held = self.memory.blobs
        return collect_tree(root, lambda wanted: held.get(wanted.digest)) if root.digest in held else None

    def found(self, tree: ImageTree, limits: Limits | None = None) -> Referrers:
        return collect_referrers(tree, self.find, self.collect, limits or Limits())


def test_those_of_the_root_and_of_each_platform_level_by_level() -> None:
    shelf = Shelf()
    one, two = shelf.image("x/a:1"), shelf.image("x/b:1", "linux/arm64")
    index = shelf.memory.make_index([one, two], "x/all:1")
    of_root, of_two = (shelf.memory.make_signature(image.tree.root) for image in (index, two))
    sbom = shelf.memory.make_referrer(b"sbom", one.tree.root)
    of_sbom = shelf.memory.make_referrer(b"signed", sbom.tree.root)
    shelf.say(of_sbom, sbom, of_root, of_two)
    found = shelf.found(index.tree)
    assert {one.digest for one in found.found[:3]} == {of_root.digest, of_two.digest, sbom.digest}
    assert found.found[3] == of_sbom
    assert found.left_out == ()
    assert len(shelf.asked) == len(set(shelf.asked)), "a subject was asked for twice"


def test_the_order_is_not_that_of_who_was_asked() -> None:
    shelf = Shelf()
    image = shelf.image()
    sboms = [shelf.memory.make_referrer(text.encode(), image.tree.root) for text in "abc"]
    shelf.say(*sboms)
    before = shelf.found(image.tree)
    shelf.said[image.tree.root.digest].reverse()
    assert shelf.found(image.tree) == before


def test_what_has_a_tag_and_is_listed_is_taken_once() -> None:
    shelf = Shelf()
    image = shelf.image()
    sbom = shelf.memory.make_referrer(b"sbom", image.tree.root)
    tagged = replace(sbom, tag=f"sha256-{image.tree.root.digest.hex}.att")
    shelf.say(sbom, tagged, tagged)
    assert shelf.found(image.tree).found == (tagged,)


def test_attestations_in_an_index_are_its_own_and_no_subjects() -> None:
    shelf = Shelf()
    image, paper = shelf.image(), shelf.memory.make_artifact(b"in-toto", "x/paper:1")
    index = shelf.memory.make_index([image, paper], "x/all:1")
    shelf.found(index.tree)
    assert paper.tree.root.digest not in shelf.asked


def test_circles_end() -> None:
    shelf = Shelf()
    image = shelf.image()
    sbom = shelf.memory.make_referrer(b"sbom", image.tree.root)
    shelf.say(sbom, Referrer(image.tree, sbom.digest, f"sha256-{sbom.digest.hex}.sig"))
    assert len(shelf.found(image.tree).found) == 2


def _other_subject(shelf: Shelf, image: RegistryForm) -> Lead:
    return Lead(shelf.memory.make_referrer(b"sbom", shelf.image("x/other:1", "linux/arm64").tree.root).tree.root)


def _no_subject(shelf: Shelf, image: RegistryForm) -> Lead:
    return Lead(shelf.memory.make_artifact(b"x", "x/none:1").tree.root)


def _absent(shelf: Shelf, image: RegistryForm) -> Lead:
    root = shelf.memory.make_referrer(b"sbom", image.tree.root).tree.root
    del shelf.memory.blobs[root.digest]
    return Lead(root)


def _of_unknown_type(shelf: Shelf, image: RegistryForm) -> Lead:
    return Lead(shelf.memory.store(b"{}", "application/vnd.oci.artifact.manifest.v1+json"))


def _no_manifest(shelf: Shelf, image: RegistryForm) -> Lead:
    return Lead(shelf.memory.store(b"[]", "application/vnd.oci.image.manifest.v1+json"))


def _sparse(shelf: Shelf, image: RegistryForm) -> Lead:
    missing = Descriptor(media_type=image.tree.root.media_type, digest=Digest.from_hex("0" * 64), size=7)
    return Lead(shelf.memory.make_index([image], "x/sparse:1", absent=[missing]).tree.root, "sha256-x.att")


@pytest.mark.parametrize("make", [_other_subject, _no_subject, _absent, _of_unknown_type, _no_manifest, _sparse])
def test_what_is_no_referrer_that_can_be_carried_is_left_out_and_named(make: object) -> None:
    shelf = Shelf()
    image = shelf.image()
    lead = make(shelf, image)  # type: ignore[operator]
    shelf.said[image.tree.root.digest].append(lead)
    found = shelf.found(image.tree)
    assert found.found == ()
    (note,) = found.left_out
    assert lead.descriptor.digest in note


def test_what_the_image_does_not_have_of_its_index_does_not_come_back_by_a_referrer() -> None:
    """Else readers, who know an image's contents by its list of blobs, would take it for more than it is."""
    shelf = Shelf()
    one, two = shelf.image("x/a:1"), shelf.image("x/b:1", "linux/arm64")
    sparse = shelf.memory.make_index([one], "x/all:1", absent=[two.tree.root])
    lead = Lead(shelf.memory.make_index([two], "x/more:1").tree.root, f"sha256-{sparse.tree.root.digest.hex}.att")
    tree = ImageTree(
        sparse.tree.root, {d: r for d, r in sparse.tree.documents.items() if d != two.tree.root.digest}
    )
    shelf.said[tree.root.digest].append(lead)
    found = shelf.found(tree)
    assert found.found == ()
    assert len(found.left_out) == 1


def test_limits() -> None:
    shelf = Shelf()
    image = shelf.image()
    sbom = shelf.memory.make_referrer(b"s" * 1000, image.tree.root)
    deeper = shelf.memory.make_referrer(b"signed", sbom.tree.root)
    shelf.say(sbom, deeper)
    assert len(shelf.found(image.tree, Limits(referrers=2, referrer_nesting=2)).found) == 2
    for limits in (Limits(referrers=1), Limits(referrer_nesting=1), Limits(referrer_bytes=1000)):
        with pytest.raises(LimitExceeded) as caught:
            shelf.found(image.tree, limits)
        assert "--no-referrers" in str(caught.value.advice)
