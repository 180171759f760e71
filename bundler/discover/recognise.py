"""Which kind of file something is: by its name where names are fixed, else by what it holds."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import PurePath

from bundler.discover.compose.options import FILE_NAMES as COMPOSE_NAMES
from bundler.discover.compose.options import OVERRIDE_NAMES
from bundler.discover.dockerfile import is_dockerfile
from bundler.discover.github_workflows import is_workflow
from bundler.discover.gitlab_ci import is_gitlab_ci
from bundler.discover.kubernetes.kustomize import FILE_NAMES as KUSTOMIZATION_NAMES
from bundler.discover.kubernetes.objects import is_object
from bundler.discover.lists import is_list
from bundler.discover.quadlet import SUFFIXES as QUADLET_SUFFIXES
from bundler.discover.trees import Tree
from bundler.discover.yaml_documents import Document


class Kind(str, Enum):
    """What can be searched."""

    COMPOSE = "Compose file"
    KUBERNETES = "Kubernetes manifest"
    KUSTOMIZATION = "kustomization"
    VALUES = "values of a chart"
    GITLAB_CI = "GitLab pipeline"
    WORKFLOW = "GitHub workflow"
    DOCKERFILE = "Dockerfile"
    QUADLET = "Quadlet file"
    LIST = "list of images"


_COMPOSE = re.compile(r"(?:docker-)?compose(?:[._-][A-Za-z0-9._-]+)?\.ya?ml", re.ASCII)
_DOCKERFILE = re.compile(
    r"(?:Dockerfile|Containerfile)(?:\.[A-Za-z0-9._-]+)?|.+\.(?:dockerfile|containerfile)", re.ASCII
)
_VALUES = re.compile(r"(?:.*[._-])?values(?:[._-][A-Za-z0-9._-]+)?\.ya?ml", re.ASCII)
_LIST = re.compile(r"(?:.*[._-])?images?(?:[._-]?list)?\.(?:txt|list)", re.ASCII)
YAML_SUFFIXES = (".yaml", ".yml", ".json")


def kind_by_name(path: PurePath) -> Kind | None:
    """Return what a file is by its name alone; ``None`` if its name says nothing."""
    name = path.name
    if name in COMPOSE_NAMES or name in OVERRIDE_NAMES or _COMPOSE.fullmatch(name):
        return Kind.COMPOSE
    if name in KUSTOMIZATION_NAMES:
        return Kind.KUSTOMIZATION
    if name.endswith((".gitlab-ci.yml", ".gitlab-ci.yaml")):
        return Kind.GITLAB_CI
    in_workflows = path.parts[-3:-1] == (".github", "workflows") and path.suffix in YAML_SUFFIXES
    if in_workflows or name in ("action.yml", "action.yaml"):
        return Kind.WORKFLOW
    if _DOCKERFILE.fullmatch(name):
        return Kind.DOCKERFILE
    if path.suffix in QUADLET_SUFFIXES:
        return Kind.QUADLET
    if _LIST.fullmatch(name):
        return Kind.LIST
    return Kind.VALUES if _VALUES.fullmatch(name) else None


def kind_by_text(text: str) -> Kind | None:
    """Return what a text is if it is no YAML: a list or a Dockerfile."""
    if is_list(text):
        return Kind.LIST
    return Kind.DOCKERFILE if is_dockerfile(text) else None


def kind_by_documents(documents: list[Document]) -> Kind | None:
    """Return what YAML documents are; ``None`` if they are nothing that names images for sure."""
    trees = [document.tree for document in documents]
    if any(is_object(tree) for tree in trees):
        return Kind.KUBERNETES
    for kind, is_kind in (
        (Kind.COMPOSE, _is_compose), (Kind.WORKFLOW, is_workflow), (Kind.GITLAB_CI, is_gitlab_ci),
    ):  # fmt: skip
        if any(is_kind(tree) for tree in trees):
            return kind
    return None


def _is_compose(tree: Tree) -> bool:
    if not isinstance(tree, dict):
        return False
    services = tree.get("services")
    signs = {"image", "build", "extends", "provider"}
    if isinstance(services, dict):
        return any(isinstance(service, dict) and service.keys() & signs for service in services.values())
    return isinstance(tree.get("include"), list) and not tree.keys() & {"stages", "jobs"} and "script" not in tree
