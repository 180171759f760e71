"""GitLab CI: the ``image`` and ``services`` of jobs and defaults, with the variables that the file gives."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace

from bundler.discover.compose.interpolation import Blanks, Interpolation
from bundler.discover.hits import Hit, Place, Project
from bundler.discover.references import read_reference
from bundler.discover.trees import Mapping as TreeMapping
from bundler.discover.trees import Tree, list_at, mapping_at, text_at
from bundler.errors import ProjectError
from bundler.model.limits import Limits

#: Words of the top that are no jobs.
_NO_JOBS = frozenset(
    {"variables", "stages", "include", "workflow", "spec", "pages_domain", "cache", "before_script"}
)
#: Characters that the variables of one image may make; no name of one is nearly as long.
_LONGEST = 100_000
_JOB_SIGNS = frozenset({"script", "stage", "trigger", "extends"})


def is_gitlab_ci(tree: Tree) -> bool:
    """Tell whether a document has the form of a pipeline: a job with a script, beside stages or an image."""
    if not isinstance(tree, dict):
        return False
    jobs = [job for job in tree.values() if isinstance(job, dict) and job.keys() & _JOB_SIGNS]
    return bool(jobs) and any(isinstance(job.get("script"), list | str) for job in jobs)


def add_gitlab_ci(project: Project, tree: Tree, file: str, limits: Limits) -> None:
    """Add the images of a pipeline to a project.

    Args:
        project: Is given hits, and notes on images whose variables the file does not give.
        tree: The file.
        file: Its name.
        limits: Bound what variables make.

    Raises:
        ProjectError: the file is no mapping, or an image is not the name of one.
    """
    if not isinstance(tree, dict):
        raise ProjectError(f"{file} is not a pipeline of GitLab: its top is not a mapping")
    shared = _variables(tree)
    _add_job(project, {key: tree.get(key) for key in ("image", "services")}, Place(file, "top"), shared, limits)
    for name, job in tree.items():
        if isinstance(job, dict) and name not in _NO_JOBS and name != "image":
            _add_job(project, job, Place(file, f"job {name}"), ChainMap(_variables(job), shared), limits)
    if tree.get("include") is not None:
        project.notes.append(f"{file}: include is not followed; name the other files too")


def _variables(tree: TreeMapping) -> dict[str, str]:
    found = {}
    for name, value in mapping_at(tree, "variables").items():
        text = str(value) if isinstance(value, str) else text_at(value, "value")
        if text is not None:
            found[name] = text
    return found


def _add_job(
    project: Project, job: TreeMapping, place: Place, variables: Mapping[str, str], limits: Limits
) -> None:
    for key, images in (("image", [job.get("image")]), ("service", list_at(job, "services"))):
        for image in images:
            text = str(image) if isinstance(image, str) else text_at(image, "name")
            if text:
                _add(project, text, Place(place.file, f"{place.part}, {key}"), variables, limits)


def _add(project: Project, text: str, place: Place, variables: Mapping[str, str], limits: Limits) -> None:
    blanks = Blanks()
    limits = replace(limits, discovered_bytes=min(limits.discovered_bytes, _LONGEST))
    image = text
    # A variable may name others; more rounds than this nobody writes.
    for _ in range(3):
        image = Interpolation(variables, limits, blanks).text(image, place.part, place.file)
        if "$" not in image:
            break
    if blanks.names or "$[[" in image:
        # What GitLab gives, such as CI_REGISTRY_IMAGE, is known to GitLab only; a name without it is another one.
        project.notes.append(
            f"{place} is left out: {', '.join(blanks.names)[:300] or 'an input'} is not set in the file"
        )
    elif read_reference(image) is not None:
        project.hits.append(Hit(image, place))
    else:
        raise ProjectError(f"{place}: the image is not an image's name: {text!r:.200}")
