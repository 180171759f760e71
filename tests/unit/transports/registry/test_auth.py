"""Basic and token authentication, against the fake's doorman and the real registry's htpasswd."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from bundler.errors import AirbundleError, ProtocolError, Unauthorised
from bundler.model.digest import Digest
from bundler.transports.registry.credentials import Credentials, fixed_credentials, no_credentials
from bundler.transports.registry.manifests import find_manifest
from bundler.transports.registry.upload.protocol import mount_blob, start_upload
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
        challenged = len(fake.log)
        find_manifest(repository, "1")
        assert not fake.log[challenged].headers.get("Authorization")
        assert len(fake.doorman.asked) == 2


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
