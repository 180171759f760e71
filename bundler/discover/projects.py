"""From what a user names to projects: files, directories, standard input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from bundler.discover.compose.options import STANDARD_INPUT, ComposeOptions, default_files, normal_name
from bundler.discover.compose.project import read_project
from bundler.discover.hits import Project
from bundler.discover.kubernetes.charts import CHART_FILE, Renderer, read_chart
from bundler.discover.kubernetes.kustomize import Kustomizations, kustomization_of
from bundler.discover.kubernetes.workloads import add_objects
from bundler.discover.reading import check_size, read_bytes
from bundler.discover.recognise import Kind, kind_by_name
from bundler.discover.single_file import add_file, kind_of
from bundler.discover.tree_search import look_below
from bundler.discover.trees import text_at
from bundler.discover.yaml_documents import parse_documents
from bundler.errors import NotFound, ProjectError
from bundler.model.limits import DEFAULT_LIMITS, Limits

_STDIN_NAME = "stdin"


@dataclass(frozen=True)
class Inputs:
    """What is searched, and what the search may use.

    Attributes:
        paths: files, directories, or ``-``.
        compose: options for Compose projects; ``-p`` counts for every project.
        standard_input: what came there.
        render_chart: runs helm; ``None`` where there is none.
        limits: bound everything.
    """

    paths: tuple[str, ...] = ()
    compose: ComposeOptions = field(default_factory=ComposeOptions)
    standard_input: bytes | None = None
    render_chart: Renderer | None = None
    limits: Limits = DEFAULT_LIMITS


def find_projects(inputs: Inputs) -> list[Project]:
    """Read all projects that a user names; without a path the one that Compose would find here.

    Raises:
        ProjectError, NotFound: something is not there or wrong; the message names file, variable or service.
        DiskError: something cannot be read.
    """
    found = []
    if inputs.compose.files or not inputs.paths:
        found.append(read_project(inputs.compose, inputs.standard_input, inputs.limits))
    options = replace(inputs.compose, files=())
    for path in inputs.paths:
        found += _Search(inputs, options).projects_of(path)
    return found


class _Search:
    def __init__(self, inputs: Inputs, options: ComposeOptions) -> None:
        self._inputs = inputs
        self._options = options
        self._limits = inputs.limits

    def projects_of(self, name: str) -> Iterator[Project]:
        if name == STANDARD_INPUT:
            if self._inputs.standard_input is None:
                raise ProjectError("standard input cannot be read")
            raw = check_size(self._inputs.standard_input, "standard input", self._limits)
            yield self._file(STANDARD_INPUT, raw, _STDIN_NAME)
            return
        path = self._options.directory / name
        if path.is_dir():
            yield from self._directory(path)
        elif path.name and kind_by_name(path) is Kind.KUSTOMIZATION:
            yield self._kustomization(path.parent)
        else:
            yield self._file(str(path), read_bytes(path, self._limits), path.name.partition(".")[0] or path.name)

    def _file(self, name: str, raw: bytes, project_name: str) -> Project:
        kind = kind_of(raw, name, self._limits)
        if kind is Kind.COMPOSE:
            return read_project(replace(self._options, files=(name,)), self._inputs.standard_input, self._limits)
        project = Project(self._named(project_name))
        add_file(project, raw, name, kind, self._limits)
        return project

    def _directory(self, directory: Path) -> Iterator[Project]:
        if default_files(directory):
            yield read_project(self._options.inside(directory), limits=self._limits)
        elif kustomization_of(directory):
            yield self._kustomization(directory)
        elif (directory / CHART_FILE).is_file():
            yield self._chart(directory)
        else:
            yield from self._searched(directory)

    def _searched(self, root: Path) -> Iterator[Project]:
        below = look_below(root, self._limits)
        for directory in below.compose:
            yield read_project(self._options.inside(directory), limits=self._limits)
        for directory in below.charts:
            yield self._chart(directory)
        projects, used = self._kustomizations(below.kustomizations)
        yield from projects
        loose = Project(self._named(normal_name(root.absolute().name) or _STDIN_NAME))
        for path in below.files:
            if path.resolve() in used or kind_by_name(path) is Kind.KUSTOMIZATION:
                continue
            if kind_by_name(path) is Kind.COMPOSE:
                yield read_project(replace(self._options, files=(str(path),)), limits=self._limits)
            else:
                self._add_loose(loose, path)
        yield loose

    def _add_loose(self, project: Project, path: Path) -> None:
        """Add a file that a search came upon: what is nothing known is passed over, and said."""
        raw = read_bytes(path, self._limits)
        try:
            kind = kind_of(raw, str(path), self._limits)
        except ProjectError as error:
            project.notes.append(f"passed over: {error.message}")
            return
        if kind is not None:
            add_file(project, raw, str(path), kind, self._limits)

    def _kustomizations(self, directories: list[Path]) -> tuple[list[Project], set[Path]]:
        """Read kustomizations that no other one includes; also return every file that belongs to one."""
        found, included, used = [], set(), set()
        for directory in directories:
            if self._is_component(directory):
                used |= {path.resolve() for path in directory.iterdir() if path.is_file()}
                continue
            project = Project(self._named(directory.absolute().name))
            kustomizations = Kustomizations(project, self._limits)
            objects = kustomizations.build(directory)
            used |= kustomizations.used
            included |= kustomizations.used - {directory.resolve()}
            found.append((directory, project, objects))
        projects = []
        for directory, project, objects in found:
            if directory.resolve() not in included:
                add_objects(project, objects)
                projects.append(project)
        return projects, used

    def _is_component(self, directory: Path) -> bool:
        file = kustomization_of(directory)
        documents = parse_documents(read_bytes(file, self._limits), str(file), self._limits) if file else []
        return any(text_at(document.tree, "kind") == "Component" for document in documents)

    def _kustomization(self, directory: Path) -> Project:
        project = Project(self._named(directory.absolute().name))
        add_objects(project, Kustomizations(project, self._limits).build(directory))
        return project

    def _chart(self, directory: Path) -> Project:
        project = read_chart(directory, self._inputs.render_chart, self._limits)
        project.name = self._named(project.name)
        return project

    def _named(self, name: str) -> str:
        return self._options.project_name or name


def check_something(projects: list[Project], names: tuple[str, ...]) -> None:
    """Refuse a search that found no image.

    Raises:
        NotFound: there is no hit.
    """
    if not any(project.hits for project in projects):
        reasons = [note for project in projects for note in project.notes][:3]
        where = ", ".join(names) or "the Compose project"
        raise NotFound(f"no image is named in {where:.500}" + "".join(f"\n{reason}" for reason in reasons))
