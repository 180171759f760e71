"""The list of tags: page by page, bounded, and only of this repository."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from bundler.content.images import OutgoingImage
from bundler.destinations.registry import RegistryDestination
from bundler.errors import LimitExceeded, NotFound, ProtocolError, Unauthorised
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.transports.registry.address import RegistryAddress
from bundler.transports.registry.client import RegistryClient, Repository
from bundler.transports.registry.tags import list_tags
from tests.fakes.memory import CountingTask, MemorySource, tar_of
from tests.fakes.registry import FakeRegistry, Script
from tests.registry_access import PLAIN_HTTP
from tests.servers.either_registry import KINDS, Registry, serve


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[Registry]:
    with serve(request.param) as running:
        yield running


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


def tags_of(address: str, name: str = "shop/app", limits: Limits = DEFAULT_LIMITS) -> tuple[str, ...]:
    client = RegistryClient(RegistryAddress(address, True), limits=limits)
    try:
        return list_tags(Repository(client, name))
    finally:
        client.close()


def test_all_tags_of_a_repository(server: Registry) -> None:
    memory = MemorySource()
    destination = RegistryDestination(server.address, PLAIN_HTTP)
    for tag in ("1", "v2", "3.0.0-rc.1"):
        image = memory.make_image([tar_of({"a": b"x"})], f"reg.test/shop/app:{tag}")
        destination.put(OutgoingImage(image.reference, image.tree), memory, CountingTask())
    destination.finish()
    assert set(tags_of(server.address)) == {"1", "v2", "3.0.0-rc.1"}


def test_page_by_page(fake: FakeRegistry) -> None:
    fake.store.repo("shop/app").tags = {f"1.0.{number}": "x" for number in range(10)}
    fake.quirks.tags_page = 3
    assert sorted(tags_of(fake.address)) == sorted(fake.store.repo("shop/app").tags)
    assert len(fake.log) == 4


def scripted(fake: FakeRegistry, body: object, link: str = "", status: int = 200) -> None:
    headers = {"Content-Type": "application/json", **({"Link": link} if link else {})}
    fake.quirks.scripts["tags/list"] = Script(status, json.dumps(body).encode(), headers)


def test_no_tags_and_no_repository(fake: FakeRegistry) -> None:
    scripted(fake, {"name": "shop/app", "tags": None})
    assert tags_of(fake.address) == ()
    scripted(fake, {"errors": [{"code": "NAME_UNKNOWN"}]}, status=404)
    with pytest.raises(NotFound):
        tags_of(fake.address)
    scripted(fake, {"errors": [{"code": "UNAUTHORIZED"}]}, status=401)
    with pytest.raises(Unauthorised):
        tags_of(fake.address)


def test_what_is_no_tag_is_left_out(fake: FakeRegistry) -> None:
    scripted(fake, {"tags": ["1", "", "a b", "../x", "a@b", "x" * 200, "1", "\u001b[2J"]})
    assert tags_of(fake.address) == ("1",)


@pytest.mark.parametrize("body", [[], {"tags": "1"}, {"tags": [1]}, {"tags": {"1": 1}}])
def test_what_is_no_list(fake: FakeRegistry, body: object) -> None:
    scripted(fake, body)
    with pytest.raises(ProtocolError):
        tags_of(fake.address)


@pytest.mark.parametrize(
    "link",
    [
        '<http://elsewhere.test/v2/other/tags/list?n=1>; rel="next"', '</v2/other/tags/list?n=1>; rel="next"',
        '</v2/shop/app/manifests/1>; rel="next"', '<http://[/v2/shop/app/tags/list>; rel="next"',
    ],
)  # fmt: skip
def test_the_next_page_lies_nowhere_else(fake: FakeRegistry, link: str) -> None:
    scripted(fake, {"tags": ["1"]}, link)
    with pytest.raises(ProtocolError, match="elsewhere"):
        tags_of(fake.address)
    assert len(fake.log) == 1


def test_another_host_before_the_path_is_not_asked(fake: FakeRegistry) -> None:
    fake.quirks.scripts["tags/list.n=1000"] = Script(
        200, b'{"tags": ["1"]}',
        {"Link": '<https://inner.test/registry/v2/shop/app/tags/list?last=1>; rel="next"'},
    )  # fmt: skip
    fake.store.repo("shop/app").tags = {"1": "x", "2": "x"}
    assert tags_of(fake.address) == ("1", "2")
    assert fake.log[-1].path == "/v2/shop/app/tags/list?last=1"


def test_pages_without_end(fake: FakeRegistry) -> None:
    scripted(fake, {"tags": ["1"]}, '</v2/shop/app/tags/list?last=1>; rel="next"')
    with pytest.raises(ProtocolError, match="circle"):
        tags_of(fake.address)
    fake.quirks.scripts.clear()
    fake.store.repo("shop/app").tags = {f"{number}": "x" for number in range(10)}
    fake.quirks.tags_page = 1
    for limit in ("tags", "tag_pages"):
        assert len(tags_of(fake.address, limits=replace(DEFAULT_LIMITS, **{limit: 10}))) == 10
        with pytest.raises(LimitExceeded, match=f"the limit {limit} is 9"):
            tags_of(fake.address, limits=replace(DEFAULT_LIMITS, **{limit: 9}))
