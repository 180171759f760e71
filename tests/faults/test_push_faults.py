"""Pushes through everything that breaks: each ends right, and what was sent twice is counted and bounded.

Of a registry that keeps what a cut piece brought, or has a proxy before it that takes pieces whole, a failure
costs at most a piece of each upload that is open. Distribution 2.8 alone loses the whole upload then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from bundler.bundle.reader import Bundle, open_bundle
from bundler.destinations.registry import RegistryDestination
from bundler.errors import Unreachable
from bundler.packing.planning.options import PackOptions
from bundler.transports.registry.retries import RetryPolicy
from tests.builders import layer, pack_images
from tests.fakes.memory import CountingTask, MemorySource
from tests.fakes.registry import FakeRegistry
from tests.faults.pushes import LAYER, MIB, check_pushed, make_bundle, unique_bytes
from tests.registry_access import PLAIN_HTTP
from tests.requirements import require, why_no_program
from tests.servers import nginx
from tests.servers.fault_proxy import TOO_LARGE, Cut, Fault, FaultProxy, ForgetUpload, LoseAnswer, Reply
from tests.servers.nginx import Nginx
from tests.servers.registry import PROGRAM, RealRegistry

PIECE, JOBS = MIB // 2, 3
#: A registry needs a second to be back.
PATIENT = RetryPolicy(first_seconds=0.4, longest_seconds=1.5, longest_asked_seconds=1.0)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("push") / "bundle")


@dataclass
class Cost:
    """What a push cost, by the destination's own count."""

    sent: int
    again: int
    skipped: int


class Trigger(CountingTask):
    """Does something once so many bytes were sent, in the middle of sending."""

    def __init__(self, at: int, action: Callable[[], None]) -> None:
        super().__init__()
        self._at = at
        self._action: Callable[[], None] | None = action
        self._once = threading.Lock()

    def advance(self, count: int) -> None:
        super().advance(count)
        with self._once:
            action, self._action = (self._action, None) if self.done >= self._at else (None, self._action)
        if action is not None:
            action()


def push(
    bundle: Bundle,
    address: str,
    task: CountingTask | None = None,
    state: Path | None = None,
    *,
    piece: int | None = PIECE,
) -> Cost:
    """Push all images of the bundle."""
    destination = RegistryDestination(
        address,
        PLAIN_HTTP,
        jobs=JOBS,
        piece_bytes=piece,
        state_directory=state,
        retries=PATIENT,
    )
    try:
        results = [
            destination.put(bundle.outgoing(image), bundle, task or CountingTask()) for _, image in bundle.images()
        ]
    finally:
        destination.finish()
    return Cost(*(sum(getattr(result, name) for result in results)
                  for name in ("bytes_sent", "bytes_sent_again", "bytes_skipped")))  # fmt: skip


@pytest.fixture(params=["keeps", "loses"])
def fake(request: pytest.FixtureRequest) -> Iterator[FakeRegistry]:
    """A registry that behaves as distribution 3, and one as 2.8."""
    with FakeRegistry() as running:
        running.quirks.keeps_cut = request.param == "keeps"
        yield running


def bound(fake: FakeRegistry, failures: int) -> int:
    """Return how many bytes may be sent again after so many failures that each hit one upload."""
    return failures * (PIECE if fake.quirks.keeps_cut else LAYER + 2 * MIB)


# -- a proxy that does what proxies and networks do ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "requests"),
    [
        (Cut(200_000), "PATCH"),
        (Cut(0), "PATCH"),
        (LoseAnswer(), "PATCH"),
        (LoseAnswer(), "PUT .*/blobs/"),
        (LoseAnswer(), "POST|HEAD|GET|PUT .*/manifests/"),
        (Reply(429, b"slow", {"Retry-After": "0"}), "."),
        (Reply(429, b"slow", {"Retry-After": "0"}, unread=True), "PATCH"),
        (Reply(500, b"<html>"), "."),
        (Reply(503, b"", {"Retry-After": "Fri, 06 Nov 2020 12:00:00 GMT"}), "PATCH|PUT"),
        (TOO_LARGE, "PATCH"),
    ],
    ids=[
        "cut",
        "cut at once",
        "answer lost",
        "last answer lost",
        "any answer lost",
        "429",
        "429 unread",
        "500",
        "503 with a date",
        "413",
    ],
)
def test_a_push_ends_right_whatever_a_proxy_does(
    bundle: Bundle, fake: FakeRegistry, fault: Fault, requests: str
) -> None:
    with FaultProxy(fake.address) as proxy:
        # Whoever loses an upload with its first piece may be sent whole blobs from then on: few pieces follow.
        for skip in (0, 2, 2)[: 2 if fault is TOO_LARGE else 3]:
            proxy.plan(requests, fault, skip=skip)
        cost = push(bundle, proxy.address)
        assert proxy.left == 0
    check_pushed(bundle, fake.address)
    assert cost.sent - cost.again == unique_bytes(bundle)
    assert cost.again <= bound(fake, 3)
    # Running again does nothing.
    assert push(bundle, fake.address).sent == 0


def test_uploads_that_are_forgotten(bundle: Bundle, fake: FakeRegistry) -> None:
    with FaultProxy(fake.address) as proxy:
        for skip in (3, 9):
            proxy.plan("PATCH", ForgetUpload(fake), skip=skip)
        cost = push(bundle, proxy.address)
        assert proxy.left == 0
    check_pushed(bundle, fake.address)
    assert cost.again <= 2 * JOBS * (LAYER + PIECE)


def test_connections_that_break_again_and_again(bundle: Bundle, fake: FakeRegistry) -> None:
    """After every 700 KB, where pieces have 512 KiB; what the registry lost goes in smaller ones."""
    with FaultProxy(fake.address) as proxy:
        proxy.cut_every = 700_000
        cost = push(bundle, proxy.address)
        broken = unique_bytes(bundle) // 700_000
    check_pushed(bundle, fake.address)
    if fake.quirks.keeps_cut:
        assert cost.again <= broken * PIECE


def test_a_page_that_says_413(bundle: Bundle, fake: FakeRegistry) -> None:
    with FaultProxy(fake.address) as proxy:
        proxy.largest = 100_000
        push(bundle, proxy.address)
    check_pushed(bundle, fake.address)
    assert len(fake.requests("POST", "uploads")) <= 8


def test_one_image_that_fails_leaves_the_next_run_the_rest(bundle: Bundle, tmp_path: Path) -> None:
    with FakeRegistry() as fake, FaultProxy(fake.address) as proxy:
        fake.quirks.keeps_cut = True
        proxy.plan("PATCH", Cut(1000), skip=8, times=10_000)
        with pytest.raises(Unreachable):
            push(bundle, proxy.address, state=tmp_path)
        arrived = sum(map(len, fake.store.uploads.values())) + sum(map(len, fake.store.blobs.values()))
        assert arrived > 2 * MIB
        proxy.plans.clear()
        cost = push(bundle, proxy.address, state=tmp_path)
        assert cost.sent <= unique_bytes(bundle) - arrived
        assert list(tmp_path.iterdir()) == []
        check_pushed(bundle, fake.address)


# -- registries that are killed -----------------------------------------------------------------------------------


def restart(kill: Callable[[], None], again: Callable[[], None]) -> None:
    kill()
    threading.Timer(0.6, again).start()


def test_a_registry_that_keeps_uploads_is_killed(bundle: Bundle, fake: FakeRegistry) -> None:
    cost = push(bundle, fake.address, Trigger(4 * MIB, partial(restart, fake.kill, fake.again)))
    check_pushed(bundle, fake.address)
    assert cost.again <= bound(fake, JOBS)


@pytest.mark.registry
@pytest.mark.parametrize("secret", [None, "the same after a restart"])
def test_distribution_is_killed(bundle: Bundle, secret: str | None) -> None:
    require(why_no_program(PROGRAM))
    with RealRegistry(secret=secret) as real:
        cost = push(bundle, real.address, Trigger(4 * MIB, partial(restart, real.kill, real.again)))
        check_pushed(bundle, real.address)
    assert cost.sent - cost.again == unique_bytes(bundle)
    # The uploads that were open; it keeps none of whose piece it was in the middle.
    assert cost.again <= JOBS * (LAYER + MIB)


@pytest.mark.registry
def test_distribution_is_killed_behind_nginx(bundle: Bundle) -> None:
    require(why_no_program(PROGRAM, nginx.PROGRAM))
    with RealRegistry(secret="s") as real, Nginx(real.address) as front:
        cost = push(bundle, front.address, Trigger(4 * MIB, partial(restart, real.kill, real.again)))
        check_pushed(bundle, real.address)
    assert cost.again <= JOBS * (LAYER + MIB)


@pytest.mark.registry
def test_behind_nginx_a_cut_costs_a_piece_also_with_distribution_2(bundle: Bundle) -> None:
    """The piece never reaches the registry, which therefore loses nothing."""
    require(why_no_program(PROGRAM, nginx.PROGRAM))
    with RealRegistry() as real, Nginx(real.address) as front, FaultProxy(front.address) as proxy:
        for skip in (1, 5, 10):
            proxy.plan("PATCH", Cut(PIECE // 2), skip=skip)
        cost = push(bundle, proxy.address)
        assert proxy.left == 0
        check_pushed(bundle, real.address)
    assert cost.again <= 3 * PIECE


@pytest.mark.registry
def test_nginx_with_its_default_limit(bundle: Bundle) -> None:
    require(why_no_program(PROGRAM, nginx.PROGRAM))
    with RealRegistry() as real, Nginx(real.address, largest="200k") as front:
        cost = push(bundle, front.address)
        check_pushed(bundle, real.address)
    assert cost.sent - cost.again == unique_bytes(bundle)


# -- networks that cut, and networks that lose answers, before a registry that then loses the upload --------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Three layers of more than a piece of the usual size."""
    source, directory = MemorySource(), tmp_path_factory.mktemp("large") / "bundle"
    image = source.make_image(
        [layer(str(number), 20 * MIB) for number in range(3)], "x.test/large:1", compression="none"
    )
    pack_images(directory, source, {"large": [image]}, PackOptions(workers=1))
    return open_bundle(directory)


@pytest.mark.registry
@pytest.mark.parametrize("piece", [None, MIB], ids=["default", "1MiB"])
@pytest.mark.parametrize("share", [1.0, 0.25], ids=["every request", "some requests"])
def test_a_network_that_cuts_requests_before_distribution_2(
    large: Bundle, piece: int | None, share: float
) -> None:
    """Pieces become smaller than what passes, and stay so: a few are cut, not all that was sent."""
    require(why_no_program(PROGRAM))
    total = unique_bytes(large)
    with RealRegistry(secret="s") as real, FaultProxy(real.address) as proxy:
        proxy.plan("PATCH|PUT", Cut(300_000), times=100_000, share=share)
        cost = push(large, proxy.address, piece=piece)
        check_pushed(large, real.address)
        assert proxy.upload_bytes <= 2 * total
    assert cost.sent - cost.again == total
    assert cost.again <= total


@pytest.mark.registry
@pytest.mark.parametrize("piece", [None, 2 * MIB, MIB // 8], ids=["default", "2MiB", "128KiB"])
def test_a_network_that_loses_answers_before_distribution_2(large: Bundle, piece: int | None) -> None:
    """Its uploads are lost with an answer: blobs have to go in fewer requests."""
    require(why_no_program(PROGRAM))
    total = unique_bytes(large)
    with RealRegistry(secret="s") as real, FaultProxy(real.address) as proxy:
        proxy.plan(".", LoseAnswer(), times=100_000, share=0.2)
        cost = push(large, proxy.address, piece=piece)
        check_pushed(large, real.address)
    assert cost.sent - cost.again == total
    assert cost.again <= 2 * total
