"""Basic and token authentication, against the fake's doorman and the real registry's htpasswd."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from bundler.content.streams import read_all
from bundler.errors import AirbundleError, ProtocolError, Unauthorised
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.transports.registry.blobs import open_blob
from bundler.transports.registry.client import Repository
from bundler.transports.registry.credentials import Credentials, fixed_credentials, no_credentials
from bundler.transports.registry.manifests import find_manifest
from bundler.transports.registry.upload.protocol import mount_blob, send_piece, start_upload
from bundler.transports.registry.wire import Body
from tests.fakes.registry import FakeRegistry, Script
from tests.fakes.registry_doorman import Doorman
from tests.requirements import require, why_no_program
from tests.servers.registry import Certificate, RealRegistry
from tests.unit.transports.registry.clients import Clients

ALICE = fixed_credentials(Credentials("alice", "secret:word"))
MALLORY = fixed_credentials(Credentials("mallory", "guess"))


@pytest.mark.parametrize("word", ["Basic", "BASIC", "basic"])
def test_basic_is_answered_however_it_is_spelt(clients: Clients, word: str) -> None:
    with FakeRegistry(doorman=Doorman(password=("alice", "secret:word"), basic_word=word)) as fake:
        repository = clients.repository(fake.address, credentials=ALICE)
        assert find_manifest(repository, "1") is None
        start_upload(repository)
        # Challenged once, and not again for each request.
        assert [bool(entry.headers.get("Authorization")) for entry in fake.log] == [False, True, True]


@pytest.mark.parametrize("finder", [MALLORY, no_credentials])
@pytest.mark.parametrize("tokens", [False, True])
def test_the_wrong_guest_is_unauthorised(clients: Clients, finder: object, tokens: bool) -> None:
    with FakeRegistry(doorman=Doorman(password=("alice", "x"), tokens=tokens)) as fake:
        repository = clients.repository(fake.address, credentials=finder)  # type: ignore[arg-type]
        with pytest.raises(Unauthorised) as caught:
            start_upload(repository)
        assert "docker login" in caught.value.advice
        assert len(fake.log) <= 3


@pytest.mark.registry
def test_the_real_registry_checks_a_password(tmp_path: Path, clients: Clients) -> None:
    require(why_no_program("docker-registry", "htpasswd", "openssl"))
    certificate = Certificate.make(tmp_path)
    with RealRegistry(tmp_path / "r", htpasswd=("alice", "secret:word"), tls=certificate) as real:
        known, guessing, anonymous = (
            clients.repository(real.address, plain_http=False, credentials=finder, ca_file=certificate.certificate)
            for finder in (ALICE, MALLORY, no_credentials)
        )
        assert start_upload(known).location.startswith(f"https://{real.address}/v2/shop/web/")
        for repository in (guessing, anonymous):
            with pytest.raises(Unauthorised):
                start_upload(repository)


def test_anonymous_tokens_are_fetched_once_for_each_scope(clients: Clients) -> None:
    with FakeRegistry(doorman=Doorman(tokens=True, anonymous_pull=True)) as fake:
        client = clients.repository(fake.address, push=False)
        for _ in range(3):
            assert find_manifest(client, "1") is None
        assert fake.doorman.asked == [["repository:shop/web:pull"]]


def test_a_mount_asks_for_both_repositories(clients: Clients) -> None:
    with FakeRegistry(doorman=Doorman(password=("alice", "secret:word"), tokens=True)) as fake:
        digest = Digest(fake.store.add_blob("shop/base", b"layer"))
        repository = clients.repository(fake.address, credentials=ALICE)
        assert mount_blob(repository, digest, "shop/base") is None
        assert {"repository:shop/web:pull,push", "repository:shop/base:pull"} <= set(fake.doorman.asked[-1])


def test_an_identity_token_is_exchanged(clients: Clients) -> None:
    with FakeRegistry(doorman=Doorman(tokens=True, identity_token="refresh me")) as fake:
        finder = fixed_credentials(Credentials(identity_token="refresh me"))
        start_upload(clients.repository(fake.address, credentials=finder))
        assert [entry.method for entry in fake.log] == ["POST", "POST", "POST"]


def test_a_token_that_the_registry_forgot_is_fetched_again(clients: Clients) -> None:
    with FakeRegistry(doorman=Doorman(tokens=True, anonymous_pull=True)) as fake:
        repository = clients.repository(fake.address, push=False)
        find_manifest(repository, "1")
        fake.doorman.issued["token-0"] = set()
        assert find_manifest(repository, "1") is None
        assert len(fake.doorman.asked) == 2


def test_a_token_is_renewed_when_its_time_is_over(clients: Clients) -> None:
    with FakeRegistry(doorman=Doorman(tokens=True, anonymous_pull=True, expires_in=1)) as fake:
        repository = clients.repository(fake.address, push=False)
        find_manifest(repository, "1")
        time.sleep(0.6)
        before = len(fake.log)
        find_manifest(repository, "1")
        # Nothing is sent with the old one, or without any.
        assert [entry.path.partition("?")[0] for entry in fake.log[before:]] == [
            "/token", "/v2/shop/web/manifests/1"]  # fmt: skip


def test_threads_share_a_token(clients: Clients) -> None:
    with FakeRegistry(doorman=Doorman(tokens=True, anonymous_pull=True)) as fake:
        repository = clients.repository(fake.address, push=False)
        threads = [threading.Thread(target=find_manifest, args=(repository, str(n))) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(fake.doorman.asked) == 1


def test_a_password_is_never_sent_in_plain_http_to_another_host(clients: Clients) -> None:
    with FakeRegistry() as thief, FakeRegistry() as fake:
        realm = f"http://localhost:{thief.address.partition(':')[2]}/token"
        fake.doorman = Doorman(password=("alice", "secret:word"), tokens=True, realm=realm)
        with pytest.raises(Unauthorised) as caught:
            start_upload(clients.repository(fake.address, credentials=ALICE))
        assert "plain HTTP" in str(caught.value)
        assert not thief.log


def test_a_token_is_fetched_by_http_only(clients: Clients) -> None:
    with FakeRegistry() as fake:
        fake.doorman = Doorman(tokens=True, realm="file:///etc/passwd")
        with pytest.raises(ProtocolError):
            start_upload(clients.repository(fake.address, credentials=ALICE))


@pytest.mark.parametrize(
    "script",
    [
        Script(200, b"<html>"),
        Script(200, b"[]"),
        Script(200, b"{}"),
        Script(200, b'{"token": 5}'),
        Script(200, b'{"token": "a\\r\\nX-Evil: 1"}'),
        Script(200, b'{"token": "a", "expires_in": "soon"}'),
        Script(200, b'{"token": "' + b"a" * 100_000 + b'"}'),
        Script(302, b"", {"Location": "https://elsewhere.test/"}),
        Script(403, b""),
        Script(500, b"down"),
        Script(401, b'{"details": "no"}'),
    ],
)
def test_a_token_service_that_answers_nonsense_is_a_declared_error(
    fake: FakeRegistry, clients: Clients, script: Script
) -> None:
    fake.doorman = Doorman(tokens=True, password=("alice", "secret:word"))
    fake.quirks.scripts["/token"] = script
    with pytest.raises(AirbundleError) as caught:
        start_upload(clients.repository(fake.address, credentials=ALICE))
    assert caught.value.exit_status in (10, 11)


def test_a_token_of_one_repository_spares_the_challenge_of_the_next(clients: Clients) -> None:
    with FakeRegistry(doorman=Doorman(tokens=True, anonymous_pull=True)) as fake:
        client = clients.client(fake.address)
        for name in ("shop/web", "shop/api"):
            find_manifest(Repository(client, name), "1")
        assert [entry.path.partition("?")[0] for entry in fake.log] == [
            "/v2/shop/web/manifests/1", "/token", "/v2/shop/web/manifests/1",
            "/token", "/v2/shop/api/manifests/1"]  # fmt: skip
        assert fake.doorman.asked[-1] == ["repository:shop/api:pull"]


def test_a_body_is_not_sent_with_a_token_that_is_over(clients: Clients) -> None:
    doorman = Doorman(password=("alice", "secret:word"), tokens=True, expires_in=1, ends=True)
    with FakeRegistry(doorman=doorman) as fake:
        repository = clients.repository(fake.address, credentials=ALICE)
        state = start_upload(repository)
        for _ in range(2):
            time.sleep(1.1)
            state = send_piece(repository, state, Body.of(b"x" * 1000))
        assert [entry.method for entry in fake.requests("PATCH")] == ["PATCH", "PATCH"]
        assert len(doorman.asked) == 3


def test_a_download_that_outlives_its_token_goes_on(clients: Clients) -> None:
    with FakeRegistry(doorman=Doorman(tokens=True, anonymous_pull=True, expires_in=1, ends=True)) as fake:
        data = bytes(range(256)) * 4000
        digest = Digest(fake.store.add_blob("shop/web", data))
        fake.quirks.truncate = len(data) // 2
        blob = Descriptor(media_type="a/b", digest=digest, size=len(data))
        stream = open_blob(clients.repository(fake.address, push=False), blob)
        buffer = memoryview(bytearray(1000))
        got = bytes(buffer[: stream.readinto(buffer)])
        time.sleep(1.1)
        fake.quirks.truncate = None
        assert got + read_all(stream, len(data)) == data
        stream.close()
        first, *_, last = fake.requests("GET", "/blobs/")
        assert last.headers["Range"].startswith("bytes=")
        assert last.headers["Authorization"] != first.headers.get("Authorization")


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        ({"expires_in": 0}, 3),
        ({"expires_in": -5}, 3),
        ({"expires_in": 300, "issued_at": "2020-01-01T00:00:00Z"}, 3),
        ({"expires_in": 300, "issued_at": "2020-01-01T00:00:00.123456789Z"}, 3),
        ({"expires_in": 300, "issued_at": "2020-01-01T00:00:00+02:00"}, 3),
        ({"expires_in": 300, "issued_at": "2199-01-01T00:00:00Z"}, 1),
        ({"expires_in": 300, "issued_at": "yesterday"}, 1),
        ({}, 1),
    ],
)
def test_a_token_that_is_over_when_it_comes_serves_once(
    clients: Clients, answer: dict[str, object], asked: int
) -> None:
    """By the token service's own clock: that of this machine may be wrong by years."""
    with FakeRegistry() as fake:
        body = json.dumps({"token": "t", **answer}).encode()
        fake.doorman = Doorman(tokens=True, issued={"t": {"shop/web:pull"}})
        fake.quirks.scripts["/token"] = Script(200, body)
        repository = clients.repository(fake.address, push=False)
        for _ in range(3):
            assert find_manifest(repository, "1") is None
        assert len(fake.requests("GET", "/token")) == asked


@pytest.mark.parametrize("tokens", [False, True])
def test_each_repository_has_its_own_credentials(clients: Clients, tokens: bool) -> None:
    def find(registry: str, repository: str) -> Credentials | None:
        return Credentials("alice", "secret:word") if repository == "mine" else Credentials("bob", "x")

    doorman = Doorman(password=("alice", "secret:word"), tokens=tokens)
    with FakeRegistry(doorman=doorman) as fake:
        client = clients.client(fake.address, credentials=find)
        start_upload(Repository(client, "mine", push=True))
        with pytest.raises(Unauthorised):
            start_upload(Repository(client, "yours", push=True))
        start_upload(Repository(client, "mine", push=True))
