"""Looking for images in the files of a project, and writing down what was found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from bundler.content.files import rewrite_file
from bundler.discover.applications import gather
from bundler.discover.compose.options import STANDARD_INPUT, ComposeOptions
from bundler.discover.hits import Discovery
from bundler.discover.kubernetes.charts import Renderer
from bundler.discover.projects import Inputs, check_something, find_projects
from bundler.discover.reading import read_bytes
from bundler.discover.update import Change, updated
from bundler.errors import ProjectError, UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits

#: Seconds that helm may take for one chart.
_HELM_SECONDS = 120.0
_LONGEST_COMPLAINT = 500


def discover_images(
    paths: Iterable[str | Path] = (),
    *,
    compose: ComposeOptions | None = None,
    environment: Mapping[str, str] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Discovery:
    """Find the images that files name. No other machine is asked, and nothing is written.

    Args:
        paths: Files, directories, or ``-`` for standard input; none for the Compose project of this directory.
        compose: The options of `docker compose`.
        environment: Variables for Compose files; default: those of the process.
        limits: Bound everything.

    Raises:
        ProjectError, NotFound: something is wrong or not there, or nothing names an image.
        DiskError: something cannot be read. UsageError: there is no standard input.
    """
    names = tuple(str(path) for path in paths)
    variables = dict(os.environ if environment is None else environment)
    options = replace(compose or ComposeOptions(), environment=variables)
    asked = (*names, *options.files)
    if asked.count(STANDARD_INPUT) > 1:
        raise UsageError("standard input can be read only once")
    given = _standard_input(limits) if STANDARD_INPUT in asked else None
    projects = find_projects(Inputs(names, options, given, helm_renderer(), limits))
    check_something(projects, (*options.files, *names))
    return gather(projects)


def update_config(path: Path, discovery: Discovery, limits: Limits = DEFAULT_LIMITS) -> tuple[Change, ...]:
    """Bring a configuration up to what was found, in place, and return what changed. Its comments stay.

    Raises:
        NotFound, ProjectError: it is not there, no configuration, or cannot be edited with certainty.
        DiskError: it cannot be written.
    """
    raw = read_bytes(path.resolve(), limits)
    text, changes = updated(raw, str(path), discovery, limits)
    if text != raw:
        rewrite_file(path, text)
    return changes


def helm_renderer() -> Renderer | None:
    """Return what runs `helm template`; ``None`` if helm is not installed."""
    program = shutil.which("helm")
    if program is None:
        return None
    return lambda directory: _rendered(program, directory)


def _rendered(program: str, directory: Path) -> bytes:
    command = [program, "template", "release-name", str(directory.absolute())]
    try:
        run = subprocess.run(  # noqa: S603  # no shell; the program is the user's own helm
            command, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=_HELM_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise ProjectError(f"helm takes longer than {_HELM_SECONDS:.0f} s for {directory}") from None
    except OSError as error:
        raise ProjectError(f"helm cannot be run: {os.strerror(error.errno or 0)}") from error
    if run.returncode:
        said = run.stderr.decode("utf-8", "replace").strip()[:_LONGEST_COMPLAINT]
        raise ProjectError(
            f"helm cannot render {directory}: {said}",
            advice="Render it yourself, with its values and dependencies: helm template … | airbundle discover -",
        )
    return run.stdout


def _standard_input(limits: Limits) -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("there is no standard input", advice="Send something: … | airbundle discover -")
    return sys.stdin.buffer.read(limits.discovered_bytes + 1)
