"""Kubernetes objects in YAML: one by one, several in a file, or in lists."""

from __future__ import annotations

from collections.abc import Iterator

from bundler.discover.trees import Mapping, Tree, text_at
from bundler.discover.yaml_documents import Document

#: Groups of kinds that Kubernetes itself has; kinds of other groups are somebody's own.
_BUILT_IN = frozenset(
    {
        "", "apps", "batch", "extensions", "autoscaling", "policy", "admissionregistration.k8s.io",
        "apiextensions.k8s.io", "apiregistration.k8s.io", "authentication.k8s.io", "authorization.k8s.io",
        "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io",
        "flowcontrol.apiserver.k8s.io", "internal.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io",
        "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)  # fmt: skip


def is_object(tree: Tree) -> bool:
    """Tell whether a document is a Kubernetes object, or a list of such."""
    return bool(text_at(tree, "apiVersion")) and bool(text_at(tree, "kind"))


def objects_of(documents: list[Document]) -> Iterator[Mapping]:
    """Yield all objects of a file; those of a ``List`` or ``PodList`` one by one."""
    for document in documents:
        yield from _flat(document.tree)


def _flat(tree: Tree) -> Iterator[Mapping]:
    if not isinstance(tree, dict):
        return
    items = tree.get("items")
    if (text_at(tree, "kind") or "").endswith("List") and isinstance(items, list):
        for item in items:
            yield from _flat(item)
    elif is_object(tree):
        yield tree


def group_of(tree: Mapping) -> str:
    """Return the API group of an object; ``""`` for the core."""
    version = text_at(tree, "apiVersion") or ""
    return version.partition("/")[0] if "/" in version else ""


def is_built_in(tree: Mapping) -> bool:
    """Tell whether an object is of a kind of Kubernetes itself."""
    return group_of(tree) in _BUILT_IN


def title(tree: Mapping) -> str:
    """Return how an object is spoken of: ``Deployment shop/web``."""
    name = text_at(tree, "metadata", "name") or text_at(tree, "metadata", "generateName") or "?"
    namespace = text_at(tree, "metadata", "namespace")
    return f"{text_at(tree, 'kind') or '?'} {namespace + '/' if namespace else ''}{name}"
