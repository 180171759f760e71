"""Lists of referrers at a registry: by the API, by the index under a tag, and what hostile answers come to."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from bundler.content.images import OutgoingImage
from bundler.destinations.registry import RegistryDestination
from bundler.errors import LimitExceeded, ProtocolError, Refused
from bundler.model import media_types
from bundler.model.digest import Digest
from bundler.model.limits import Limits
from bundler.model.referrers import Referrer, schema_tag
from bundler.progress import SILENT
from bundler.transports.registry.address import RegistryAddress
from bundler.transports.registry.client import RegistryClient, Repository
from bundler.transports.registry.referrers import (
    SchemaIndex,
    extended_index,
    find_cosign_tags,
    find_referrers,
    parse_next_link,
    parse_referrers,
    put_in_schema_index,
)
from tests.fakes.memory import MemorySource, tar_of
from tests.fakes.registry import FakeRegistry, Script
from tests.registry_access import PLAIN_HTTP

_NAME = "shop/web"
_HTML = {"Content-Type": "text/html"}


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


class Held:
    """An image at a registry, with three SBOMs and a signature."""

    def __init__(self, fake: FakeRegistry) -> None:
        memory = MemorySource()
        image = memory.make_image([tar_of({"a": b"a"})], f"{fake.address}/{_NAME}:1")
        self.subject = image.tree.root.digest
        self.sboms = [memory.make_referrer(text.encode(), image.tree.root) for text in "abc"]
        self.signature = memory.make_signature(image.tree.root)
        referrers: tuple[Referrer, ...] = (*self.sboms, self.signature)
        destination = RegistryDestination(fake.address, PLAIN_HTTP)
        destination.put(OutgoingImage(image.reference, image.tree, {}, referrers), memory, SILENT.task(""))
        destination.finish()
        fake.log.clear()

    @property
    def digests(self) -> set[Digest]:
        return {one.digest for one in self.sboms}


def repository(fake: FakeRegistry, limits: Limits | None = None) -> Repository:
    client = RegistryClient(RegistryAddress(fake.address, True), limits=limits or Limits())
    return Repository(client, _NAME)


@pytest.mark.parametrize("page", [0, 1, 2])
def test_the_api_page_by_page(fake: FakeRegistry, page: int) -> None:
    fake.quirks.referrers, fake.quirks.referrers_page = True, page
    held = Held(fake)
    found = find_referrers(repository(fake), held.subject)
    assert {one.digest for one in found} == held.digests
    assert {one.artifact_type for one in found} == {"application/vnd.test.sbom"}
    assert not fake.requests("GET", schema_tag(held.subject)), "the tag was asked for where there is the API"


def test_a_registry_without_the_api_is_asked_for_it_once(fake: FakeRegistry) -> None:
    held = Held(fake)
    asking = repository(fake)
    assert {one.digest for one in find_referrers(asking, held.subject)} == held.digests
    assert find_referrers(asking, held.sboms[0].digest) == ()
    assert len(fake.requests("GET", "/referrers/")) == 1
    assert len(fake.requests("GET", "/manifests/sha256-")) == 2


@pytest.mark.parametrize(
    "script",
    [
        Script(404), Script(400), Script(401), Script(403), Script(405), Script(501),
        Script(200, b"<html>welcome</html>", _HTML),
        Script(200, b"<html>welcome</html>", {"Content-Type": media_types.OCI_INDEX}),
        Script(200, b"{}", {"Content-Type": "application/json"}),
    ],
    ids=["404", "400", "401", "403", "405", "501", "page", "page as index", "something else"],
)  # fmt: skip
def test_whatever_says_that_there_is_no_api(fake: FakeRegistry, script: Script) -> None:
    held = Held(fake)
    fake.quirks.scripts["/referrers/"] = script
    assert {one.digest for one in find_referrers(repository(fake), held.subject)} == held.digests


def test_a_list_that_never_ends(fake: FakeRegistry) -> None:
    index = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}
    link = {"Link": f"</v2/{_NAME}/referrers/next>; rel=next", "Content-Type": media_types.OCI_INDEX}
    fake.quirks.scripts["/referrers/"] = Script(200, json.dumps(index).encode(), link)
    with pytest.raises(LimitExceeded):
        find_referrers(repository(fake, Limits(referrer_pages=3)), Digest.from_hex("0" * 64))
    assert len(fake.requests("GET", "/referrers/")) == 3


def test_a_list_that_is_too_long(fake: FakeRegistry) -> None:
    fake.quirks.referrers, fake.quirks.referrers_page = True, 1
    held = Held(fake)
    with pytest.raises(LimitExceeded):
        find_referrers(repository(fake, Limits(referrers=2)), held.subject)


def test_no_other_host_is_asked_for_the_next_page(fake: FakeRegistry) -> None:
    fake.quirks.referrers, fake.quirks.referrers_page = True, 1
    held = Held(fake)
    fake.quirks.referrers_host = f"http://{fake.storage_address}"
    with pytest.raises(ProtocolError):
        find_referrers(repository(fake), held.subject)
    assert fake.storage_log == []


def test_a_later_page_that_is_none_is_an_error_and_not_the_end(fake: FakeRegistry) -> None:
    fake.quirks.referrers, fake.quirks.referrers_page = True, 1
    held = Held(fake)
    fake.quirks.scripts["/referrers/.*first"] = Script(200, b"<html/>", _HTML)
    with pytest.raises(ProtocolError):
        find_referrers(repository(fake), held.subject)


def test_cosigns_tags_cost_a_head_each(fake: FakeRegistry) -> None:
    held = Held(fake)
    assert find_cosign_tags(repository(fake), held.subject) == {held.signature.tag: held.signature.digest}
    assert [entry.method for entry in fake.log] == ["HEAD"] * 3


def test_another_thing_under_the_tag_of_the_list_is_no_list(fake: FakeRegistry) -> None:
    held = Held(fake)
    store = fake.store.repo(_NAME)
    store.tags[schema_tag(held.subject)] = held.subject
    assert find_referrers(repository(fake), held.subject) == ()
    with pytest.raises(Refused):
        put_in_schema_index(repository(fake), held.subject, {held.sboms[0].digest: held.sboms[0].listing()})
    assert store.tags[schema_tag(held.subject)] == held.subject, "it was overwritten"


def test_what_somebody_else_lists_stays_and_what_he_loses_comes_again(fake: FakeRegistry) -> None:
    """Two clients write the index at the same time: the one that is late takes away what the other wrote."""
    held = Held(fake)
    first, second, third = held.sboms
    tag, store = schema_tag(held.subject), fake.store
    del store.repo(_NAME).tags[tag]
    late = extended_index(None, [third.listing()])
    put, times = store.put_manifest, list[int]()

    def interrupted(name: str, reference: str, media_type: str, raw: bytes) -> str:
        digest = put(name, reference, media_type, raw)
        if reference == tag and not times:
            times.append(1)
            put(name, reference, media_type, late)
        return digest

    store.put_manifest = interrupted  # type: ignore[method-assign]
    put_in_schema_index(repository(fake), held.subject, {one.digest: one.listing() for one in (first, second)})
    assert {one.digest for one in find_referrers(repository(fake), held.subject)} == held.digests


def test_an_index_that_is_changed_all_the_time_is_given_up(fake: FakeRegistry) -> None:
    held = Held(fake)
    tag, store = schema_tag(held.subject), fake.store
    del store.repo(_NAME).tags[tag]
    put, empty = store.put_manifest, extended_index(None, [])

    def undone(name: str, reference: str, media_type: str, raw: bytes) -> str:
        digest = put(name, reference, media_type, raw)
        if reference == tag:
            put(name, reference, media_type, empty)
        return digest

    store.put_manifest = undone  # type: ignore[method-assign]
    with pytest.raises(Refused):
        put_in_schema_index(repository(fake), held.subject, {held.sboms[0].digest: held.sboms[0].listing()})


def test_keys_that_are_unknown_here_stay_in_an_index() -> None:
    memory = MemorySource()
    image = memory.make_image([tar_of({"a": b"a"})], "x/a:1")
    sbom = memory.make_referrer(b"sbom", image.tree.root)
    entry = {"mediaType": "x/y", "digest": "sha256:" + "1" * 64, "size": 1, "new": {"key": 1}}
    raw = json.dumps(
        {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [entry], "z": 1}
    ).encode()
    entries = parse_referrers(raw)
    assert entries is not None
    document = json.loads(extended_index(SchemaIndex(raw, image.tree.root.digest, entries), [sbom.listing()]))
    assert document["z"] == 1
    assert document["manifests"][0] == entry
    assert document["manifests"][1]["artifactType"] == "application/vnd.test.sbom"


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ('</v2/a/referrers/x?n=1&last=b>; rel="next"', "/v2/a/referrers/x?n=1&last=b"),
        ("<http://a/b>;rel=next", "http://a/b"),
        ('<a>; rel="prev", <b,c>; rel="next"', "b,c"),
        ('<a>; rel="nextish"', None),
        ("", None),
        ("<a", None),
        ('rel="next"', None),
    ],
)
def test_links(header: str, address: str | None) -> None:
    assert parse_next_link(header) == address


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"\xff", b'{"schemaVersion":2,"config":{}}'])
def test_what_is_no_list(raw: bytes) -> None:
    assert parse_referrers(raw) is None
