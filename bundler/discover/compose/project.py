"""A Compose project: from the user's options to the images of its services."""

from __future__ import annotations

from bundler.discover.compose.files import ComposeFiles
from bundler.discover.compose.interpolation import Blanks, Interpolation
from bundler.discover.compose.model import ServiceImages
from bundler.discover.compose.options import ComposeOptions, project_name, settle
from bundler.discover.compose.profiles import enabled
from bundler.discover.hits import Project
from bundler.errors import AirbundleError, ProjectError
from bundler.model.limits import DEFAULT_LIMITS, Limits


def read_project(
    options: ComposeOptions, standard_input: bytes | None = None, limits: Limits = DEFAULT_LIMITS
) -> Project:
    """Read a project as `docker compose config --images` does.

    Args:
        options: What the user said.
        standard_input: What came there, for the file ``-``.
        limits: Bound everything.

    Raises:
        ProjectError, NotFound: a file, variable or service is wrong or not there; the message names it.
        DiskError: a file cannot be read.
    """
    blanks = Blanks()
    try:
        project = _read(options, standard_input, limits, blanks)
    except AirbundleError as error:
        # Names and paths may hold the values of variables, and those may be secrets.
        raise type(error)(blanks.hidden(error.message), advice=error.advice) from None
    return project


def _read(options: ComposeOptions, standard_input: bytes | None, limits: Limits, blanks: Blanks) -> Project:
    settled = settle(options, limits, blanks)
    reader = ComposeFiles(limits, standard_input)
    interpolation = Interpolation(settled.environment, limits, blanks)
    name = project_name(options, settled, reader.project_name(settled.files, interpolation))
    settled.environment["COMPOSE_PROJECT_NAME"] = name
    model = reader.model(settled.files, settled.directory, interpolation)
    try:
        services = enabled(model.services, settled.profiles)
    except ProjectError as error:
        raise ProjectError(f"{settled.files[0]}: {error.message}", advice=error.advice) from None
    images = ServiceImages(name, settled.separator, model.homes, blanks.values)
    hits = list(images.hits(services))
    notes = [
        f"{settled.files[0]}: the variable {one:.100} is not set; it is taken as blank" for one in blanks.names
    ]
    return Project(name, hits, [*notes, *images.notes])
