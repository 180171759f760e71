"""What images are called below a destination, and that no two get one name."""

from __future__ import annotations

import pytest

from bundler.errors import InvalidReference, UsageError
from bundler.model.digest import Digest
from bundler.model.naming.naming import Naming, check_targets, portable_registry
from bundler.model.naming.rules import RenameRule
from bundler.model.reference import Reference

ONE, TWO = (Digest.from_hex(digit * 64) for digit in "12")
BASE = (RenameRule(prefix="docker.io/library", to="plant/base"),)


@pytest.mark.parametrize(
    ("naming", "old", "new"),
    [
        (Naming(), "nginx", "library/nginx:latest"),
        (Naming(), "reg.test/shop/web:1", "shop/web:1"),
        (Naming(), f"reg.test/a@{ONE}", f"a@{ONE}"),
        (Naming(), f"reg.test/a:1@{ONE}", "a:1"),
        (Naming(keep_registry=True), "reg.test/shop/web:1", "reg.test/shop/web:1"),
        (Naming(keep_registry=True), "localhost:5000/web:1", "localhost-5000/web:1"),
        (Naming(BASE, keep_registry=True), "nginx:1", "plant/base/nginx:1"),
        (Naming(BASE, keep_registry=True), "bitnami/x:1", "docker.io/bitnami/x:1"),
        (Naming(flatten=True), "reg.test/shop/web:1", "shop-web:1"),
        (Naming(BASE, flatten=True), "nginx:1", "plant-base-nginx:1"),
        (Naming(keep_registry=True, flatten=True), "reg.test:5000/shop/web:1", "reg.test-5000-shop-web:1"),
        (Naming(tag_untagged="sha256-{short}"), f"reg.test/a@{ONE}", "a:sha256-111111111111"),
        (Naming(tag_untagged="{hex}"), f"reg.test/a@{ONE}", f"a:{ONE.hex}"),
        (Naming(tag_untagged="x-{short}"), f"reg.test/a:1@{ONE}", "a:1"),
    ],
)
@pytest.mark.parametrize("destination", ["far.test:5000", "far.test/some/prefix"])
def test_names_below_a_destination(destination: str, naming: Naming, old: str, new: str) -> None:
    assert str(naming.target(destination, Reference.parse(old))) == f"{destination}/{new}"


@pytest.mark.parametrize(
    ("registry", "name"),
    [
        ("reg.test", "reg.test"), ("reg.test:5000", "reg.test-5000"), ("[::1]:5000", "1-5000"), ("REG", "reg"),
        ("[fe80::1]", "fe80-1"), ("localhost", "localhost"),
    ],
)  # fmt: skip
def test_a_registry_as_a_component(registry: str, name: str) -> None:
    assert portable_registry(registry) == name


@pytest.mark.parametrize(
    ("destination", "naming", "old"),
    [
        ("docker.io", Naming(flatten=True), "reg.test/shop/web:1"),  # would mean docker.io/library/shop-web
        ("far.test", Naming(tag_untagged="no tag {short}"), f"reg.test/a@{ONE}"),
        ("far.test/" + "a" * 200, Naming(), "reg.test/" + "b" * 80),
        ("far.test", Naming(keep_registry=True), "reg.test/" + "b" * 246),
    ],
)
def test_names_that_are_none(destination: str, naming: Naming, old: str) -> None:
    with pytest.raises(InvalidReference, match="would become"):
        naming.target(destination, Reference.parse(old))


def checked(naming: Naming, *images: tuple[str, Digest]) -> list[str]:
    named = [(Reference.parse(name), digest) for name, digest in images]
    return [str(one) for one in check_targets(named, lambda one: naming.target("far.test", one)).values()]


def test_two_images_of_one_name_are_refused_and_both_named() -> None:
    with pytest.raises(UsageError) as caught:
        checked(Naming(flatten=True), ("reg.test/shop/web:1", ONE), ("reg.test/shop-web:1", TWO))
    for said in ("reg.test/shop/web:1", "reg.test/shop-web:1", "far.test/shop-web:1"):
        assert said in caught.value.message
    # Without a tag a digest is part of the name.
    with pytest.raises(UsageError, match="both become"):
        checked(Naming(), ("reg.test/web:1", ONE), (f"other.test/web:1@{TWO}", TWO))
    with pytest.raises(UsageError, match="and 2 more"):
        checked(Naming(), *[(f"reg{number}.test/web:1", Digest.from_hex(f"{number:064x}")) for number in range(8)])


def test_one_image_may_have_one_name_twice() -> None:
    assert checked(Naming(), ("reg.test/web:1", ONE), ("other.test/web:1", ONE)) == ["far.test/web:1"] * 2
    assert len(checked(Naming(), (f"reg.test/web@{ONE}", ONE), (f"reg.test/web@{TWO}", TWO))) == 2
