"""Referrers as values: cosign's tags, the tag schema, and the entries that they have in lists."""

from __future__ import annotations

import pytest

from bundler.model.digest import Digest
from bundler.model.referrers import cosign_tags, parse_cosign_tag, parse_schema_tag, schema_tag
from tests.fakes.memory import MemorySource, tar_of

_SUBJECT = Digest.from_hex("ab" * 32)


def test_tags_name_their_subject() -> None:
    assert [tag.rpartition(".")[2] for tag in cosign_tags(_SUBJECT)] == ["sig", "att", "sbom"]
    assert {parse_cosign_tag(tag) for tag in cosign_tags(_SUBJECT)} == {_SUBJECT}
    assert parse_schema_tag(schema_tag(_SUBJECT)) == _SUBJECT
    assert parse_cosign_tag(schema_tag(_SUBJECT)) is None


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "1.0",
        "sha256-abc.sig",
        f"sha256-{'AB' * 32}.sig",
        f"sha256-{'ab' * 32}.exe",
        f"sha256-{'ab' * 32}.sig\n",
    ],
)
def test_other_tags_name_none(tag: str) -> None:
    assert parse_cosign_tag(tag) is None
    assert parse_schema_tag(tag) is None


def test_its_kind_is_cosigns_word_or_its_type() -> None:
    source = MemorySource()
    image = source.make_image([tar_of({"a": b"a"})], "x/a:1")
    signature, sbom = source.make_signature(image.tree.root), source.make_referrer(b"sbom", image.tree.root)
    assert (signature.kind, sbom.kind) == ("sig", "application/vnd.test.sbom")
    assert (signature.is_listed, sbom.is_listed) == (False, True)


def test_a_list_says_its_type_and_its_annotations() -> None:
    source = MemorySource()
    image = source.make_image([tar_of({"a": b"a"})], "x/a:1")
    plain = source.make_referrer(b"sbom", image.tree.root, artifactType="", annotations={"made": "today"})
    listing = plain.listing()
    # Without a type of its own it is that of its config (distribution-spec, "Listing Referrers").
    assert listing.artifact_type == "application/vnd.oci.empty.v1+json"
    assert listing.annotations == {"made": "today"}
    assert (listing.digest, listing.size) == (plain.digest, plain.tree.root.size)
