"""Versions and ranges against the words of their specifications, written down a second time and slowly."""

from __future__ import annotations

from functools import cmp_to_key
from itertools import zip_longest

from hypothesis import assume, given
from hypothesis import strategies as st

from bundler.model.versions import Version, VersionRange

NUMBERS = st.tuples(*[st.integers(0, 3)] * 3)
IDENTIFIERS = st.sampled_from(["0", "1", "2", "10", "a", "b", "rc", "1a", "-", "-1"])
PRERELEASES = st.lists(IDENTIFIERS, max_size=3).map(tuple)
VERSIONS = st.builds(Version, NUMBERS, PRERELEASES)
RELEASES = st.builds(Version, NUMBERS)


def compared(one: Version, other: Version) -> int:
    """SemVer section 11, sentence by sentence."""
    for mine, theirs in zip(one.numbers, other.numbers, strict=True):
        if mine != theirs:
            return -1 if mine < theirs else 1
    if bool(one.prerelease) != bool(other.prerelease):
        return -1 if one.prerelease else 1
    for a, b in zip_longest(one.prerelease, other.prerelease):
        if a == b:
            continue
        if a is None or b is None:
            return -1 if a is None else 1
        if a.isdigit() and b.isdigit():
            return -1 if int(a) < int(b) else 1
        if a.isdigit() != b.isdigit():
            return -1 if a.isdigit() else 1
        return -1 if a < b else 1
    return 0


@given(st.lists(VERSIONS, max_size=8))
def test_the_order_is_that_of_the_specification(versions: list[Version]) -> None:
    ours, theirs = sorted(versions), sorted(versions, key=cmp_to_key(compared))
    assert [str(one) for one in ours] == [str(one) for one in theirs]


@given(VERSIONS)
def test_a_version_is_what_its_text_says(version: Version) -> None:
    assert Version.find(str(version)) == version == Version.find(f"v{version}")


@given(RELEASES, RELEASES)
def test_comparators(version: Version, bound: Version) -> None:
    order = compared(version, bound)
    (major, minor, _), (x, y, _) = version.numbers, bound.numbers
    same = {1: major == x, 2: (major, minor) == (x, y), 3: version == bound}
    leftmost = 1 if x else 2 if y else 3
    expected = {
        f">={bound}": order >= 0, f">{bound}": order > 0, f"<={bound}": order <= 0, f"<{bound}": order < 0,
        f"={bound}": order == 0, f"!={bound}": order != 0, f"~{bound}": order >= 0 and same[2],
        f"^{bound}": order >= 0 and same[leftmost], f"{x}.{y}": same[2], f"{x}.{y}.x": same[2], f"{x}": same[1],
        f"!={x}.{y}": not same[2], f">{x}": major > x, f"<={x}.{y}": (major, minor) <= (x, y),
    }  # fmt: skip
    for text, holds in expected.items():
        assert VersionRange.parse(text).holds(version) == holds, text


@given(VERSIONS, VERSIONS, st.sampled_from([">=", ">", "<=", "<", "^", "~"]))
def test_prereleases_only_where_they_are_named(version: Version, bound: Version, operator: str) -> None:
    assume(version.prerelease)
    if VersionRange.parse(f"{operator}{bound}").holds(version):
        assert bound.prerelease
        assert bound.numbers == version.numbers


@given(VERSIONS, VERSIONS, VERSIONS)
def test_spaces_mean_and_bars_mean_or(version: Version, one: Version, other: Version) -> None:
    assume(not version.prerelease)
    left, right = VersionRange.parse(f">={one}"), VersionRange.parse(f"<{other}")
    both, any_of = VersionRange.parse(f">={one} <{other}"), VersionRange.parse(f">={one} || <{other}")
    assert both.holds(version) == (left.holds(version) and right.holds(version))
    assert any_of.holds(version) == (left.holds(version) or right.holds(version))
