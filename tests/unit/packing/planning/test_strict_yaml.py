"""YAML that is taken, and YAML that could be meant twice."""

from __future__ import annotations

import pytest

from bundler.packing.planning.strict_yaml import parse_yaml


def test_values() -> None:
    assert parse_yaml(b"a: {b: [x, 1, true]}\n") == {"a": {"b": ["x", 1, True]}}
    assert parse_yaml(b"") is None
    assert parse_yaml(b'a: "\\U0001F600"') == {"a": "\U0001f600"}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"a: 1\na: 2\n", "stands twice"),
        (b"a: &a {b: 1}\nc: {<<: *a}\n", "merge keys"),
        (b"a: [", "expected"),
        (b"a: !!python/object:os.system {}", "constructor"),
        (b"a: 2026-13-01", "month"),
        (b'a: ["x:\\ud800"]', "surrogate"),
        (b'"\\udfff": 1', "surrogate"),
        (b"[" * 10_000, "recursion"),
    ],
)
def test_what_is_refused(raw: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_yaml(raw)
