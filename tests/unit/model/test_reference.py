"""Image names, against what docker makes of them."""

from __future__ import annotations

import pytest

from bundler.errors import InvalidReference
from bundler.model.digest import Digest
from bundler.model.reference import Reference

HEX = "0123456789abcdef" * 4
DIGEST = f"sha256:{HEX}"


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag"),
    [
        ("busybox", "docker.io", "library/busybox", "latest"),
        ("busybox:1", "docker.io", "library/busybox", "1"),
        ("library/busybox", "docker.io", "library/busybox", "latest"),
        ("docker.io/busybox", "docker.io", "library/busybox", "latest"),
        ("index.docker.io/busybox:1", "docker.io", "library/busybox", "1"),
        ("docker.io/library/busybox:1", "docker.io", "library/busybox", "1"),
        ("shop/web", "docker.io", "shop/web", "latest"),
        ("a/b/c/d:1", "docker.io", "a/b/c/d", "1"),
        ("localhost/web", "localhost", "web", "latest"),
        ("localhost:5000/web:1", "localhost:5000", "web", "1"),
        # Without a slash there is no registry: this is a tag.
        ("localhost:5000", "docker.io", "library/localhost", "5000"),
        ("reg.example/web", "reg.example", "web", "latest"),
        ("reg:5000/web", "reg:5000", "web", "latest"),
        ("REG/web", "REG", "web", "latest"),
        ("Reg.Example:80/web:V1", "Reg.Example:80", "web", "V1"),
        ("127.0.0.1:5000/a/b:x", "127.0.0.1:5000", "a/b", "x"),
        ("[::1]:5000/web:1", "[::1]:5000", "web", "1"),
        ("[2001:db8::1]/web", "[2001:db8::1]", "web", "latest"),
        ("web:A_b.c-d", "docker.io", "library/web", "A_b.c-d"),
        ("web:_", "docker.io", "library/web", "_"),
        ("web:" + "t" * 128, "docker.io", "library/web", "t" * 128),
        ("a__b/c.d/e--f/g---h", "docker.io", "a__b/c.d/e--f/g---h", "latest"),
        (f"{HEX}:1", "docker.io", f"library/{HEX}", "1"),
        ("quay.io/" + "a" * 247, "quay.io", "a" * 247, "latest"),
    ],
)
def test_reads_names_as_docker_does(text: str, registry: str, repository: str, tag: str) -> None:
    assert Reference.parse(text) == Reference(registry, repository, tag)


@pytest.mark.parametrize(
    ("text", "tag"),
    [(f"web@{DIGEST}", ""), (f"web:1@{DIGEST}", "1"), (f"docker.io/library/web@{DIGEST}", "")],
)
def test_a_digest_adds_no_tag(text: str, tag: str) -> None:
    assert Reference.parse(text) == Reference("docker.io", "library/web", tag, Digest(DIGEST))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "/",
        "/web",
        "web/",
        "a//b",
        ":1",
        "web:",
        "web:1:2",
        "web:-1",
        "web:.1",
        "web:a b",
        "web:" + "t" * 129,
        "Web",
        "docker.io/Web",
        "shop/Web",
        "-web",
        "web-",
        "we_-b",
        "we___b",
        "we..b",
        "web\n",
        "web:1\n",
        "wéb",
        "web:٣",
        "http://reg/web",
        "reg_x.example/web",
        ".example/web",
        "reg.example:/web",
        "reg.example:123456/web",
        "reg:port/web",
        "[::g]:1/web",
        "web@",
        "web@sha256:00",
        f"web@{DIGEST}@{DIGEST}",
        f"web@{DIGEST.upper()}",
        f"@{DIGEST}",
        HEX,
        "quay.io/" + "a" * 248,
    ],
)
def test_refuses_what_docker_refuses(text: str) -> None:
    with pytest.raises(InvalidReference):
        Reference.parse(text)


def test_says_that_repositories_are_in_lower_case() -> None:
    with pytest.raises(InvalidReference, match="lower case"):
        Reference.parse("shop/Web")


@pytest.mark.parametrize(
    ("text", "familiar"),
    [
        ("docker.io/library/busybox:1", "busybox:1"),
        ("docker.io/shop/web:1", "shop/web:1"),
        ("docker.io/library/shop/web:1", "library/shop/web:1"),
        ("docker.io/localhost/web:1", "docker.io/localhost/web:1"),
        ("docker.io/library/localhost:1", "localhost:1"),
        ("docker.io/a.b/web:1", "docker.io/a.b/web:1"),
        ("docker.io/a.b_c/web:1", "docker.io/a.b_c/web:1"),
        ("reg.example/library/web:1", "reg.example/library/web:1"),
        (f"docker.io/library/web@{DIGEST}", f"web@{DIGEST}"),
    ],
)
def test_the_familiar_name_still_means_the_same(text: str, familiar: str) -> None:
    reference = Reference.parse(text)
    assert reference.familiar == familiar
    assert Reference.parse(familiar) == reference


def test_parts_of_a_name() -> None:
    reference = Reference.parse(f"reg.example/a/web:1@{DIGEST}")
    assert reference.name == "reg.example/a/web"
    assert reference.tagged == "reg.example/a/web:1"
    assert str(reference) == f"reg.example/a/web:1@{DIGEST}"
    assert Reference.parse(f"web@{DIGEST}").tagged is None


def test_references_have_an_order() -> None:
    assert sorted([Reference.parse("b"), Reference.parse("a:2"), Reference.parse("a:1")])[0].tag == "1"
