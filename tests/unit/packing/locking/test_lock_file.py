"""The lock: canonical when written, strict when read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bundler.errors import ConfigError
from bundler.model.digest import Digest
from bundler.model.limits import DEFAULT_LIMITS
from bundler.packing.locking.comparison import changes_between, with_times_of
from bundler.packing.locking.lock_file import Lock, LockedImage, LockEntry, parse_lock, write_lock

ONE, TWO = (Digest("sha256:" + digit * 64) for digit in "12")


def entry(image: str = "docker://reg.test/app", digest: Digest | None = ONE, **changes: Any) -> LockEntry:
    locked = LockedImage(reference="reg.test/app:1.4.9", digest=digest, platforms=("linux/amd64",))
    values = {
        "application": "shop", "image": image, "version": ">=1.4 <2", "source": "registry", "where": "reg.test",
        "resolved": "2026-11-30T10:00:00Z", "images": (locked,),
    }  # fmt: skip
    return LockEntry(**{**values, **changes})


LOCK = Lock.of([entry(), entry("docker://reg.test/app", application="erp", version=None, tags="*")])


def changed(**changes: object) -> bytes:
    """Return a lock whose first entry is otherwise; ``None`` removes a key."""
    value = json.loads(write_lock(LOCK))
    value["images"][0] = {key: said for key, said in {**value["images"][0], **changes}.items() if said is not None}
    return json.dumps(value).encode()


def test_what_is_written_is_read() -> None:
    raw = write_lock(LOCK)
    assert parse_lock(raw, "lock") == LOCK
    assert write_lock(parse_lock(raw, "lock")) == raw
    assert [one.application for one in LOCK.entries] == ["erp", "shop"]
    assert raw.endswith(b"}\n")


@pytest.mark.parametrize(
    "changes", [{"where": "a\udcff.tar"}, {"where": "a\x1b.tar"}, {"image": "docker-archive:" + "x" * 5000}]
)
def test_what_nobody_could_read_is_not_written(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="no lock can hold this"):
        write_lock(Lock.of([entry(**changes)]))


def test_a_lock_beyond_the_bounds_is_not_written() -> None:
    with pytest.raises(ConfigError, match="config_bytes"):
        write_lock(LOCK, replace(DEFAULT_LIMITS, config_bytes=100))


def test_other_formats_are_said() -> None:
    with pytest.raises(ConfigError, match="this release reads v1") as caught:
        parse_lock(b'{"mediaType": "application/vnd.airbundle.lock.v2+json"}', "lock")
    assert "newer" in caught.value.advice
    with pytest.raises(ConfigError, match="does not say that it is a lock"):
        parse_lock(b"{}", "lock")


_IMAGE = {"reference": "reg.test/app:1", "digest": ONE}


@pytest.mark.parametrize(
    "changes",
    [
        {"images": []}, {"images": None}, {"source": "elsewhere"}, {"resolved": "yesterday"}, {"more": 1},
        {"resolved": "2026-11-30T10:00:00+02:00"}, {"where": "a\nb"}, {"image": "x" * 5000}, {"version": 3},
        {"images": [{**_IMAGE, "reference": "app:1"}]}, {"images": [{**_IMAGE, "reference": "reg.test/App:1"}]},
        {"images": [{**_IMAGE, "image_id": TWO}]}, {"images": [{"reference": "reg.test/app:1"}]},
        {"images": [{**_IMAGE, "digest": "sha256:1"}]}, {"images": [{**_IMAGE, "platforms": ["linux"]}]},
        {"images": [{**_IMAGE, "platforms": ["linux/x86_64"]}]}, {"images": [_IMAGE, _IMAGE]},
        {"application": "shop", "version": ">=1.4 <2", "tags": None},
    ],
)  # fmt: skip
def test_what_a_lock_cannot_mean(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_lock(changed(**changes), "lock")
    assert len(str(caught.value)) < 1000


def test_changes_are_named() -> None:
    now = Lock.of([entry(digest=TWO), entry("docker://reg.test/new", version=None)])
    kinds = {(change.kind, change.title) for change in changes_between(LOCK, now)}
    assert kinds == {
        ("removed", "docker://reg.test/app (tags *) in the application erp"),
        ("added", "docker://reg.test/new in the application shop"),
        ("changed", "docker://reg.test/app (version >=1.4 <2) in the application shop"),
    }
    (details,) = (change.details for change in changes_between(LOCK, now) if change.kind == "changed")
    assert details == (f"- reg.test/app:1.4.9 {ONE} linux/amd64", f"+ reg.test/app:1.4.9 {TWO} linux/amd64")


def test_what_stays_the_same_keeps_its_time() -> None:
    later: dict[str, Any] = {"resolved": "2027-01-01T00:00:00Z"}
    now = with_times_of(Lock.of([entry(**later), entry("b", digest=TWO, **later)]), LOCK)
    assert [one.resolved[:4] for one in now.entries] == ["2027", "2026"]
    assert changes_between(Lock.of([entry(**later)]), Lock.of([entry()])) == ()
    moved = changes_between(Lock.of([entry()]), Lock.of([entry(where="mirror.test")]))
    assert moved[0].details == ("from registry mirror.test, before from registry reg.test",)
