"""containers-registries.conf(5): which places a name leads to."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.errors import ConfigError, PolicyRefused
from bundler.model.reference import Reference
from bundler.transports.registry.access.mirrors import Routes, parse_docker_mirrors
from bundler.transports.registry.access.places import Places
from bundler.transports.registry.access.registries_conf import RegistriesConf, joined, parse_registries_conf

PATH = Path("registries.conf")
DIGEST = "sha256:" + "0" * 64


def conf(text: str) -> RegistriesConf:
    return joined([(PATH, parse_registries_conf(text.encode(), PATH))])


def places_of(found: RegistriesConf, name: str) -> list[str]:
    return [str(route.reference) for route in found.routes(Reference.parse(name))]


MIRRORED = """
[[registry]]
location = "reg.test"
[[registry.mirror]]
location = "near.test:5000/cache"
insecure = true
[[registry.mirror]]
location = "tags.test"
pull-from-mirror = "tag-only"
[[registry.mirror]]
location = "digests.test"
pull-from-mirror = "digest-only"
"""


def test_mirrors_come_first_and_in_order() -> None:
    found = conf(MIRRORED)
    assert places_of(found, "reg.test/shop/web:1") == [
        "near.test:5000/cache/shop/web:1", "tags.test/shop/web:1", "reg.test/shop/web:1"]  # fmt: skip
    assert places_of(found, f"reg.test/shop/web@{DIGEST}") == [
        f"{at}/shop/web@{DIGEST}" for at in ("near.test:5000/cache", "digests.test", "reg.test")]  # fmt: skip
    routes = found.routes(Reference.parse("reg.test/a:1"))
    assert [(route.insecure, route.is_mirror) for route in routes] == [(True, True), (False, True), (False, False)]


@pytest.mark.parametrize("name", ["other.test/a:1", "reg.test:5000/a:1", "myreg.test/a:1"])
def test_another_registry_is_left_alone(name: str) -> None:
    assert places_of(conf(MIRRORED), name) == [name]


def test_mirrors_for_digests_only() -> None:
    found = conf(
        '[[registry]]\nlocation = "reg.test"\nmirror-by-digest-only = true\n'
        '[[registry.mirror]]\nlocation = "m.test"\n'
    )
    assert places_of(found, "reg.test/a:1") == ["reg.test/a:1"]
    assert places_of(found, f"reg.test/a@{DIGEST}") == [f"m.test/a@{DIGEST}", f"reg.test/a@{DIGEST}"]


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("reg.test/a/x:1", "short.test/x:1"),
        ("reg.test/a/b/x:1", "long.test/y/x:1"),
        ("reg.test/ab/x:1", "all.test/ab/x:1"),
        ("sub.wild.test:5000/x:1", "sub.wild.test:5000/x:1"),
        ("sub.moved.test/x:1", "there.test/z/x:1"),
    ],
)
def test_the_longest_prefix_says_where(name: str, there: str) -> None:
    entries = {"reg.test": "all.test", "reg.test/a": "short.test", "reg.test/a/b": "long.test/y",
               "*.wild.test:5000": "", "*.moved.test": "there.test/z"}  # fmt: skip
    text = "".join(f'[[registry]]\nprefix = "{key}"\nlocation = "{value}"\n' for key, value in entries.items())
    assert places_of(conf(text), name) == [there]


def test_blocked() -> None:
    found = conf('[[registry]]\nprefix = "*.bad.test"\nblocked = true\n')
    with pytest.raises(PolicyRefused, match=r"registries\.conf"):
        places_of(found, "x.bad.test/a:1")
    assert places_of(found, "bad.test/a:1") == ["bad.test/a:1"]


def test_short_names() -> None:
    found = conf('[aliases]\n"centos" = "quay.io/centos/centos"\n"a/b" = "reg.test/c"\n"off" = ""\n')
    for name, full in (
        ("centos:7", "quay.io/centos/centos:7"),
        ("centos", "quay.io/centos/centos:latest"),
        (f"a/b@{DIGEST}", f"reg.test/c@{DIGEST}"),
        ("busybox:1", "docker.io/library/busybox:1"),
        ("off:1", "docker.io/library/off:1"),
        # Whoever writes the registry means it.
        ("docker.io/library/centos:7", "docker.io/library/centos:7"),
    ):
        assert str(found.expand(name)) == full


@pytest.mark.parametrize(
    "text",
    ["[[registry", "registry = 1", '[[registry]]\nprefix = "a.test"', '[[registry]]\nlocation = "https://a.test"',
     '[[registry]]\nlocation = "a.test"\n[[registry.mirror]]\nlocation = ""', "[aliases]\na = 1",
     '[[registry]]\nlocation="a.test"\n[[registry.mirror]]\nlocation="b.test"\npull-from-mirror="some"'],
)  # fmt: skip
def test_a_broken_file_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"registries\.conf"):
        conf(text)


def test_a_location_that_makes_no_name() -> None:
    with pytest.raises(ConfigError, match=r"registries\.conf"):
        places_of(conf('[[registry]]\nprefix = "reg.test"\nlocation = "UPPER.test/Case"\n'), "reg.test/a:1")


def test_files_of_the_user_and_the_machine(tmp_path: Path) -> None:
    home, root = tmp_path / "home", tmp_path / "root"
    for path, text in (
        (root / "etc/containers/registries.conf", '[[registry]]\nlocation = "hidden.test"\nblocked = true\n'),
        (home / ".config/containers/registries.conf", '[[registry]]\nlocation = "a.test"\nblocked = true\n'),
        (root / "etc/containers/registries.conf.d/1.conf",
         '[aliases]\n"x" = "one.test/x"\n"y" = "one.test/y"\n"z" = "one.test/z"\n'),
        (root / "etc/containers/registries.conf.d/1.conf.bak", "nonsense"),
        (home / ".config/containers/registries.conf.d/2.conf",
         '[[registry]]\nprefix = "a.test"\nlocation = "b.test"\n[aliases]\n"y" = "two.test/y"\n"z" = ""\n'),
        (home / ".cache/containers/short-name-aliases.conf", '[aliases]\n"x" = "chosen.test/x"\n'),
        (root / "etc/docker/daemon.json", '{"registry-mirrors": ["http://machine.test"]}'),
        (home / ".config/docker/daemon.json", '{"registry-mirrors": ["https://own.test:5000/"]}'),
    ):  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    routes = Routes(Places({}, home, root))
    assert [str(routes.expand(name)) for name in ("x", "y", "z")] == [
        "chosen.test/x:latest", "two.test/y:latest", "docker.io/library/z:latest"]  # fmt: skip
    for name, there in (
        ("a.test/x:1", ["b.test/x:1"]),
        ("hidden.test/x:1", ["hidden.test/x:1"]),
        ("busybox:1", ["own.test:5000/library/busybox:1", "docker.io/library/busybox:1"]),
    ):
        assert [str(route.reference) for route in routes.to(Reference.parse(name))] == there
    named = tmp_path / "named.conf"
    named.write_text('[[registry]]\nlocation = "c.test"\ninsecure = true\n')
    routes = Routes(Places({"CONTAINERS_REGISTRIES_CONF": str(named)}, home, root))
    assert routes.is_insecure("c.test")
    assert not routes.is_insecure("c.test:5000")


def test_without_any_file(tmp_path: Path) -> None:
    reference = Reference.parse("busybox")
    (route,) = Routes(Places({}, tmp_path, tmp_path)).to(reference)
    assert route.reference == reference


@pytest.mark.parametrize(
    "url", ["m.test", "ftp://m.test", "https://m.test/path", "https://u:p@m.test", "https://"]
)
def test_a_mirror_of_docker_that_is_none(url: str) -> None:
    with pytest.raises(ConfigError, match=r"daemon\.json"):
        parse_docker_mirrors(f'{{"registry-mirrors": ["{url}"]}}'.encode(), Path("daemon.json"))
