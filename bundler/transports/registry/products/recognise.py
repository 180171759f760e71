"""Which product a registry is, by what its answers look like."""

from __future__ import annotations

from enum import Enum
from urllib.parse import urlsplit

import msgspec

from bundler.errors import AirbundleError, MalformedDocument
from bundler.model.json_documents import convert, parse_json
from bundler.model.reference import DEFAULT_REGISTRY
from bundler.transports.registry.answered import Signs
from bundler.transports.registry.client import RegistryClient

_ZOT_PATH = "/v2/_zot/ext/mgmt"


class Product(Enum):
    """The products whose ways are known; the value is the name that people know."""

    HARBOR = "Harbor"
    NEXUS = "Nexus Repository"
    ARTIFACTORY = "Artifactory"
    GITLAB = "GitLab"
    QUAY = "Quay"
    ZOT = "zot"
    DOCKER_HUB = "Docker Hub"
    DISTRIBUTION = "distribution"


class _ZotFacts(msgspec.Struct):
    distSpecVersion: str = ""  # noqa: N815  # zot's own name


def product_of(signs: Signs) -> Product | None:
    """Return the product that shows itself in the head of an answer, ``None`` where none does."""
    server = signs.server.lower()
    if server.startswith("nexus/"):
        return Product.NEXUS
    if server.startswith("artifactory/") or signs.headers & {"X-JFrog-Version", "X-Artifactory-Id"}:
        return Product.ARTIFACTORY
    if "Gitlab-Container-Registry-Version" in signs.headers:
        return Product.GITLAB
    found = (
        _by_challenge(c.parameters.get("realm", ""), c.parameters.get("service", "")) for c in signs.challenges
    )
    return next(filter(None, found), None)


def _by_challenge(realm: str, service: str) -> Product | None:
    """Return the product whose token service this is, or whose password is asked for."""
    try:
        path = urlsplit(realm).path
    except ValueError:
        path = ""
    if service == "harbor-registry" or realm == "harbor":
        return Product.HARBOR
    if service == "registry.docker.io":
        return Product.DOCKER_HUB
    if realm.startswith("Sonatype Nexus"):
        return Product.NEXUS
    if realm.startswith("Artifactory") or "/api/docker/" in path:
        return Product.ARTIFACTORY
    if path.endswith("/jwt/auth"):
        return Product.GITLAB
    return Product.QUAY if path.endswith("/v2/auth") else None


def recognise(client: RegistryClient, seen: Signs | None = None) -> Product | None:
    """Return the product, after at most two questions; ``None`` where nothing tells.

    Args:
        client: Of the registry. It asks as a stranger: credentials are neither looked up nor sent.
        seen: What an answer looked like that came before.
    """
    if client.address.name == DEFAULT_REGISTRY:
        return Product.DOCKER_HUB
    known = product_of(seen) if seen is not None else None
    if known is not None:
        return known
    try:
        with client.look("/v2/") as answer:
            known = product_of(Signs.of(answer, client.limits))
            is_plain = answer.header("Docker-Distribution-Api-Version").startswith("registry/")
        if known is not None:
            return known
        if _is_zot(client):
            return Product.ZOT
    except AirbundleError:
        # Who is asked out of curiosity need not answer.
        return None
    return Product.DISTRIBUTION if is_plain else None


def _is_zot(client: RegistryClient) -> bool:
    """Tell whether zot's extension for its own settings answers; it is there unless it was built without."""
    with client.look(_ZOT_PATH) as answer:
        if answer.status != 200:
            return False
        limit = client.limits.error_body_bytes
        try:
            value = parse_json(answer.read_up_to(limit + 1), "the answer", limit=limit, limits=client.limits)
            return bool(convert(value, _ZotFacts, "the answer").distSpecVersion)
        except MalformedDocument:
            return False
