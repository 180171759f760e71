"""The names that engines before 25 give to layers, compared with those that a real one gave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bundler.content.hashing import sha256
from bundler.model.digest import Digest
from bundler.transports.engine.v1_ids import v1_ids

_UTC = "1970-01-01T00:00:00Z"
#: Images of an engine 20.10.24: built, imported, committed, and loaded with configs made by hand.
_REAL: list[dict[str, Any]] = json.loads(Path(__file__).with_name("v1_ids_20_10.json").read_text())
_LAYER = sha256(b"layer")


def diff_ids_of(image: dict[str, Any]) -> list[Digest]:
    return [Digest(text) for text in json.loads(image["config"])["rootfs"]["diff_ids"]]


@pytest.mark.parametrize("image", _REAL, ids=lambda image: image["name"])
def test_a_real_engine_gave_the_same(image: dict[str, Any]) -> None:
    assert v1_ids(diff_ids_of(image), _UTC, image["config"].encode()) == image["v1_ids"]


@pytest.mark.parametrize("image", _REAL, ids=lambda image: image["name"])
def test_without_the_config_all_but_the_top_layer_are_known(image: dict[str, Any]) -> None:
    assert v1_ids(diff_ids_of(image), _UTC) == [*image["v1_ids"][:-1], None]


def test_another_time_zone_gives_other_names() -> None:
    image = next(image for image in _REAL if len(image["v1_ids"]) > 2)
    ids = v1_ids(diff_ids_of(image), "1970-01-01T09:00:00+09:00", image["config"].encode())
    assert not set(ids) & set(image["v1_ids"])


def test_no_layers_have_no_names() -> None:
    assert v1_ids([], _UTC, b"{}") == []


def top(config: str) -> str | None:
    (found,) = v1_ids([_LAYER], _UTC, config.encode("utf-8", "surrogatepass"))
    return found


@pytest.mark.parametrize(
    "config",
    [
        "no JSON",
        "[]",
        '{"Architecture":"amd64"}',  # Go takes it for architecture
        '{"config":{"labels":{}}}',
        '{"config":{"Healthcheck":{"test":[]}}}',
        '{"\u212aey":1}',
        '{"config":[]}',
        '{"config":{"Env":"A=1"}}',
        '{"config":{"Cmd":"a"}}',
        '{"config":{"Env":[1]}}',
        '{"config":{"Labels":["a"]}}',
        '{"config":{"Volumes":{"/a":1}}}',
        '{"config":{"Tty":1}}',
        '{"config":{"Tty":"true"}}',
        '{"config":{"User":7}}',
        '{"config":{"StopTimeout":1.0}}',
        '{"config":{"StopTimeout":true}}',
        '{"config":{"StopTimeout":9223372036854775808}}',
        '{"author":"\\ud800"}',
        '{"author":"a","author":"b"}',
        '{"created":"yesterday"}',
        '{"created":"2021-02-30T00:00:00Z"}',
        '{"created":"2021-02-03T00:00:60Z"}',
        '{"created":"2021-02-03T00:00:00.1234567891Z"}',
        '{"created":"2021-02-03T00:00:00+24:00"}',
        '{"created":"2021-02-03T00:00:00"}',
        '{"created":1}',
        '{"Size":"1"}',
    ],
)
def test_what_is_not_beyond_doubt_gives_no_name(config: str) -> None:
    assert top(config) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{}", '{"architecture":"","created":null,"config":null,"container_config":null,"Size":0}'),
        ("{}", '{"history":[],"rootfs":{},"os.version":"1","something":[1.5],"id":"x","parent":"y"}'),
        ('{"created":"2021-02-03T00:00:00.10Z"}', '{"created":"2021-02-03T00:00:00.1+00:00"}'),
        (
            '{"config":{}}',
            '{"config":{"Env":null,"Shell":[],"ExposedPorts":{},"MacAddress":"","Healthcheck":null}}',
        ),
        ('{"config":{"Labels":{"b":"1","a":null}}}', '{"config":{"Labels":{"a":"","b":"1"}}}'),
        ('{"config":{"Healthcheck":{}}}', '{"config":{"Healthcheck":{"Test":[],"Retries":0,"StartInterval":5}}}'),
        ('{"author":"<"}', '{"author":"\\u003c"}'),
    ],
)
def test_what_the_engine_reads_as_the_same(one: str, other: str) -> None:
    assert top(one) == top(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{}", '{"config":{}}'),
        ('{"config":{"Env":null}}', '{"config":{"Env":[]}}'),
        ('{"config":{"Labels":{}}}', '{"config":{}}'),
        ('{"config":{"StopTimeout":0}}', '{"config":{}}'),
        ('{"config":{"Healthcheck":{}}}', '{"config":{}}'),
        ('{"variant":"v7"}', "{}"),
    ],
)
def test_what_it_does_not(one: str, other: str) -> None:
    assert top(one) != top(other)
