"""Files in which images are looked for, made to break their reader: each is refused as declared, and soon."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.discover.compose.options import ComposeOptions
from bundler.discover.projects import Inputs, find_projects
from bundler.errors import ConfigError

BILLION = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
MERGES = "a0: &a0 {k: v}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 60))
DOUBLING = "A0=xxxxxxxxxx\n" + "".join(f"A{n}=$A{n - 1}$A{n - 1}\n" for n in range(1, 60))

REFUSED = {
    "aliases that multiply": ("services: {a: {image: 'x:1'}}\n" + BILLION, "yaml_nodes"),
    "merges that multiply": ("services: {a: {image: 'x:1'}}\n" + MERGES, "yaml_nodes"),
    "an alias of itself": ("services: &s {a: {image: 'x:1', more: *s}}\n", "alias"),
    "deep lists": ("services: " + "[" * 200_000, "yaml_depth|nesting depth"),
    "deep mappings": ("services: " + "{a: " * 200_000, "yaml_depth|nesting depth"),
    "deep blocks": ("".join(" " * n + "a:\n" for n in range(3000)), "yaml_depth"),
    "deep default values": ("services: {a: {image: '" + "${A:-" * 5000 + "}" * 5000 + "'}}\n", "project_nesting"),
    "a chain of services": (
        "services:\n  s0: {image: 'x:1'}\n" + "".join(f"  s{n}: {{extends: s{n - 1}}}\n" for n in range(1, 3000)),
        "project_nesting",
    ),
    "a key that is a mapping": ("services: {? {a: b} : c}\n", "stands as a key"),
    "control characters": ('services: {a: {image: "x\x01"}}\n', "not YAML"),
    "an unknown directive": ("%FOO\n---\nservices: {}\n", "no image|not YAML"),
}


def search(directory: Path, name: str = ".") -> object:
    from bundler.discover.projects import check_something

    projects = find_projects(Inputs((name,), ComposeOptions(directory=directory)))
    check_something(projects, (name,))
    return projects


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_compose_files(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(text)
    with pytest.raises((ConfigError, LookupError) if message == "never" else Exception, match=message) as caught:
        search(tmp_path)
    assert getattr(caught.value, "exit_status", None) == 2
    assert len(str(caught.value)) < 2000


def test_variables_that_double(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(DOUBLING)
    (tmp_path / "compose.yaml").write_text("services: {a: {image: 'x:1'}}\n")
    with pytest.raises(ConfigError, match="discovered_bytes"):
        search(tmp_path)


def test_files_that_include_one_another_twice(tmp_path: Path) -> None:
    """Twenty files, each including the next one twice, are a million."""
    for number in range(20):
        (tmp_path / f"f{number}.yaml").write_text(f"include: [f{number + 1}.yaml, ./f{number + 1}.yaml]\n")
    (tmp_path / "f20.yaml").write_text("services: {a: {image: 'x:1'}}\n")
    with pytest.raises(ConfigError, match="project_files"):
        search(tmp_path, "f0.yaml")


def test_kustomizations_that_include_one_another_twice(tmp_path: Path) -> None:
    for number in range(20):
        place = tmp_path / f"k{number}"
        place.mkdir()
        (place / "kustomization.yaml").write_text(f"resources: [../k{number + 1}, ../k{number + 1}]\n")
    (tmp_path / "k20").mkdir()
    (tmp_path / "k20" / "kustomization.yaml").write_text("resources: []\n")
    with pytest.raises(ConfigError, match="project_files"):
        search(tmp_path, "k0")


@pytest.mark.parametrize("name", ["Dockerfile", "images.txt", "a.container", ".gitlab-ci.yml", "values.yaml"])
@pytest.mark.parametrize("data", [b"\xff\xfe", b"\x00" * 1000, b"{" * 100_000, b"FROM \\\n" * 50_000, b"a: &a *a"])
def test_other_files(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(Exception, match=r".") as caught:
        search(tmp_path, name)
    assert getattr(caught.value, "exit_status", None) == 2
