"""Which tag a range or a pattern chooses."""

from __future__ import annotations

import pytest

from bundler.errors import ConfigError, NotFound, UsageError
from bundler.packing.planning.image_entry import ImageEntry, check_entry
from bundler.packing.planning.tag_choice import choose_tag, takes

TAGS = [
    "latest", "1.4", "v1", "1.3.9", "1.4.0", "1.4.10", "1.4.9", "v1.5.0", "2.0.0-rc.1", "1.5.0-rc.1",
    "1.4.9-alpine", "1.4.10-alpine", "1-alpine", "edge-alpine", "nightly",
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "tag"),
    [
        ({"version": ">=1.4 <2"}, "v1.5.0"),
        ({"version": "~1.4"}, "1.4.10"),
        ({"version": ">=2.0.0-rc.0"}, "2.0.0-rc.1"),
        ({"tags": "*-alpine"}, "1.4.10-alpine"),
        ({"tags": "1.4.?-alpine"}, "1.4.9-alpine"),
        ({"tags": "v*"}, "v1.5.0"),
        ({"tags": "*"}, "v1.5.0"),
        ({"tags": "*-rc.?"}, "2.0.0-rc.1"),
        ({"tags": "night*"}, "nightly"),
        ({"tags": "1.4"}, "1.4"),
    ],
)
def test_the_newest_is_chosen(rule: dict[str, str], tag: str) -> None:
    assert choose_tag(ImageEntry(image="reg.test/app", **rule), TAGS) == tag  # type: ignore[arg-type]
    assert choose_tag(ImageEntry(image="reg.test/app", **rule), reversed(TAGS)) == tag  # type: ignore[arg-type]


def test_of_one_version_in_two_spellings_the_one_without_v() -> None:
    assert choose_tag(ImageEntry(image="a", version="1"), ["v1.4.2", "1.4.2", "1.4.1"]) == "1.4.2"


@pytest.mark.parametrize(
    ("pattern", "tags", "newest"),
    [
        ("16.*-alpine", ["16.9-alpine", "16.10-alpine", "16.1-alpine", "15.2-alpine"], "16.10-alpine"),
        ("*", ["20260301", "20261101", "20260228"], "20261101"),
        ("v*", ["v1", "v1.2", "v1.2.3.4"], "v1.2.3.4"),
        ("*", ["22.04", "24.04"], "24.04"),
    ],
)
def test_tags_that_differ_only_in_their_numbers_have_an_order(pattern: str, tags: list[str], newest: str) -> None:
    assert choose_tag(ImageEntry(image="a", tags=pattern), tags) == newest
    assert choose_tag(ImageEntry(image="a", tags=pattern), tags[::-1]) == newest


@pytest.mark.parametrize(
    "tags",
    [["16.1-alpine", "16.2-debian"], ["v1", "2"], ["1.1", "1.01"], ["1", "edge"], ["1.2-rc1", "1.2-rc2"]],
)
def test_tags_without_an_order(tags: list[str]) -> None:
    with pytest.raises(ConfigError, match="2 tags fit, and none of them is a version"):
        choose_tag(ImageEntry(image="a", tags="*"), tags)


def test_none_and_too_many() -> None:
    with pytest.raises(NotFound, match=r"no tag for version >=3"):
        choose_tag(ImageEntry(image="a", version=">=3"), TAGS)
    with pytest.raises(ConfigError, match=r"2 tags fit, and none of them is a version: edge-alpine, nightly"):
        choose_tag(ImageEntry(image="a", tags="*g*"), ["edge-alpine", "nightly"])


def test_a_pattern_of_stars_ends_soon() -> None:
    is_taken = takes(ImageEntry(image="a", tags="*a" * 60 + "b"))
    assert not is_taken("a" * 128)
    assert is_taken("a" * 127 + "b")


@pytest.mark.parametrize(
    "entry",
    [
        ImageEntry(image="a", version="1", tags="*"),
        ImageEntry(image="a", tags=""),
        ImageEntry(image="a", version="x y"),
        ImageEntry(image="a", tags="a\n"),
        ImageEntry(image="a", smoke=("",)),
        ImageEntry(image="a", smoke=("a", "\0")),
        ImageEntry(image="a", smoke=("a",) * 101),
        ImageEntry(image="a", smoke=("a" * 5000,)),
    ],
)
def test_what_contradicts_itself(entry: ImageEntry) -> None:
    with pytest.raises(UsageError):
        check_entry(entry)
