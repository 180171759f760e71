"""Failures and redirects: whatever a peer does, a declared error with a useful message comes out."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import threading
import time
from pathlib import Path

import pytest

from bundler.content.hashing import sha256
from bundler.content.streams import read_all
from bundler.errors import (
    AirbundleError,
    ConfigError,
    DamagedContent,
    NotFound,
    ProtocolError,
    Refused,
    ServerFault,
    Unauthorised,
    Unreachable,
)
from bundler.model.descriptor import Descriptor
from bundler.model.limits import DEFAULT_LIMITS
from bundler.transports.registry.blobs import open_blob
from bundler.transports.registry.client import Repository
from bundler.transports.registry.credentials import Credentials, fixed_credentials
from bundler.transports.registry.manifests import fetch_manifest, find_manifest
from bundler.transports.registry.retries import NO_RETRIES, Busy
from bundler.transports.registry.upload.protocol import start_upload
from tests.fakes.registry import FakeRegistry, Script
from tests.fakes.registry_doorman import Doorman
from tests.requirements import require, why_no_program
from tests.servers.registry import Certificate, RealRegistry
from tests.unit.transports.registry.clients import Clients

DENIED = b'{"errors": [{"code": "DENIED", "message": "Quota exceeded", "detail": "5 GiB"}]}'
PAGE = b"<html>nginx</html>"


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (401, b"", Unauthorised, "401"),
        (403, DENIED, Refused, "DENIED: Quota exceeded (5 GiB)"),
        (404, PAGE, NotFound, PAGE.decode()),
        (405, b"Method not allowed", Refused, "Method not allowed"),
        (409, b"", Refused, "409"),
        (412, DENIED, Refused, "Quota"),
        (413, PAGE, Refused, "413"),
        (400, b'{"errors": 5}', Refused, '{"errors": 5}'),
        (400, b'{"errors": [{"code": "A"}, {"code": "B"}]}', Refused, "A; B"),
        (400, b"\xff\xfe\x1b[2J", Refused, "\\x1b[2J"),
        (400, b"Client sent an HTTP request to an HTTPS server.\n", Unreachable, "speaks HTTPS"),
        (407, b"", Unreachable, "the proxy refuses"),
        (429, b"slow down", Busy, "slow down"),
        (500, PAGE, Busy, "500"),
        (501, b"", ServerFault, "501"),
        (503, b"", Busy, "503"),
        (204, b"", ProtocolError, "204"),
        (302, b"", ProtocolError, "302"),
    ],
)
def test_the_status_decides_and_the_words_explain(
    fake: FakeRegistry, clients: Clients, status: int, body: bytes, kind: type[AirbundleError], said: str
) -> None:
    fake.quirks.scripts["."] = Script(status, body, {"Content-Length": "0"} if status == 204 else {})
    with pytest.raises(AirbundleError) as caught:
        start_upload(clients.repository(fake.address))
    assert type(caught.value) is kind
    assert said in str(caught.value)
    assert f"{fake.address}/shop/web" in str(caught.value)


def test_no_more_of_an_error_is_read_than_is_allowed(fake: FakeRegistry, clients: Clients) -> None:
    fake.quirks.scripts["."] = Script(400, b"a" * 50_000_000)
    limits = dataclasses.replace(DEFAULT_LIMITS, error_body_bytes=100)
    with pytest.raises(Refused) as caught:
        start_upload(Repository(clients.client(fake.address, limits=limits), "shop/web"))
    assert 90 <= str(caught.value).count("a") <= 120


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00" * 100,
        b" ",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200,
        b"HTTP/1.1 200 OK\r\nContent-Length: banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_http_is_a_declared_error(fake: FakeRegistry, clients: Clients, answer: bytes) -> None:
    fake.quirks.nonsense = answer
    with pytest.raises(Unreachable):
        fetch_manifest(clients.repository(fake.address), "1")


def test_nobody_listens(clients: Clients) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Unreachable) as caught:
            start_upload(clients.repository(address))
    assert str(caught.value) == f"{address}: no connection: Connection refused"


def test_a_host_that_does_not_exist(clients: Clients) -> None:
    with pytest.raises(Unreachable) as caught:
        start_upload(clients.repository("no-such-host.invalid"))
    assert "cannot be resolved" in str(caught.value)


def test_a_connection_that_is_closed_without_an_answer(clients: Clients) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            with server.accept()[0] as connection:
                connection.recv(1)

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(Unreachable) as caught:
            start_upload(clients.repository(f"127.0.0.1:{server.getsockname()[1]}", policy=NO_RETRIES))
        thread.join()
    assert "broke off" in str(caught.value)


@pytest.mark.registry
def test_https_and_http_mixed_up_are_explained(tmp_path: Path, clients: Clients) -> None:
    require(why_no_program("docker-registry", "openssl"))
    certificate = Certificate.make(tmp_path)
    with RealRegistry(tmp_path / "tls", tls=certificate) as secure:
        with pytest.raises(Unreachable, match="speaks HTTPS") as caught:
            start_upload(clients.repository(secure.address, plain_http=True))
        assert "--plain-http" in caught.value.advice
        with pytest.raises(Unreachable, match="certificate is not trusted"):
            start_upload(clients.repository(secure.address, plain_http=False))
        trusting = clients.repository(secure.address, plain_http=False, ca_file=certificate.certificate)
        assert find_manifest(trusting, "1") is None
    with RealRegistry(tmp_path / "plain") as plain:
        with pytest.raises(Unreachable, match="does not speak HTTPS") as caught:
            start_upload(clients.repository(plain.address, plain_http=False))
        assert "--plain-http" in caught.value.advice


def test_https_to_the_fake_is_explained_too(fake: FakeRegistry, clients: Clients) -> None:
    with pytest.raises(Unreachable, match="does not speak HTTPS"):
        start_upload(clients.repository(fake.address, plain_http=False))
    # What the server made of the TLS hello is no fault of the fake.
    fake.faults.clear()


def test_a_broken_certificate_file(tmp_path: Path, clients: Clients) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "missing.pem"):
        repository = clients.repository("reg.test", plain_http=False, ca_file=tmp_path / name)
        with pytest.raises(ConfigError, match=name):
            start_upload(repository)


def add_blob(fake: FakeRegistry, data: bytes) -> Descriptor:
    fake.store.add_blob("shop/web", data)
    return Descriptor(media_type="a/b", digest=sha256(data), size=len(data))


def test_a_redirect_to_storage_carries_no_credentials(fake: FakeRegistry, clients: Clients) -> None:
    fake.doorman = Doorman(password=("alice", "x"))
    fake.quirks.storage = True
    blob = add_blob(fake, b"some layer")
    repository = clients.repository(fake.address, credentials=fixed_credentials(Credentials("alice", "x")))
    for offset in (0, 5):
        stream = open_blob(repository, blob, offset)
        assert read_all(stream, 100) == b"some layer"[offset:]
        stream.close()
    assert fake.requests("GET")[-1].headers["Authorization"]
    assert [entry.headers.get("Authorization") for entry in fake.storage_log] == [None, None]


def test_redirects_in_a_circle_end(fake: FakeRegistry, clients: Clients) -> None:
    fake.quirks.scripts["."] = Script(307, b"", {"Location": "/v2/again"})
    with pytest.raises(ProtocolError):
        find_manifest(clients.repository(fake.address), "1")
    assert len(fake.log) == 6


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://[broken/", "https://127.0.0.1:PORT/x"])
def test_a_redirect_that_leads_nowhere(fake: FakeRegistry, clients: Clients, location: str) -> None:
    target = location.replace("PORT", fake.address.partition(":")[2])
    fake.quirks.scripts["GET"] = Script(307, b"", {"Location": target})
    with pytest.raises(ProtocolError):
        fetch_manifest(clients.repository(fake.address), "1")


def test_a_write_is_not_redirected(fake: FakeRegistry, clients: Clients) -> None:
    fake.quirks.scripts["POST"] = Script(307, b"", {"Location": "https://elsewhere.test/"})
    with pytest.raises(ProtocolError):
        start_upload(clients.repository(fake.address))


def test_connections_are_used_again(fake: FakeRegistry, clients: Clients) -> None:
    repository = clients.repository(fake.address)
    blob = add_blob(fake, b"x")
    start_upload(repository)
    for _ in range(3):
        find_manifest(repository, "1")
        stream = open_blob(repository, blob)
        read_all(stream, 10)
        stream.close()
        with pytest.raises(NotFound):
            fetch_manifest(repository, "1")
    assert len({entry.port for entry in fake.log}) == 1


def test_damage_is_not_taken_for_a_redirect(fake: FakeRegistry, clients: Clients) -> None:
    fake.quirks.storage = True
    blob = add_blob(fake, b"some layer")
    fake.store.blobs[blob.digest] = b"SOME LAYER"
    stream = open_blob(clients.repository(fake.address), blob)
    with pytest.raises(DamagedContent):
        read_all(stream, 100)
    stream.close()


@pytest.mark.parametrize(("status", "method"), [(500, "POST"), (202, "POST"), (401, "POST")])
def test_nobody_waits_for_words_that_do_not_come(
    fake: FakeRegistry, clients: Clients, monkeypatch: pytest.MonkeyPatch, status: int, method: str
) -> None:
    """A head that announces more than is sent, on a connection that stays open."""
    monkeypatch.setattr("bundler.transports.registry.wire._SHORT_TIMEOUT", 0.2)
    fake.quirks.scripts[method] = Script(status, b"half", {"Content-Length": "100", "Location": "/v2/x"})
    begun = time.monotonic()
    with contextlib.suppress(AirbundleError):
        start_upload(clients.repository(fake.address))
    assert time.monotonic() - begun < 5
