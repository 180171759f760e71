"""Which rule matches, what it makes of a name, and what is no rule."""

from __future__ import annotations

import pytest

from bundler.errors import ConfigError, UsageError
from bundler.model.naming import rules
from bundler.model.naming.items import RenameItem, rules_of
from bundler.model.naming.naming import Naming
from bundler.model.naming.rules import Renamer, RenameRule
from bundler.model.naming.table import parse_table
from bundler.model.reference import Reference

HEX = "0123456789abcdef" * 4
PINNED = f"@sha256:{HEX}"


def renamed(old: str, *given: RenameRule) -> str:
    return str(Naming(given).target("far.test", Reference.parse(old))).removeprefix("far.test/")


@pytest.mark.parametrize(
    ("prefix", "to", "old", "new"),
    [
        ("docker.io/library", "plant/base", "nginx:1.25", "plant/base/nginx:1.25"),
        ("docker.io/library/", "plant/base", "nginx:1.25", "plant/base/nginx:1.25"),
        ("library", "plant", "nginx", "plant/nginx:latest"),
        ("nginx", "web/server", "nginx:1", "web/server:1"),
        ("bitnami", "", "bitnami/redis:7", "redis:7"),
        ("docker.io", "hub", "bitnami/redis:7", "hub/bitnami/redis:7"),
        ("reg.test:5000/shop", "s", "reg.test:5000/shop/web/a:1", "s/web/a:1"),
        ("localhost", "here", "localhost/a:1", "here/a:1"),
        ("reg.test/shop/web", "w", "reg.test/shop/web" + PINNED, "w" + PINNED),
        # Whole components: neither of these begins with the prefix.
        ("docker.io/lib", "x", "nginx:1", "library/nginx:1"),
        ("reg.test/shop", "x", "reg.test/shopping:1", "shopping:1"),
    ],
)
def test_a_prefix(prefix: str, to: str, old: str, new: str) -> None:
    assert renamed(old, RenameRule(prefix=prefix, to=to)) == new


@pytest.mark.parametrize(
    ("regex", "to", "old", "new"),
    [
        (r"docker\.io/library/(.*)", r"base/\1", "nginx:1.25", "base/nginx:1.25"),
        (r"^docker\.io/(?P<rest>.*)$", r"hub/\g<rest>", "a/b:1", "hub/a/b:1"),
        (r"(.*)/(.*):(.*)", r"\2:\3-far", "reg.test/shop/web:1", "web:1-far"),
        (r"reg\.test/([^/]+)/([^/]+)", r"\2/\g<1>", "reg.test/shop/web:1", "web/shop:1"),
        (r"reg\.test/(a|b)?(?:shop)/web", r"x\1", "reg.test/shop/web:1", "x:1"),
        # All of the name, or nothing.
        (r"docker\.io", "x", "nginx:1", "library/nginx:1"),
        (r"nginx", "x", "nginx:1", "library/nginx:1"),
        (r"reg\.test/(.*)", r"\1", "reg.test/a" + PINNED, "a" + PINNED),
    ],
)
def test_an_expression(regex: str, to: str, old: str, new: str) -> None:
    assert renamed(old, RenameRule(regex=regex, to=to)) == new


TABLE = b"""\xef\xbb\xbf# comment
nginx:1.25\tweb/nginx:stable
nginx           web/other   # the other tags
reg.test/a@sha256:%s pinned:1\r

nginx:1.25 never/used
""" % HEX.encode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("nginx:1.25", "web/nginx:stable"),
        ("docker.io/library/nginx:1.26", "web/other:1.26"),
        ("nginx:1.25" + PINNED, "web/nginx:stable"),
        ("nginx" + PINNED, "web/other" + PINNED),
        ("reg.test/a" + PINNED, "pinned:1"),
        ("reg.test/a:2" + PINNED, "pinned:1"),
        ("reg.test/a:2", "a:2"),
    ],
)
def test_a_table(old: str, new: str) -> None:
    assert renamed(old, *parse_table(TABLE, "names.txt")) == new


def test_the_first_rule_that_matches_counts() -> None:
    wide, narrow = RenameRule(prefix="docker.io", to="wide"), RenameRule(prefix="docker.io/library", to="narrow")
    assert renamed("nginx:1", wide, narrow) == "wide/library/nginx:1"
    assert renamed("nginx:1", narrow, wide) == "narrow/nginx:1"
    row = RenameRule(name="nginx", to="row")
    assert renamed("nginx:1", row, wide) == "row:1"
    assert renamed("nginx:1", wide, row) == "wide/library/nginx:1"
    assert renamed("redis:1", row, narrow) == "narrow/redis:1"
    assert renamed("reg.test/x:1", wide, narrow, row) == "x:1"


@pytest.mark.parametrize(
    "rule",
    [
        {"prefix": "", "to": "x"}, {"prefix": "a//b", "to": "x"}, {"prefix": "nginx:1.25", "to": "x"},
        {"prefix": "reg.test/a:1", "to": "x"}, {"prefix": "a", "to": "x:1"}, {"prefix": "a", "to": "X"},
        {"prefix": "a", "to": "/x"}, {"prefix": "a" + PINNED, "to": "x"}, {"prefix": "index.docker.io", "to": "x"},
        {"name": "A", "to": "x"}, {"name": "a", "to": ""}, {"name": "a", "to": "x:"}, {"name": "a", "to": ":1"},
        {"name": "a", "to": "x" + PINNED}, {"name": "a", "to": "x:-"}, {"regex": "(", "to": "x"},
        {"regex": "a", "to": r"\1"}, {"regex": "(a)", "to": r"\g<b>"}, {"regex": "(a)", "to": r"\n"},
        {"regex": "a" * 501, "to": "x"},
    ],
)  # fmt: skip
def test_what_is_no_rule(rule: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        Renamer([RenameRule(**rule)])
    assert len(caught.value.message) < 400


@pytest.mark.parametrize("given", [{}, {"prefix": "a", "name": "b"}, {"regex": "a", "name": "b"}])
def test_a_rule_is_for_one_kind_of_names(given: dict[str, str]) -> None:
    rule = RenameRule(**given, to="x")
    with pytest.raises(UsageError, match="is not for a prefix, a regex or a name"):
        Renamer([rule])


@pytest.mark.parametrize("given", [{"prefix": "a\nb"}, {"prefix": "a" * 1001}])
def test_a_rule_is_one_line(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="one line"):
        RenameRule(**given, to="x")


@pytest.mark.parametrize(
    ("regex", "to", "old"),
    [
        (r"reg\.test/(.*)", r"\1/", "reg.test/a"), (r"reg\.test/(.*)", r"\1:", "reg.test/a"),
        (r"reg\.test/(.*)", r"\1-\1", "reg.test/" + "a" * 200), (r"reg\.test/(.*)", r"UP/\1", "reg.test/a"),
        (r"(.*)", r"host:5000/\1", "reg.test/a"),
    ],
)  # fmt: skip
def test_a_result_that_is_no_name_says_which_rule_made_it(regex: str, to: str, old: str) -> None:
    with pytest.raises(UsageError) as caught:
        renamed(old, RenameRule(regex=regex, to=to))
    assert "by the rename rule" in caught.value.message


@pytest.mark.parametrize("raw", [b"one", b"a b c", b"\xff b", b"# ok\na b\nc\n", b"a " + b"b" * 1001])
def test_what_is_no_table(raw: bytes) -> None:
    with pytest.raises(ConfigError, match="names"):
        parse_table(raw, "names")


def test_rules_of_a_file_stand_in_its_order() -> None:
    items = [RenameItem(prefix="a", to="1"), RenameItem(table="t"), RenameItem(regex="b", to="2")]
    found = rules_of(items, {"t": b"x y\nz w"}.__getitem__, "file")
    assert [str(rule) for rule in found] == ["a = 1", "x = y", "z = w", "b = 2"]


@pytest.mark.parametrize(
    "item",
    [
        RenameItem(), RenameItem(prefix="a"), RenameItem(to="a"), RenameItem(table="t", to="a"),
        RenameItem(table="t", name="a"), RenameItem(prefix="a", name="b", to="c"),
        RenameItem(prefix="a:b", to="c"),
    ],
)  # fmt: skip
def test_entries_that_are_no_rules(item: RenameItem) -> None:
    with pytest.raises(UsageError):
        rules_of([item], lambda _: b"", "file")


def test_all_rules_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = RenameRule(prefix="reg.test/x", to="y")
    Renamer([rule] * rules.MOST_TRIED)
    with pytest.raises(UsageError, match="more than 1000 rename rules"):
        Renamer([rule] * (rules.MOST_TRIED + 1))
    Renamer([RenameRule(name=f"a/b:{number}", to="y") for number in range(2000)])
    monkeypatch.setattr(rules, "MOST_SECONDS", 0.0)
    with pytest.raises(UsageError, match="longer than 0 s"):
        Renamer([rule]).rename(Reference.parse("reg.test/a:1"))
