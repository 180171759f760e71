"""Helm charts: what `helm template` makes of them, or guesses from their values where there is no helm."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bundler.discover.hits import Hit, Mark, Place, Project
from bundler.discover.kubernetes.objects import objects_of
from bundler.discover.kubernetes.workloads import add_objects
from bundler.discover.reading import check_size, read_bytes
from bundler.discover.shapes import image_shapes
from bundler.discover.trees import Tree, text_at
from bundler.discover.yaml_documents import parse_documents
from bundler.model.limits import Limits

CHART_FILE = "Chart.yaml"
VALUES_FILE = "values.yaml"
#: Renders a chart into manifests; it is given the chart's directory.
Renderer = Callable[[Path], bytes]


def read_chart(directory: Path, render: Renderer | None, limits: Limits) -> Project:
    """Read a chart.

    Args:
        directory: Where Chart.yaml lies.
        render: Runs helm; ``None`` where there is none: then the values are searched, and all is a guess.
        limits: Bound everything.

    Raises:
        ProjectError: Chart.yaml, or what was rendered, is wrong. Whatever ``render`` raises.
    """
    file = directory / CHART_FILE
    documents = parse_documents(read_bytes(file, limits), str(file), limits)
    chart = documents[0].tree if documents else None
    project = Project(text_at(chart, "name") or directory.absolute().name)
    if render is not None:
        name = f"{directory} (rendered)"
        rendered = parse_documents(check_size(render(directory), name, limits), name, limits)
        add_objects(project, ((name, one) for one in objects_of(rendered)))
        return project
    values = directory / VALUES_FILE
    project.notes.append(
        f"{directory} is a Helm chart and helm is not installed: what stands in its values is a guess. "
        "Better: helm template CHART | airbundle discover -"
    )
    if values.is_file():
        for document in parse_documents(read_bytes(values, limits), str(values), limits):
            add_values(project, document.tree, str(values), text_at(chart, "appVersion"))
    return project


def add_values(project: Project, tree: Tree, file: str, default_tag: str | None = None) -> None:
    """Add what has the form of an image in the values of a chart to a project; all are guesses."""
    for path, image in image_shapes(tree, default_tag):
        project.hits.append(Hit(image, Place(file, path), Mark.GUESS))
