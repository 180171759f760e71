"""Products are told apart by what they show, and nobody is asked more often than needed."""

from __future__ import annotations

import pytest

from bundler.transports.registry.answered import Signs
from bundler.transports.registry.challenges import Challenge
from bundler.transports.registry.products.recognise import Product, product_of, recognise
from tests.fakes.products.pushing import PRODUCTS
from tests.fakes.registry import FakeRegistry, Script
from tests.unit.transports.registry.clients import Clients

NAMES = {"Nexus": "Nexus Repository"}


@pytest.mark.parametrize("name", PRODUCTS)
def test_each_product_shows_itself_to_a_stranger(name: str, clients: Clients) -> None:
    with FakeRegistry(product=PRODUCTS[name][0]()) as fake:
        found = recognise(clients.client(fake.address))
        assert found is Product(NAMES.get(name, name))
        assert len(fake.log) <= 2
        assert not any("Authorization" in entry.headers for entry in fake.log)


def test_docker_hub_is_known_by_its_name(clients: Clients) -> None:
    assert recognise(clients.client("docker.io", plain_http=False)) is Product.DOCKER_HUB


def test_what_shows_nothing_is_nothing(fake: FakeRegistry, clients: Clients) -> None:
    assert recognise(clients.client(fake.address)) is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"distSpecVersion": 3}', b"{" * 200_000])
def test_a_page_where_zot_would_answer(fake: FakeRegistry, clients: Clients, body: bytes) -> None:
    fake.quirks.scripts["_zot"] = Script(200, body)
    assert recognise(clients.client(fake.address)) is None


def test_who_does_not_answer_is_unknown(clients: Clients) -> None:
    with FakeRegistry() as fake:
        address = fake.address
    assert recognise(clients.client(address)) is None


@pytest.mark.parametrize(
    ("realm", "service", "product"),
    [
        ("https://harbor.test/service/token", "harbor-registry", Product.HARBOR),
        ("harbor", "", Product.HARBOR),
        ("https://auth.docker.io/token", "registry.docker.io", Product.DOCKER_HUB),
        ("Sonatype Nexus Repository Manager", "", Product.NEXUS),
        ("Artifactory Realm", "", Product.ARTIFACTORY),
        ("https://x.test/artifactory/api/docker/key/v2/token", "x.test", Product.ARTIFACTORY),
        ("https://gitlab.test/jwt/auth", "container_registry", Product.GITLAB),
        ("https://quay.test/v2/auth", "quay.test", Product.QUAY),
        ("https://[", "", None),
        ("", "", None),
    ],
)
def test_challenges(realm: str, service: str, product: Product | None) -> None:
    signs = Signs(challenges=(Challenge("bearer", {"realm": realm, "service": service}),))
    assert product_of(signs) is product
