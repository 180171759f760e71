"""What is tried again, when, and how often: against a clock that only waits move."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone

import pytest

from bundler.content.stopping import Stopping
from bundler.errors import AirbundleError, Interrupted, NotFound, Refused, Unreachable
from bundler.progress import SILENT
from bundler.transports.registry.client import Repository
from bundler.transports.registry.credentials import Credentials, fixed_credentials
from bundler.transports.registry.manifests import fetch_manifest, find_manifest, put_manifest
from bundler.transports.registry.retries import (
    Attempts,
    Busy,
    ConnectionLost,
    Retries,
    RetryPolicy,
    parse_retry_after,
)
from bundler.transports.registry.upload.protocol import mount_blob, start_upload
from bundler.transports.registry.upload.uploader import Uploader
from tests.fakes.memory import MemorySource
from tests.fakes.registry import FakeRegistry, Script
from tests.fakes.registry_doorman import Doorman
from tests.unit.transports.registry.clients import QUICK, Clients

NOW = datetime(2026, 11, 6, 12, 0, 0, tzinfo=timezone.utc)


@dataclass
class Clock:
    """Time that passes only while somebody waits."""

    now: float = 0.0
    dice: float = 1.0
    waits: list[float] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def retries(self, policy: RetryPolicy | None = None, *, reached: bool = True) -> Retries:
        return Retries(
            policy or RetryPolicy(),
            wait=self.wait,
            tell=self.said.append,
            reached=lambda: reached,
            clock=lambda: self.now,
            dice=lambda: self.dice,
        )


class Flaky:
    """Fails with the given errors first, then returns."""

    def __init__(self, *errors: AirbundleError, seconds: float = 0.0, clock: Clock | None = None) -> None:
        self._errors = list(errors)
        self._seconds = seconds
        self._clock = clock
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self._clock is not None:
            self._clock.now += self._seconds
        if self._errors:
            raise self._errors.pop(0)
        return "done"


def test_waits_double_up_to_a_bound() -> None:
    clock, flaky = Clock(), Flaky(*[ConnectionLost("no")] * 100)
    with pytest.raises(ConnectionLost):
        clock.retries(RetryPolicy(tries=12)).run(flaky)
    assert clock.waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30]
    assert flaky.calls == 12
    assert clock.said[0] == "no; trying again in 0.5 s"


def test_the_jitter_is_full() -> None:
    policy = RetryPolicy()
    assert policy.pause(5, None, 0.0) == 0
    assert policy.pause(5, None, 0.5) == 4
    assert policy.pause(10_000, None, 1.0) == policy.longest_seconds


def test_what_passes_is_done() -> None:
    clock, flaky = Clock(), Flaky(ConnectionLost("a"), Busy("b"))
    assert clock.retries().run(flaky) == "done"
    assert flaky.calls == 3


@pytest.mark.parametrize("error", [Refused("no"), NotFound("no"), Unreachable("certificate"), Interrupted("x")])
def test_what_stays_is_not_tried_again(error: AirbundleError) -> None:
    clock, flaky = Clock(), Flaky(error)
    with pytest.raises(type(error)):
        clock.retries().run(flaky)
    assert (flaky.calls, clock.waits) == (1, [])


def test_retry_after_is_obeyed_within_bounds() -> None:
    clock = Clock(dice=0.0)
    clock.retries().run(Flaky(Busy("x", retry_after=7), Busy("x", retry_after=1e9), Busy("x", retry_after=0)))
    assert clock.waits == [7, 120, 0]


def test_the_time_of_waits_and_of_failed_tries_is_bounded() -> None:
    clock = Clock()
    flaky = Flaky(*[ConnectionLost("silent")] * 100, seconds=300, clock=clock)
    with pytest.raises(ConnectionLost):
        clock.retries().run(flaky)
    assert flaky.calls == 3
    clock = Clock(dice=0.0)
    with pytest.raises(Busy):
        clock.retries(RetryPolicy(tries=1000)).run(Flaky(*[Busy("x", retry_after=60)] * 1000))
    assert sum(clock.waits) == 900


def test_an_address_that_never_answered_is_given_up_sooner() -> None:
    clock, flaky = Clock(), Flaky(*[ConnectionLost("refused")] * 100)
    with pytest.raises(ConnectionLost):
        clock.retries(reached=False).run(flaky)
    assert flaky.calls == 3
    busy = Flaky(*[Busy("502")] * 100)
    with pytest.raises(Busy):
        clock.retries(reached=False).run(busy)
    assert busy.calls == 3
    assert sum(clock.waits) <= 5


@pytest.mark.parametrize(
    ("first", "tries"),
    [
        (Script(502, b"<html>"), 3),
        (Script(503, b"", {"Retry-After": "0"}), 8),
        (Script(429), 8),
    ],
    ids=["502", "503 with a time", "429"],
)
def test_a_proxy_that_reaches_no_registry_is_given_up_sooner(
    fake: FakeRegistry, clients: Clients, first: Script, tries: int
) -> None:
    fake.quirks.scripts["HEAD"] = first
    for number in (1, 2):
        with pytest.raises(Busy):
            find_manifest(clients.repository(fake.address), "1")
        assert len(fake.log) == number * tries
    # What has answered once is known to be a registry.
    fake.quirks.scripts.clear()
    repository = clients.repository(fake.address)
    assert find_manifest(repository, "1") is None
    fake.log.clear()
    fake.quirks.scripts["HEAD"] = first
    with pytest.raises(Busy):
        find_manifest(repository, "1")
    assert len(fake.log) == 8


def test_what_gets_further_elsewhere_renews_the_tries_but_not_the_haste() -> None:
    clock = Clock()
    attempts = Attempts(clock.retries())
    for _ in range(20):
        attempts.go_on()
        attempts.failed(ConnectionLost("cut"))
    assert clock.waits[-1] == 30
    attempts.begin_anew()
    attempts.failed(ConnectionLost("cut"))
    assert clock.waits[-1] == 0.5


def test_only_enough_progress_makes_failures_forgotten() -> None:
    for gain, least in ((100 << 10, 50), (1, 7)):
        attempts, failures = Attempts(Clock().retries()), 0
        with pytest.raises(ConnectionLost):  # noqa: PT012  # the loop is what is tested
            while failures < 50:
                attempts.begin()
                attempts.gained(gain)
                attempts.failed(ConnectionLost("cut"))
                failures += 1
            raise ConnectionLost("still going on")
        assert failures == least


def test_a_wait_ends_when_somebody_wants_an_end() -> None:
    stopping = Stopping()
    timer = threading.Timer(0.2, stopping.ask)
    timer.start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        Retries(wait=stopping.wait).run(Flaky(Busy("x", retry_after=100)))
    assert time.monotonic() - began < 5
    timer.join()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("Fri, 06 Nov 2026 12:01:30 GMT", 90),
        ("Fri, 06 Nov 2026 11:00:00 GMT", 0),
        ("Friday, 06-Nov-26 12:00:10 GMT", 10),
        ("Fri, 06 Nov 2026 13:00:05 +0100", 5),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Fri, 99 Nov 2026 12:01:30 GMT", None),
        ("9" * 100, None),
    ],
)
def test_retry_after_in_all_its_forms(text: str, seconds: float | None) -> None:
    assert parse_retry_after(text, NOW) == seconds


# -- the requests of the protocol ---------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_every_request_outlives_a_bad_moment(clients: Clients, status: int) -> None:
    memory = MemorySource()
    with FakeRegistry(doorman=Doorman(password=("a", "b"), tokens=True)) as fake:
        finder = fixed_credentials(Credentials("a", "b"))
        repository = clients.repository(fake.address, credentials=finder)
        raw = memory.blobs[memory.make_image([b"x"], "a.test/a:1").tree.root.digest]
        blob, layer = memory.store(b"y" * 100_000, "a/b"), memory.store(b"z" * 200_000, "a/b")

        def bad_moment(pattern: str) -> None:
            fake.quirks.scripts[pattern] = Script(status, b"busy", {"Retry-After": "0"}, uses=2)

        bad_moment("GET /token")
        bad_moment("HEAD .*/manifests/")
        assert find_manifest(repository, "1") is None
        for data in memory.blobs.values():
            fake.store.add_blob("shop/web", data)
        bad_moment("PUT .*/manifests/")
        digest = put_manifest(repository, "1", raw, "application/vnd.oci.image.manifest.v1+json")
        bad_moment("GET .*/manifests/")
        assert fetch_manifest(repository, "1")[1] == raw
        assert find_manifest(repository, "1") == digest
        bad_moment("POST .*mount=")
        assert (
            mount_blob(clients.repository(fake.address, "b", credentials=finder), blob.digest, "shop/web") is None
        )
        del fake.store.blobs[layer.digest]
        fake.store.repo("shop/web").blobs.discard(layer.digest)
        for pattern in ("POST .*/uploads/$", "PATCH", "PUT .*/blobs/", "GET .*/blobs/uploads"):
            bad_moment(pattern)
        Uploader(64 << 10).upload(repository, layer, memory, SILENT.task(""))
        assert fake.store.blobs[layer.digest] == memory.blobs[layer.digest]


def test_other_refusals_are_asked_once(fake: FakeRegistry, clients: Clients) -> None:
    for status in (400, 401, 403, 404, 405, 409, 412, 418, 501):
        fake.quirks.scripts["POST"] = Script(status)
        fake.log.clear()
        with pytest.raises(AirbundleError):
            start_upload(clients.repository(fake.address))
        assert len(fake.log) == 1


def test_a_manifest_that_breaks_off_is_asked_for_again(fake: FakeRegistry, clients: Clients) -> None:
    memory = MemorySource()
    raw = memory.blobs[memory.make_image([b"x"], "a.test/a:1").tree.root.digest]
    headers = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
    half = {**headers, "Content-Length": str(len(raw)), "Connection": "close"}
    fake.quirks.scripts["GET /v2/shop/web/manifests/half"] = Script(200, raw[:50], half, uses=2)
    fake.quirks.scripts["GET"] = Script(200, raw, headers)
    assert fetch_manifest(clients.repository(fake.address), "half")[1] == raw
    assert len(fake.log) == 3


def test_a_host_without_a_name_is_asked_once(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def unknown(*arguments: object, **more: object) -> None:
        asked.append(arguments)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unreachable, match="cannot be resolved"):
        find_manifest(clients.repository("no-such-host.invalid"), "1")
    assert len(asked) == 1


def test_a_registry_that_comes_back(fake: FakeRegistry, clients: Clients) -> None:
    repository = Repository(clients.client(fake.address, policy=RetryPolicy(first_seconds=0.2)), "shop/web")
    assert find_manifest(repository, "1") is None
    fake.kill()
    timer = threading.Timer(0.7, fake.again)
    timer.start()
    assert find_manifest(repository, "1") is None
    timer.join()


def test_the_user_is_told(fake: FakeRegistry, clients: Clients) -> None:
    fake.quirks.scripts["HEAD"] = Script(503, uses=1)
    said: list[str] = []
    client = clients.client(fake.address, policy=QUICK)
    repository = Repository(client, "shop/web", retries=client.retries.with_manners(tell=said.append))
    assert find_manifest(repository, "1") is None
    assert len(said) == 1
    assert said[0].startswith(f"{fake.address}/shop/web: 1: the registry answered 503; trying again in")
