"""A registry of some product, and pushes to it as its user ``ci``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bundler.content.images import OutgoingImage, PutResult, RegistryForm
from bundler.destinations.registry import RegistryDestination
from bundler.model import media_types
from bundler.transports.registry.access.access import RegistryAccess
from bundler.transports.registry.credentials import Credentials
from bundler.transports.registry.retries import RetryPolicy
from tests.fakes.memory import CountingTask, MemorySource, compress, make_config
from tests.fakes.products.artifactory import Artifactory
from tests.fakes.products.distribution import Distribution
from tests.fakes.products.docker_hub import DockerHub
from tests.fakes.products.gitlab import GitLab
from tests.fakes.products.harbor import Harbor
from tests.fakes.products.nexus import Nexus
from tests.fakes.products.product import Product
from tests.fakes.products.quay import Quay
from tests.fakes.products.zot import Zot
from tests.servers.either_registry import Registry

#: Each product, and the path below which ``ci`` may push there from the start.
PRODUCTS: dict[str, tuple[type[Product], str]] = {
    "distribution": (Distribution, "shop"),
    "Harbor": (Harbor, "shop"),
    "Nexus": (Nexus, "shop"),
    "Artifactory": (Artifactory, "shop"),
    "GitLab": (GitLab, "plant/shop"),
    "Quay": (Quay, "shop"),
    "zot": (Zot, "shop"),
    "Docker Hub": (DockerHub, "shop"),
}
_QUICK = RetryPolicy(first_seconds=0.01, longest_seconds=0.02, longest_asked_seconds=0.1)


def ci(registry: str, repository: str = "") -> Credentials | None:
    """Find the credentials of the user whom all of them know."""
    return Credentials("ci", "secret")


def as_ci() -> RegistryAccess:
    """Return how that user reaches the registry."""
    return RegistryAccess(plain_http=True, credentials=ci)


@contextmanager
def pushing(fake: Registry, prefix: str = "", **options: Any) -> Iterator[RegistryDestination]:
    """Open a destination at a running registry."""
    place = f"{fake.address}/{prefix}" if prefix else fake.address
    given = {"access": as_ci(), "retries": _QUICK, **options}
    destination = RegistryDestination(place, **given)
    try:
        yield destination
    finally:
        destination.finish()


def image(memory: MemorySource, name: str = "web", tag: str = "1", text: str = "", **more: str) -> RegistryForm:
    """Make a small image ``x.test/NAME:TAG``; other texts make other images."""
    given = {"compression": "none", **more}
    return memory.make_image([f"{name} {text}".encode().ljust(512, b"\0")], f"x.test/{name}:{tag}", **given)


def docker_image(memory: MemorySource, name: str = "web", tag: str = "1") -> RegistryForm:
    """Make a small image in Docker's own form."""
    layer = f"{name} in docker's form".encode().ljust(512, b"\0")
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_types.DOCKER_MANIFEST,
        "config": memory.store(make_config([layer]), media_types.DOCKER_CONFIG),
        "layers": [memory.store(compress(layer, "gzip"), media_types.DOCKER_LAYER_GZIP)],
    }
    return memory.add(manifest, f"x.test/{name}:{tag}")


def put(destination: RegistryDestination, memory: MemorySource, what: RegistryForm) -> PutResult:
    """Push one image."""
    return destination.put(OutgoingImage(what.reference, what.tree), memory, CountingTask())
