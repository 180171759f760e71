from __future__ import annotations

import dataclasses
import json

import pytest

from bundler.content.hashing import sha256
from bundler.errors import AirbundleError, DamagedContent, LimitExceeded, NotFound, ProtocolError, Refused
from bundler.model import media_types
from bundler.model.limits import DEFAULT_LIMITS
from bundler.progress import SILENT
from bundler.transports.registry.client import Repository
from bundler.transports.registry.manifests import fetch_manifest, find_manifest, put_manifest
from bundler.transports.registry.upload.uploader import Uploader
from tests.fakes.memory import MemorySource
from tests.fakes.registry import FakeRegistry, Script
from tests.servers.either_registry import Registry
from tests.unit.transports.registry.clients import Clients


def push_config(repository: Repository, media_type: str = media_types.OCI_MANIFEST) -> bytes:
    """Upload a config; return a manifest that names it and nothing else."""
    memory = MemorySource()
    config = memory.store(b'{"rootfs": {"type": "layers"}}', media_types.OCI_CONFIG)
    Uploader().upload(repository, config, memory, SILENT.task(""))
    named = {"mediaType": config.media_type, "digest": config.digest, "size": config.size}
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, "config": named, "layers": []}).encode()


@pytest.mark.parametrize("media_type", [media_types.OCI_MANIFEST, media_types.DOCKER_MANIFEST])
def test_what_is_put_comes_back_to_the_byte(server: Registry, clients: Clients, media_type: str) -> None:
    repository = clients.repository(server.address)
    raw = push_config(repository, media_type)
    assert find_manifest(repository, "1") is None
    assert put_manifest(repository, "1", raw, media_type) == sha256(raw)
    assert find_manifest(repository, "1") == find_manifest(repository, sha256(raw)) == sha256(raw)
    for reference in ("1", sha256(raw)):
        descriptor, got = fetch_manifest(repository, reference)
        assert got == raw
        assert (descriptor.media_type, descriptor.digest, descriptor.size) == (media_type, sha256(raw), len(raw))


def test_what_is_not_there(server: Registry, clients: Clients) -> None:
    repository = clients.repository(server.address, "no/such")
    assert find_manifest(repository, "1") is None
    with pytest.raises(NotFound):
        fetch_manifest(repository, "1")


def test_a_manifest_without_its_blobs_is_refused_with_the_registrys_words(
    server: Registry, clients: Clients
) -> None:
    repository = clients.repository(server.address, "empty/repository")
    with pytest.raises(Refused) as caught:
        put_manifest(repository, "1", push_config(clients.repository(server.address)), media_types.OCI_MANIFEST)
    assert "MANIFEST_BLOB_UNKNOWN" in str(caught.value)


@pytest.fixture
def held(fake: FakeRegistry, clients: Clients) -> Repository:
    """A repository of the fake registry in which the tag 1 is a manifest."""
    repository = clients.repository(fake.address)
    put_manifest(repository, "1", push_config(repository), media_types.OCI_MANIFEST)
    return repository


def test_a_registry_that_says_no_digest_is_asked_for_the_bytes(fake: FakeRegistry, held: Repository) -> None:
    fake.quirks.digest_header = "missing"
    raw = fetch_manifest(held, "1")[1]
    assert find_manifest(held, "1") == sha256(raw)
    assert put_manifest(held, "2", raw, media_types.OCI_MANIFEST) == sha256(raw)


def test_a_digest_of_other_bytes_is_noticed(fake: FakeRegistry, held: Repository) -> None:
    raw = fetch_manifest(held, "1")[1]
    fake.quirks.digest_header = "wrong"
    with pytest.raises(DamagedContent):
        fetch_manifest(held, "1")
    with pytest.raises(ProtocolError, match="stored as"):
        put_manifest(held, "2", raw, media_types.OCI_MANIFEST)
    fake.quirks.digest_header = "broken"
    with pytest.raises(ProtocolError):
        find_manifest(held, "1")


def test_bytes_of_another_digest_are_noticed(fake: FakeRegistry, held: Repository) -> None:
    fake.quirks.digest_header = "missing"
    digest = fetch_manifest(held, "1")[0].digest
    manifests = fake.store.repo("shop/web").manifests
    manifests[digest] = (media_types.OCI_MANIFEST, manifests[digest][1] + b" ")
    with pytest.raises(DamagedContent):
        fetch_manifest(held, digest)


def test_all_types_are_accepted_in_every_request(fake: FakeRegistry, held: Repository) -> None:
    find_manifest(held, "1")
    fetch_manifest(held, "1")
    asked = [entry for entry in fake.log if entry.method in ("GET", "HEAD") and "/manifests/" in entry.path]
    assert len(asked) == 2
    for entry in asked:
        assert set(entry.headers["Accept"].split(", ")) == set(media_types.ACCEPTED)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (Script(200, b"<html>login</html>", {"Content-Type": "text/html"}), ProtocolError),
        (Script(200, b"<html>login</html>"), ProtocolError),
        (Script(200, b"{", {"Content-Type": media_types.OCI_MANIFEST}), ProtocolError),
        (Script(200, b"", {"Content-Type": media_types.OCI_MANIFEST}), ProtocolError),
        (Script(200, b"{}" + b" " * 5_000_000), LimitExceeded),
        (Script(200, b"{}", {"Docker-Content-Digest": "sha256:" + "1" * 64}), DamagedContent),
    ],
)
def test_nonsense_for_a_manifest(
    fake: FakeRegistry, clients: Clients, script: Script, kind: type[AirbundleError]
) -> None:
    fake.quirks.scripts["."] = script
    with pytest.raises(AirbundleError) as caught:
        fetch_manifest(clients.repository(fake.address), "1")
    assert type(caught.value) is kind


def test_a_manifest_is_bounded_by_the_limits(fake: FakeRegistry, held: Repository, clients: Clients) -> None:
    limits = dataclasses.replace(DEFAULT_LIMITS, document_bytes=10)
    with pytest.raises(DamagedContent):
        fetch_manifest(Repository(clients.client(fake.address, limits=limits), "shop/web"), "1")


def test_a_digest_of_another_algorithm_says_nothing(fake: FakeRegistry, held: Repository) -> None:
    raw = fetch_manifest(held, "1")[1]
    fake.quirks.scripts["GET"] = Script(200, raw, {"Docker-Content-Digest": "sha512:" + "0" * 128})
    assert fetch_manifest(held, "1")[0].digest == sha256(raw)
