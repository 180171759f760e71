"""Versions and ranges: the examples of SemVer, and of what npm and Masterminds/semver say of ranges."""

from __future__ import annotations

import pytest

from bundler.errors import UsageError
from bundler.model.versions import Version, VersionRange

#: SemVer section 11, and numbers that are not in the order of their text.
ORDER = [
    "0.0.0-0", "0.0.0", "0.9.0", "0.10.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta",
    "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0", "2.0.0",
]  # fmt: skip


def version(text: str) -> Version:
    found = Version.find(text)
    assert found is not None, text
    return found


def test_the_order() -> None:
    assert [str(one) for one in sorted(map(version, reversed(ORDER)))] == ORDER


@pytest.mark.parametrize("text", ["1.2.3", "0.0.0", "1.2.3-rc.1", "1.2.3-0a", "1.2.3--", "10.20.30-a.0.b"])
def test_a_version_is_found_with_and_without_v(text: str) -> None:
    assert str(version(text)) == text
    assert version(f"v{text}") == version(text) == version(f"{text}+build.007")


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.2", "latest", "1.2.3.4", "01.2.3", "1.2.3-01", "1.2.3-", "V1.2.3", "1.2.3_4", " 1.2.3", "1.2.3\n",
     "1.2.\u0663", "1.2." + "9" * 19, "1.2.3-" + "a" * 2000],
)  # fmt: skip
def test_what_is_no_version(text: str) -> None:
    assert Version.find(text) is None


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        (">=1.4 <2", "1.4.0 1.99.0", "1.3.9 2.0.0 1.4.0-rc.1 2.0.0-rc.1 1.5.0-rc.1"),
        (">=1.4, <2", "1.4.0 1.99.0", "1.3.9 2.0.0"),
        ("1.4", "1.4.0 1.4.9", "1.3.9 1.5.0"),
        ("=1.4.2", "1.4.2 v1.4.2", "1.4.1 1.4.3 1.4.2-rc.1"),
        ("1.x", "1.0.0 1.9.0", "0.9.0 2.0.0"),
        ("1.4.* || 3.X", "1.4.7 3.5.0", "1.5.0 2.0.0 4.0.0"),
        ("*", "0.0.0 9.9.9", "1.0.0-rc.1"),
        ("^1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0 2.0.0-rc.1"),
        ("^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0"),
        ("^0.0.3", "0.0.3", "0.0.2 0.0.4"),
        ("^0.0", "0.0.0 0.0.9", "0.1.0"),
        ("^0", "0.0.0 0.9.0", "1.0.0"),
        ("^1.x", "1.0.0 1.9.0", "0.9.9 2.0.0"),
        ("~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"),
        ("~1", "1.0.0 1.9.0", "2.0.0"),
        ("~> 1.4", "1.4.0 1.4.9", "1.5.0"),
        (">1.4", "1.5.0 2.0.0", "1.4.0 1.4.9"),
        (">1.4.2", "1.4.3", "1.4.2"),
        ("<=1.4", "1.4.9 0.0.0", "1.5.0"),
        ("<=1.4.2", "1.4.2", "1.4.3"),
        ("< 2", "1.9.9", "2.0.0 2.0.0-rc.1"),
        (">=1 !=1.4.3", "1.4.2 1.4.4", "1.4.3 0.9.0"),
        (">=1 !=1.4", "1.3.9 1.5.0", "1.4.0 1.4.9"),
        ("1.2 - 1.4", "1.2.0 1.4.9", "1.1.9 1.5.0"),
        ("1.2.3 - 2.3.4", "1.2.3 2.3.4", "1.2.2 2.3.5"),
        # Prereleases only where one of the same three numbers is named.
        (">=1.4.0-rc.1 <2", "1.4.0-rc.1 1.4.0-rc.2 1.4.0", "1.4.0-beta 1.5.0-rc.1"),
        ("^1.2.3-beta.2", "1.2.3-beta.4 1.2.3 1.9.0", "1.2.3-beta.1 1.2.4-beta.2"),
        ("1.5.0-rc.1", "1.5.0-rc.1", "1.5.0 1.5.0-rc.2"),
        (">*", "", "0.0.0 9.9.9"),
        ("<0.0.0", "", "0.0.0"),
        ("v1.4.x", "1.4.0 v1.4.1", "1.5.0"),
    ],
)  # fmt: skip
def test_ranges(text: str, inside: str, outside: str) -> None:
    found = VersionRange.parse(text)
    assert str(found) == text
    for one in inside.split():
        assert found.holds(version(one)), one
    for one in outside.split():
        assert not found.holds(version(one)), one


@pytest.mark.parametrize(
    "text",
    ["", "  ", "||", "1 ||", "latest", ">=", ">>1", "1.2.3.4", "=>1", "1.2 -", "- 1.2", "1..2", "a1", "1.4;2",
     "!1", "^^1", "01.2", ">=1.4<2", "1.2.3-", "9" * 30, "1 " * 600, "1.\u0663"],
)  # fmt: skip
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        VersionRange.parse(text)
    assert len(str(caught.value)) < 400
