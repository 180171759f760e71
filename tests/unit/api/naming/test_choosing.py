"""Whose rules count, and in which order."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.api.naming.choosing import NamingWishes, choose_naming
from bundler.errors import NotFound, UsageError
from bundler.model.naming.naming import Naming
from bundler.model.naming.rules import RenameRule

OF_BUNDLE = (RenameRule(prefix="a", to="bundle"),)
FILE = b"""
rename:
  - {regex: 'a/(.*)', to: 'file/\\1'}
  - table: names.txt
keep_registry_name: true
"""


@pytest.fixture
def names(tmp_path: Path) -> Path:
    (tmp_path / "names.txt").write_text("a/b row\n")
    (tmp_path / "names.yaml").write_bytes(FILE)
    return tmp_path / "names.yaml"


def order(naming: Naming) -> list[str]:
    return [rule.to for rule in naming.rules]


def test_the_rules_of_the_bundle_count_where_there_are_no_others(names: Path) -> None:
    assert choose_naming(NamingWishes(), OF_BUNDLE).rules is OF_BUNDLE
    assert choose_naming(NamingWishes(flatten=True), OF_BUNDLE) == Naming(OF_BUNDLE, flatten=True)
    assert choose_naming(NamingWishes(use_bundle=False), OF_BUNDLE) == Naming()
    assert order(choose_naming(NamingWishes(prefixes=["a=own"]), OF_BUNDLE)) == ["own"]
    assert order(choose_naming(NamingWishes(file=names), OF_BUNDLE)) == [r"file/\1", "row"]
    names.write_bytes(b"rename: []")
    assert choose_naming(NamingWishes(file=names), OF_BUNDLE) == Naming()


def test_the_order_of_kinds(names: Path) -> None:
    wishes = NamingWishes(
        prefixes=["a=p1", "b="],
        regexes=["a{1}=r"],
        tables=[names.with_name("names.txt")],
        file=names,
        flatten=True,
    )
    chosen = choose_naming(wishes, OF_BUNDLE)
    assert order(chosen) == ["row", "r", "p1", "", r"file/\1", "row"]
    assert (chosen.keep_registry, chosen.flatten) == (True, True)


@pytest.mark.parametrize(
    "wishes",
    [
        NamingWishes(prefixes=["a"]), NamingWishes(prefixes=["=a"]), NamingWishes(prefixes=["a=B"]),
        NamingWishes(regexes=["=a"]), NamingWishes(regexes=["(=a"]), NamingWishes(prefixes=["a\n=b"]),
        NamingWishes(tag_untagged="same"),
    ],
)  # fmt: skip
def test_what_is_refused(wishes: NamingWishes) -> None:
    with pytest.raises(UsageError):
        choose_naming(wishes)


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("rename: [{prefix: a}]\n")
    with pytest.raises(UsageError, match="entry 1"):
        choose_naming(NamingWishes(file=tmp_path / "x"))
    (tmp_path / "x").write_text("renames: []\n")
    with pytest.raises(UsageError, match="renames"):
        choose_naming(NamingWishes(file=tmp_path / "x"))
    (tmp_path / "x").write_text("rename: [{table: absent}]\n")
    with pytest.raises(NotFound, match="absent"):
        choose_naming(NamingWishes(file=tmp_path / "x"))
    with pytest.raises(NotFound):
        choose_naming(NamingWishes(tables=[tmp_path / "absent"]))


def test_a_bundle_with_rules_that_are_not_taken_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="the bundle brings") as caught:
        choose_naming(NamingWishes(), (RenameRule(regex="(a+)+b", to="x"),))
    assert "--no-rename" in caught.value.advice
