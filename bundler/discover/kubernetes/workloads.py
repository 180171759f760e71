"""The images of Kubernetes objects: sure ones of the built-in workloads, guesses of everybody's own kinds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bundler.discover.hits import Hit, Mark, Place, Project
from bundler.discover.kubernetes.objects import is_built_in, title
from bundler.discover.references import read_reference
from bundler.discover.shapes import image_shapes
from bundler.discover.trees import Mapping, Tree, is_text, list_at, mapping_at, mappings_in, text_at
from bundler.errors import ProjectError

_TEMPLATE = ("spec", "template", "spec")
#: Where each built-in workload has its pod.
POD_SPECS: dict[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "PodTemplate": ("template", "spec"),
    "ReplicationController": _TEMPLATE,
    "ReplicaSet": _TEMPLATE,
    "Deployment": _TEMPLATE,
    "StatefulSet": _TEMPLATE,
    "DaemonSet": _TEMPLATE,
    "Job": _TEMPLATE,
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
#: Signs of a program that would still fill the text in: envsubst, a template.
_PLACEHOLDERS = ("$", "{{", "<%", "<<")


def add_objects(project: Project, objects: Iterable[tuple[str, Mapping]]) -> None:
    """Add the images of objects to a project.

    Args:
        project: Is given hits and notes.
        objects: Each with the name of its file.

    Raises:
        ProjectError: a container's image is not the name of one.
    """
    for file, tree in objects:
        kind = text_at(tree, "kind") or ""
        if not is_built_in(tree):
            for path, shape in image_shapes({key: value for key, value in tree.items() if key != "kind"}):
                project.hits.append(Hit(shape, Place(file, f"{title(tree)}, {path}"), Mark.GUESS))
        elif kind in POD_SPECS:
            for place, image in _pod_images(mapping_at(tree, *POD_SPECS[kind]), file, title(tree)):
                _add(project, place, image)


def _pod_images(spec: Mapping, file: str, whose: str) -> Iterator[tuple[Place, Tree]]:
    for key in CONTAINERS:
        for container in mappings_in(list_at(spec, key)):
            name = text_at(container, "name") or "?"
            yield Place(file, f"{whose}, container {name}"), container.get("image")
    for volume in mappings_in(list_at(spec, "volumes")):
        if isinstance(volume.get("image"), dict):
            name = text_at(volume, "name") or "?"
            yield Place(file, f"{whose}, image volume {name}"), mapping_at(volume, "image").get("reference")


def _add(project: Project, place: Place, image: Tree) -> None:
    if image is None or image == "":
        project.notes.append(f"{place} names no image; something else must give it one")
    elif not is_text(image):
        raise ProjectError(f"{place}: the image must be a string", advice="Write it in quotes.")
    elif read_reference(str(image)) is not None:
        project.hits.append(Hit(str(image), place))
    elif any(sign in str(image) for sign in _PLACEHOLDERS):
        project.notes.append(f"{place} is left out: its image is still to be filled in")
    else:
        raise ProjectError(f"{place}: the image is not an image's name: {str(image)!r:.200}")
