"""What registries say of their limits, and who waits for them."""

from __future__ import annotations

import pytest

from bundler.transports.registry.access.access import RegistryAccess
from bundler.transports.registry.manifests import find_manifest
from bundler.transports.registry.rate_limits import RateLimit, duration, parse_rate_limit
from bundler.transports.registry.retries import RateLimited
from tests.fakes.registry import FakeRegistry, Script
from tests.unit.transports.registry.clients import Clients
from tests.unit.transports.registry.test_retries import Clock, Flaky

NOW = 1_800_000_000.0
BODY = b'{"errors": [{"code": "TOOMANYREQUESTS", "message": "You have reached your pull rate limit."}]}'


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "76;w=21600"}, RateLimit(76, 100, 21600)),
        ({"RateLimit-Limit": "10, 10;w=60", "RateLimit-Remaining": "0", "RateLimit-Reset": "30"},
         RateLimit(0, 10, 60, 30.0)),
        ({"X-RateLimit-Limit": "180", "X-RateLimit-Remaining": "179", "X-RateLimit-Reset": f"{NOW + 60:.0f}"},
         RateLimit(179, 180, None, 60.0)),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "1700000000"}, RateLimit(1, None, None, 0.0)),
        ({"RateLimit-Remaining": "3"}, RateLimit(3)),
        ({"RateLimit-Limit": "100;w=21600"}, None),
        ({"RateLimit-Remaining": "many"}, None),
        ({"RateLimit-Remaining": "-1"}, None),
        ({"RateLimit-Remaining": "9" * 50}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_headers(headers: dict[str, str], found: RateLimit | None) -> None:
    assert parse_rate_limit(lambda name: headers.get(name, ""), NOW) == found


def test_in_words() -> None:
    assert str(RateLimit(76, 100, 21600)) == "76 of 100 pulls are left in a window of 6 h"
    assert str(RateLimit(0, None, None, 90.0)) == "0 pulls are left, all again in 90 s"
    assert [duration(seconds) for seconds in (0, 119, 120, 7199, 7200, 9000)] == [
        "0 s", "119 s", "2 min", "120 min", "2 h", "2.5 h"]  # fmt: skip


def limited(asked: float | None) -> RateLimited:
    return RateLimited("reg.test: 429", retry_after=asked)


def test_a_long_wait_is_not_begun_in_vain() -> None:
    clock, flaky = Clock(), Flaky(limited(3600))
    with pytest.raises(RateLimited):
        clock.retries().run(flaky)
    assert (flaky.calls, clock.waits) == (1, [])
    # A short one is waited out as any other.
    assert clock.retries().run(Flaky(limited(5))) == "done"


def test_who_wants_to_wait_waits_as_long_as_it_takes() -> None:
    clock, flaky = Clock(dice=0.0), Flaky(*[limited(21600)] * 20, *[limited(None)] * 6, limited(1e9))
    retries = clock.retries()
    retries = type(retries)(**{**vars(retries), "wait_for_rate_limit": True})
    assert retries.run(flaky) == "done"
    assert clock.waits == [21600.0] * 20 + [900.0] * 6 + [86400.0]
    assert "waiting 6 h" in clock.said[0]


def test_a_registry_says_its_limit(fake: FakeRegistry, clients: Clients) -> None:
    headers = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "99;w=21600"}
    fake.quirks.scripts["HEAD .*/manifests/"] = Script(404, b"", headers)
    repository = clients.repository(fake.address)
    find_manifest(repository, "1")
    assert repository.client.rate_limit == RateLimit(99, 100, 21600)
    assert find_manifest(repository, "1") is None


def test_the_error_says_what_to_do(fake: FakeRegistry, clients: Clients) -> None:
    headers = {"RateLimit-Limit": "100;w=21600", "RateLimit-Remaining": "0;w=21600", "Retry-After": "7200"}
    fake.quirks.scripts["/manifests/"] = Script(429, BODY, headers)
    with pytest.raises(RateLimited, match="0 of 100 pulls") as caught:
        find_manifest(clients.repository(fake.address), "1")
    assert "--wait-for-rate-limit" in caught.value.advice
    assert "in 2 h" in caught.value.advice
    assert len(fake.log) == 1


def test_a_time_to_come_back_is_a_limit_without_more_words(fake: FakeRegistry, clients: Clients) -> None:
    """Proxies count too; and a HEAD, which is what is asked first, has no words."""
    fake.quirks.scripts["/manifests/"] = Script(429, b"<html>Too Many Requests</html>", {"Retry-After": "7200"})
    with pytest.raises(RateLimited, match="429") as caught:
        find_manifest(clients.repository(fake.address), "1")
    assert "in 2 h" in caught.value.advice
    assert len(fake.log) == 1


def test_a_limit_is_waited_out(fake: FakeRegistry, clients: Clients) -> None:
    fake.quirks.scripts["/manifests/"] = Script(
        429, BODY, {"RateLimit-Remaining": "0", "Retry-After": "0"}, uses=1
    )
    access = RegistryAccess(plain_http=True, wait_for_rate_limit=True)
    assert find_manifest(clients.repository(fake.address, access=access), "1") is None
