from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.transports.registry.challenges import Challenge, parse_challenges


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (['Basic realm="x"'], [("basic", {"realm": "x"})]),
        (["BASIC realm=x"], [("basic", {"realm": "x"})]),
        (
            ['Bearer realm="https://a.test/t?x=1",service="s",scope="repository:a/b:pull,push"'],
            [("bearer", {"realm": "https://a.test/t?x=1", "service": "s", "scope": "repository:a/b:pull,push"})],
        ),
        (
            ['Negotiate, Basic realm="a, \\"b\\"", Bearer Realm = "c"'],
            [("negotiate", {}), ("basic", {"realm": 'a, "b"'}), ("bearer", {"realm": "c"})],
        ),
        (['Basic realm="a"', 'Bearer realm="b"'], [("basic", {"realm": "a"}), ("bearer", {"realm": "b"})]),
        (['realm="nobody asked"'], []),
        (['Bearer realm="a",realm="b"'], [("bearer", {"realm": "a"})]),
        ([], []),
    ],
)
def test_challenges_are_read_as_they_occur_in_the_field(
    headers: list[str], expected: list[tuple[str, dict[str, str]]]
) -> None:
    assert parse_challenges(headers) == [Challenge(*pair) for pair in expected]


@given(st.lists(st.text(max_size=200), max_size=3))
def test_any_header_is_survived(headers: list[str]) -> None:
    for challenge in parse_challenges(headers):
        assert challenge.scheme == challenge.scheme.lower()


def test_a_huge_header_is_read_in_bounded_time() -> None:
    assert len(parse_challenges(["a " * 1_000_000])) <= 8 << 10
    assert parse_challenges(["a" * 1_000_000]) == [Challenge("a" * (8 << 10), {})]
