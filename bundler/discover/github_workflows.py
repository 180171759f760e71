"""GitHub workflows and actions: containers and services of jobs, and ``docker://`` steps."""

from __future__ import annotations

from collections.abc import Iterator

from bundler.discover.hits import Hit, Place, Project
from bundler.discover.references import read_reference
from bundler.discover.trees import Mapping, Tree, list_at, mapping_at, mappings_in, text_at
from bundler.errors import ProjectError

_EXPRESSION = "${{"
_STEP = "docker://"


def is_workflow(tree: Tree) -> bool:
    """Tell whether a document is a workflow, or an action that runs something."""
    if not isinstance(tree, dict):
        return False
    jobs = mapping_at(tree, "jobs").values()
    has_jobs = any(isinstance(job, dict) and job.keys() & {"runs-on", "uses", "steps"} for job in jobs)
    return has_jobs or bool(text_at(tree, "runs", "using"))


def add_workflow(project: Project, tree: Tree, file: str) -> None:
    """Add the images of a workflow or action to a project.

    Args:
        project: Is given hits, and notes on images that an expression makes.
        tree: The file.
        file: Its name.

    Raises:
        ProjectError: the file is no mapping, or an image is not the name of one.
    """
    if not isinstance(tree, dict):
        raise ProjectError(f"{file} is not a workflow: its top is not a mapping")
    for part, image in _images(tree):
        place = Place(file, part)
        if _EXPRESSION in image:
            project.notes.append(f"{place} is left out: an expression makes its image")
        elif read_reference(image) is not None:
            project.hits.append(Hit(image.removeprefix(_STEP), place))
        elif image:
            raise ProjectError(f"{place}: the image is not an image's name: {image!r:.200}")


def _images(tree: Mapping) -> Iterator[tuple[str, str]]:
    for name, job in mapping_at(tree, "jobs").items():
        container = mapping_at(tree, "jobs", name).get("container")
        image = str(container) if isinstance(container, str) else text_at(container, "image")
        if image:
            yield f"job {name}, container", image
        for service, body in mapping_at(job, "services").items():
            if image := text_at(body, "image"):
                yield f"job {name}, service {service}", image
        yield from _steps(list_at(job, "steps"), f"job {name}")
    yield from _steps(list_at(tree, "runs", "steps"), "runs")
    if text_at(tree, "runs", "using") == "docker":
        image = text_at(tree, "runs", "image") or ""
        # Without the prefix it is a Dockerfile.
        if image.startswith(_STEP):
            yield "runs", image


def _steps(steps: list[Tree], whose: str) -> Iterator[tuple[str, str]]:
    for number, step in enumerate(mappings_in(steps), 1):
        uses = text_at(step, "uses") or ""
        if uses.startswith(_STEP):
            yield f"{whose}, step {number}", uses
