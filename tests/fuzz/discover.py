"""Targets: files in which images are looked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bundler.discover.applications import application_name, gather
from bundler.discover.compose.dotenv import parse_dotenv
from bundler.discover.compose.interpolation import Interpolation
from bundler.discover.compose.options import ComposeOptions
from bundler.discover.compose.project import read_project
from bundler.discover.hits import Discovery, FoundApplication, FoundImage, Mark, Place, Project
from bundler.discover.output import config_text
from bundler.discover.single_file import add_file, kind_of
from bundler.discover.trees import Marked, Tree
from bundler.discover.update import updated
from bundler.discover.yaml_documents import parse_documents
from bundler.errors import ConfigError, DiskError, NotFound
from bundler.packing.planning.config import parse_config
from tests.fuzz.target import LIMITS, ROOT, Target, attempt, text_of

_LIMITS = replace(
    LIMITS, discovered_bytes=64 << 10, yaml_nodes=2_000, yaml_depth=12, project_files=20, project_nesting=4
)
_CASES = ROOT / "tests" / "discover_files"
_NAMES = ("-", "Dockerfile", "images.txt", "a.container", "a.build", ".gitlab-ci.yml", "action.yml", "values.yaml")


def _seeds(pattern: str, count: int = 12) -> tuple[bytes, ...]:
    files = sorted(path for path in _CASES.glob(pattern) if path.is_file() and path.name != "expected.txt")
    return tuple(path.read_bytes() for path in files[:: max(1, len(files) // count)])


def _size(tree: Tree, depth: int = 0) -> int:
    assert depth <= _LIMITS.yaml_depth
    if isinstance(tree, Marked):
        return _size(tree.value, depth)
    if isinstance(tree, dict):
        assert all(isinstance(key, str) for key in tree)
        return 1 + sum(_size(value, depth + 1) for value in tree.values())
    if isinstance(tree, list):
        return 1 + sum(_size(value, depth + 1) for value in tree)
    assert tree is None or isinstance(tree, str)
    return 1


def _yaml(data: bytes) -> None:
    found = attempt(lambda: parse_documents(data, "it", _LIMITS), ConfigError)
    if isinstance(found, list):
        assert sum(_size(document.tree) for document in found) <= _LIMITS.yaml_nodes


def _dotenv(data: bytes) -> None:
    found = attempt(lambda: parse_dotenv(data, ".env", {"HOME": "/root"}, _LIMITS), ConfigError)
    if isinstance(found, dict):
        assert sum(len(value) for value in found.values()) <= 2 * _LIMITS.discovered_bytes


def _interpolation(data: bytes) -> None:
    text = text_of(data)
    interpolation = Interpolation({"A": "a", "EMPTY": "", "B": "$A"}, _LIMITS)
    found = attempt(lambda: (interpolation.text(text, "it", "file"),), ConfigError)
    if isinstance(found, tuple) and "$" not in text:
        assert found == (text,)


def _compose(data: bytes) -> None:
    """Nothing outside is read: what is included or extended is looked for in a directory that is not there."""
    options = ComposeOptions(files=("-",), project_directory=Path("/nonexistent/project"), environment={"A": "1"})
    found = attempt(lambda: read_project(options, data, _LIMITS), ConfigError, NotFound, DiskError)
    if isinstance(found, Project):
        _as_config(found)


def _as_config(project: Project) -> None:
    """Whatever was found is a configuration that pack takes, and every image is in it once."""
    discovery = gather([project])
    if discovery.applications:
        config = parse_config(config_text(discovery).encode(), "pack.yaml")
        assert list(config.applications) == [application_name(project.name)]
        (images,) = (application.images for application in config.applications.values())
        assert len(images) == len({hit.reference for hit in discovery.applications[0].images})


def _single_file(data: bytes) -> None:
    for name in _NAMES:
        project = Project("Some Project")

        def search(name: str = name, project: Project = project) -> Project:
            kind = kind_of(data, name, _LIMITS)
            add_file(project, data, name, kind, _LIMITS)
            return project

        if isinstance(attempt(search, ConfigError), Project):
            _as_config(project)


def _update(data: bytes) -> None:
    image = FoundImage("web:2", "docker.io/library/web:2", Mark.SURE, (Place("a", "b"),))
    found = Discovery((FoundApplication("shop", (image,)), FoundApplication("new", (image,))), ())
    edited = attempt(lambda: updated(data, "pack.yaml", found, _LIMITS), ConfigError)
    if isinstance(edited, tuple):
        again, _ = updated(edited[0], "pack.yaml", found, _LIMITS)
        assert again == edited[0]


TARGETS = (
    Target(
        "project-yaml", _yaml, (*_seeds("*/*/*.yaml"), b"a: &x [1, *x]\n", b"a: &x {b: 1}\nc: {<<: [*x, *x]}\n")
    ),
    Target("dotenv", _dotenv, (*_seeds("compose/*/*.env"), *_seeds("compose/*/.env"), b"A=$A$A\nB='\\''\n")),
    Target(
        "interpolation",
        _interpolation,
        (b"$$ ${A:-${B-x}} ${EMPTY:+y}$A.${NO?m}", b"${A:-{}}", b"${A:-${A:-${A}}}"),
    ),
    Target("compose", _compose, _seeds("compose/*/*.y*ml", 20)),
    Target("project-file", _single_file, (*_seeds("others/*/*"), *_seeds("kubernetes/*/*.yaml"))),
    Target(
        "config-update",
        _update,
        (
            b"applications:\n  shop:\n    images:\n    - web:1  # x\n    - a\n  # end\nname: n\n",
            b'{applications: {shop: {images: [web:1, "b"]}}}',
            b"applications:\n  a:\n    images: [x]\n",
        ),
    ),
)
