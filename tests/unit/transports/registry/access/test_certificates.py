"""certs.d, read and used: against a registry with a certificate authority of its own."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundler.errors import ConfigError, Unreachable
from bundler.transports.registry.access.access import RegistryAccess
from bundler.transports.registry.access.certificates import Certificates, certificates_in
from bundler.transports.registry.access.proxies import Proxies
from bundler.transports.registry.upload.protocol import start_upload
from tests.fakes.proxies import FakeProxy
from tests.fakes.registry import FakeRegistry, Script
from tests.requirements import require, why_no_program
from tests.servers.registry import Certificate
from tests.unit.transports.registry.clients import Clients


def test_directories_add_up(tmp_path: Path) -> None:
    for name in ("a/reg.test:5000/ca.crt", "a/reg.test:5000/me.cert", "a/reg.test:5000/me.key",
                 "a/reg.test:5000/readme.txt", "b/reg.test:5000/other.crt"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    find = certificates_in([tmp_path / "a", tmp_path / "b", tmp_path / "missing"])
    here = tmp_path / "a/reg.test:5000"
    assert find("reg.test:5000") == Certificates(
        (here / "ca.crt", tmp_path / "b/reg.test:5000/other.crt"), ((here / "me.cert", here / "me.key"),)
    )
    assert find("reg.test") == Certificates()


@pytest.mark.parametrize("name", ["me.cert", "me.key"])
def test_half_a_pair_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "reg.test").mkdir()
    (tmp_path / "reg.test" / name).touch()
    with pytest.raises(ConfigError, match="beside it"):
        certificates_in([tmp_path])("reg.test")


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    require(why_no_program("openssl"))
    return Certificate.make(tmp_path)


def secure(fake: FakeRegistry, certificate: Certificate, *, client: Certificate | None = None) -> None:
    """Let the fake speak TLS, and want a certificate of its clients where one is given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    if client is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client.certificate)
    fake.wrap(context)


def access_with(directory: Path, **changes: object) -> RegistryAccess:
    return RegistryAccess(certificates=certificates_in([directory]), **changes)  # type: ignore[arg-type]


def test_an_authority_of_its_own_and_a_client_certificate(
    tmp_path: Path, clients: Clients, certificate: Certificate
) -> None:
    (tmp_path / "client").mkdir()
    mine = Certificate.make(tmp_path / "client")
    with FakeRegistry() as fake:
        secure(fake, certificate, client=mine)
        directory = tmp_path / "certs.d" / fake.address
        directory.mkdir(parents=True)
        with pytest.raises(Unreachable, match="not trusted"):
            start_upload(clients.repository(fake.address, access=access_with(tmp_path / "certs.d")))
        (directory / "ca.crt").write_bytes(certificate.certificate.read_bytes())
        # Its words may be lost: in TLS 1.3 they come when the request is on its way already.
        with pytest.raises(Unreachable):
            start_upload(clients.repository(fake.address, access=access_with(tmp_path / "certs.d")))
        (directory / "client.cert").write_bytes(mine.certificate.read_bytes())
        (directory / "client.key").write_bytes(mine.key.read_bytes())
        start_upload(clients.repository(fake.address, access=access_with(tmp_path / "certs.d")))
        (directory / "client.key").write_bytes(certificate.key.read_bytes())
        with pytest.raises(ConfigError, match=r"client\.key"):
            start_upload(clients.repository(fake.address, access=access_with(tmp_path / "certs.d")))


@pytest.mark.parametrize("tls", [True, False])
def test_an_insecure_registry_is_warned_about_once(clients: Clients, certificate: Certificate, tls: bool) -> None:
    with FakeRegistry() as fake:
        if tls:
            secure(fake, certificate)
        said: list[str] = []
        access = RegistryAccess(insecure=frozenset({"127.0.0.1"}), warn=said.append)
        repository = clients.repository(fake.address, access=access)
        start_upload(repository)
        start_upload(repository)
        assert len(said) == 1
        assert ("certificate" if tls else "plain HTTP") in said[0]
        fake.faults.clear()


@pytest.mark.parametrize("alert", [42, 48, 116], ids=["bad certificate", "unknown authority", "none"])
@pytest.mark.parametrize("lax", [True, False])
def test_a_registry_that_wants_a_certificate_says_so(clients: Clients, alert: int, lax: bool) -> None:
    said: list[str] = []
    with alerting(alert) as address:
        # It has TLS: being allowed to go without must not make it go without.
        access = RegistryAccess(insecure=frozenset({address} if lax else ()), warn=said.append)
        with pytest.raises(Unreachable, match="wants a certificate of this side") as caught:
            start_upload(clients.repository(address, access=access))
    assert "certs.d" in caught.value.advice
    assert said == []


@contextmanager
def alerting(alert: int) -> Iterator[str]:
    """Answer every greeting in TLS with this alert (RFC 8446 §6), and everything else with silence."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if self.request.recv(65536).startswith(b"\x16"):
                self.request.sendall(bytes([21, 3, 3, 0, 2, 2, alert]))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_an_insecure_registry_that_has_tls_all_the_same(clients: Clients) -> None:
    """TLS broke off for another reason, and in plain HTTP it is said that this is no way to speak here."""
    said: list[str] = []
    with FakeRegistry() as fake:
        fake.quirks.scripts["."] = Script(400, b"Client sent an HTTP request to an HTTPS server.\n")
        access = RegistryAccess(insecure=frozenset({fake.address}), warn=said.append)
        with pytest.raises(Unreachable):
            start_upload(clients.repository(fake.address, access=access))
    assert said == []


def test_an_insecure_registry_that_is_not_there(clients: Clients) -> None:
    with FakeRegistry() as gone:
        address = gone.address
    access = RegistryAccess(insecure=frozenset({address}))
    with pytest.raises(Unreachable):
        start_upload(clients.repository(address, access=access))


def test_through_a_proxy_that_wants_a_password(clients: Clients, certificate: Certificate) -> None:
    """Loopback is never proxied, so the proxy resolves a name that only it knows."""
    with FakeRegistry() as fake, FakeProxy({"reg.test:5000": fake.address}, ("bob", "pass word")) as proxy:
        url = f"http://bob:pass%20word@{proxy.address}"
        plain = RegistryAccess(plain_http=True, proxies=Proxies(http=url))
        start_upload(clients.repository("reg.test:5000", access=plain))
        assert proxy.asked == ["POST reg.test:5000"]
        wrong = RegistryAccess(plain_http=False, proxies=Proxies(https=f"http://bob:guess@{proxy.address}"))
        with pytest.raises(Unreachable, match="proxy refuses") as caught:
            start_upload(clients.repository("reg.test:5000", access=wrong))
        assert "guess" not in f"{caught.value}{caught.value.__cause__}"
        secure(fake, certificate)
        tunnelled = RegistryAccess(insecure=frozenset({"reg.test"}), proxies=Proxies(https=url))
        start_upload(clients.repository("reg.test:5000", access=tunnelled))
        assert proxy.asked[-1] == "CONNECT reg.test:5000"
