"""One file, or standard input: what kind it is, and the images in it."""

from __future__ import annotations

from pathlib import Path, PurePath

from bundler.discover.dockerfile import add_dockerfile
from bundler.discover.github_workflows import add_workflow
from bundler.discover.gitlab_ci import add_gitlab_ci
from bundler.discover.hits import Project
from bundler.discover.kubernetes.charts import add_values
from bundler.discover.kubernetes.objects import objects_of
from bundler.discover.kubernetes.workloads import add_objects
from bundler.discover.lists import list_hits
from bundler.discover.quadlet import add_quadlet
from bundler.discover.reading import decode
from bundler.discover.recognise import Kind, kind_by_documents, kind_by_name, kind_by_text
from bundler.discover.yaml_documents import parse_documents
from bundler.errors import ProjectError
from bundler.model.limits import Limits

_KINDS = (
    "Compose files, Kubernetes manifests, kustomizations, charts and their values, Dockerfiles, lists of images"
)
_YAML_KINDS = (Kind.KUBERNETES, Kind.GITLAB_CI, Kind.WORKFLOW, Kind.VALUES)


def kind_of(raw: bytes, name: str, limits: Limits) -> Kind | None:
    """Return what a file is; ``None`` if it is nothing that names images for sure.

    Raises:
        ProjectError: its name leaves it open, and it is no text or no YAML.
    """
    named = kind_by_name(PurePath(name))
    if named is not None and named is not Kind.VALUES:
        return named
    return kind_by_text(decode(raw, name)) or kind_by_documents(parse_documents(raw, name, limits)) or named


def add_file(project: Project, raw: bytes, name: str, kind: Kind | None, limits: Limits) -> None:
    """Add the images of one file to a project.

    Args:
        project: Is given hits and notes.
        raw: The file.
        name: Its name.
        kind: What it is; ``None`` to take what has the form of an image, all of it guesses. Compose files and
            kustomizations are no single files.
        limits: Bound everything.

    Raises:
        ProjectError: it is not what it should be, or an image is not the name of one.
    """
    text = decode(raw, name)
    if kind is Kind.LIST:
        project.hits += list_hits(text, name)
    elif kind is Kind.DOCKERFILE:
        add_dockerfile(project, text, name, limits)
    elif kind is Kind.QUADLET:
        add_quadlet(project, text, name, Path(name).suffix)
    else:
        _add_yaml(project, raw, name, kind, limits)


def _add_yaml(project: Project, raw: bytes, name: str, kind: Kind | None, limits: Limits) -> None:
    documents = parse_documents(raw, name, limits)
    if kind is Kind.KUBERNETES:
        add_objects(project, ((name, one) for one in objects_of(documents)))
        return
    before = len(project.hits)
    for document in documents:
        if kind is Kind.GITLAB_CI:
            add_gitlab_ci(project, document.tree, name, limits)
        elif kind is Kind.WORKFLOW:
            add_workflow(project, document.tree, name)
        else:
            add_values(project, document.tree, name)
    if kind is None and len(project.hits) == before:
        raise ProjectError(f"{name} is nothing in which images are looked for", advice=f"Name {_KINDS}.")
