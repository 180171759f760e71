"""Expressions: those that cannot run away are taken, all others refused, and the count of ways is a bound."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundler.errors import UsageError
from bundler.model.naming.patterns import MOST_WAYS, Substitution


@pytest.mark.parametrize(
    ("pattern", "ways"),
    [
        ("", 1), ("abc", 1), (r"docker\.io/(.*)", 1), (r"([^/]+)/([^/]+)/([^:]+):(.+)", 1), ("(?:ab){3}c", 1),
        (r"\d+\.x", 1), ("a?b", 2), ("(?:a|b|c)?d", 4), ("a|b|cd", 3), ("a{2,5}a", 4), ("(.*)x", 386),
        ("(.*)/(.*):(.*)", 386**2), ("[^/]+(?:/x)?", 770), ("([^/]+)?/x", 386), ("[^/]+|/x", 386),
        ("(?:[^/]+|x)/", 386), ("(?:x|[^/]+)/", 2), ("[^/]*/?", 772), ("(?:ab)*c", 386), ("[]a]+a", 385),
    ],
)  # fmt: skip
def test_ways_are_counted(pattern: str, ways: int) -> None:
    assert Substitution.compile(pattern, "x").ways == ways


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b", "(a|b)*c", "(a|a)+", "(a?)*", "((a*))*", "(?:a{1,2}){30}", "(.*)(.*)(.*)x", "a?" * 20, ".*" * 9,
        "(a)\\1", "(?=a)", "(?!a)", "(?<=a)", "(?i)a", "(?>a)", "(?P=a)", "(?#a)", "\\bx", "\\Ax", "\\", "a**",
        "a*+", "a+*", "*", "a|*", "(", ")", "(a", "a)", "[", "[a", "[[a]", "[a--b]", "[a&&b]", "a{386}",
        "a{9999999999999}", "a{3,1}", "$a", "a^", "(" * 30 + ")" * 30, "(?P<a>x)(?P<a>y)", "[b-a]", "[z-a]*b",
    ],
)  # fmt: skip
def test_what_could_run_away_or_says_more_than_is_taken_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="is not taken"):
        Substitution.compile(pattern, "x")


PIECES = st.sampled_from(
    [
        "a",
        "b",
        "/",
        ":",
        r"\.",
        ".",
        "[ab]",
        "[^/]",
        "(",
        "(?:",
        ")",
        "|",
        "*",
        "+",
        "?",
        "{2}",
        "{1,3}",
        r"\d",
        "^",
        "$",
    ]
)


@given(st.lists(PIECES, max_size=12).map("".join), st.text("ab/:.1", max_size=24))
def test_what_is_taken_means_what_it_means_in_python(pattern: str, text: str) -> None:
    try:
        made = Substitution.compile(pattern, r"<\g<0>>")
    except UsageError:
        return
    assert 1 <= made.ways <= MOST_WAYS
    expected = re.fullmatch(pattern, text, re.ASCII)
    assert made.apply(text) == (None if expected is None else f"<{text}>")


def test_groups() -> None:
    made = Substitution.compile(r"(a)?(?P<rest>.*)", r"\2-\1-\g<rest>-\g<0>")
    assert made.apply("ab") == "b-a-b-ab"
    assert made.apply("b") == "b--b-b"
