"""What a user can say about a project, as options or variables, and what follows: files, environment, name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bundler.discover.compose.dotenv import parse_dotenv
from bundler.discover.compose.interpolation import Blanks
from bundler.discover.reading import read_bytes
from bundler.errors import ProjectError
from bundler.model.limits import Limits

STANDARD_INPUT = "-"
FILE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDE_NAMES = (
    "compose.override.yml", "compose.override.yaml", "docker-compose.override.yml", "docker-compose.override.yaml",
)  # fmt: skip
_TRUE = frozenset({"1", "t", "true"})


@dataclass(frozen=True)
class ComposeOptions:
    """The options of `docker compose` that choose a project.

    Attributes:
        files: ``-f``, in order; ``-`` is standard input.
        project_name: ``-p``.
        profiles: ``--profile``.
        env_files: ``--env-file``.
        project_directory: ``--project-directory``.
        environment: the variables of the process.
        directory: the directory that the user is in; it is not always the process's.
    """

    files: tuple[str, ...] = ()
    project_name: str | None = None
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    project_directory: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = Path()

    def inside(self, directory: Path) -> ComposeOptions:
        """Return the options for the project of a directory, found by Compose's own lookup there."""
        return replace(self, files=default_files(directory), directory=directory)


@dataclass(frozen=True)
class Settled:
    """What the options come to.

    Attributes:
        files: the Compose files, in order.
        directory: the project's directory, where relative paths begin.
        environment: every variable.
        profiles: those that are on.
    """

    files: tuple[str, ...]
    directory: Path
    environment: dict[str, str]
    profiles: tuple[str, ...]

    @property
    def separator(self) -> str:
        """What stands between project and service in the name of an image that is built."""
        return "_" if self.environment.get("COMPOSE_COMPATIBILITY") == "true" else "-"


def settle(options: ComposeOptions, limits: Limits, blanks: Blanks) -> Settled:
    """Find files, directory and variables in the order in which `docker compose` does.

    Raises:
        ProjectError, NotFound: there is no Compose file, or a file of variables is not there or wrong.
    """
    environment = dict(options.environment)
    directory = options.project_directory or _directory_of(options.files, options.directory)
    _add_env_files(environment, options, directory, limits, blanks)
    files = options.files or _files_of(environment, options.directory) or _searched(directory)
    if not files:
        raise ProjectError(
            f"no Compose file in {directory} or above it", advice=f"Name one with -f, or {FILE_NAMES[0]}."
        )
    # The files may lie elsewhere than the search began, with variables of their own.
    directory = options.project_directory or _directory_of(files, options.directory)
    _add_env_files(environment, options, directory, limits, blanks)
    profiles = options.profiles or tuple(environment.get("COMPOSE_PROFILES", "").split(","))
    return Settled(files, directory, environment, profiles)


def default_files(directory: Path) -> tuple[str, ...]:
    """Return the Compose file that a directory has, and the one over it; nothing if it has none."""
    first = next((directory / name for name in FILE_NAMES if (directory / name).is_file()), None)
    if first is None:
        return ()
    over = next((directory / name for name in OVERRIDE_NAMES if (directory / name).is_file()), None)
    return (str(first),) if over is None else (str(first), str(over))


def project_name(options: ComposeOptions, settled: Settled, named: str) -> str:
    """Return the project's name: option, variable, the files' ``name``, or the directory's.

    Args:
        options: Where ``-p`` stands.
        settled: Where the variables are.
        named: What the files say, with variables replaced; ``""`` for nothing.

    Raises:
        ProjectError: an option or variable is no project name, or nothing gives one.
    """
    for given, whence in (
        (options.project_name, "-p"),
        (settled.environment.get("COMPOSE_PROJECT_NAME"), "COMPOSE_PROJECT_NAME"),
    ):
        if given:
            if normal_name(given) != given:
                raise ProjectError(
                    f"not a project name ({whence}): {given!r:.100}",
                    advice="Use lower-case letters, digits, - and _, a letter or digit first.",
                )
            return given
    name = normal_name(named) or normal_name(settled.directory.absolute().name)
    if not name:
        raise ProjectError(f"the directory {settled.directory} gives no project name", advice="Name it with -p.")
    return name


def normal_name(text: str) -> str:
    """Return a text as a project name: lower case, without what may not stand in one."""
    return re.sub(r"[^-_a-z0-9]", "", text.lower()).lstrip("_-")


def add_variables(
    environment: dict[str, str], files: list[Path], limits: Limits, blanks: Blanks
) -> dict[str, str]:
    """Add the variables of files to an environment and return it; what is set already stays.

    Raises:
        NotFound, ProjectError: a file is not there, or not one of variables.
    """
    found: dict[str, str] = {}
    for file in files:
        found = parse_dotenv(read_bytes(file, limits), str(file), environment, limits, blanks, earlier=found)
    for key, value in found.items():
        environment.setdefault(key, value)
    return environment


def _add_env_files(
    environment: dict[str, str], options: ComposeOptions, directory: Path, limits: Limits, blanks: Blanks
) -> None:
    names = options.env_files or tuple(filter(None, environment.get("COMPOSE_ENV_FILES", "").split(",")))
    if names:
        files = [options.directory / name for name in names]
    else:
        files = [directory / ".env"] if (directory / ".env").is_file() else []
        if environment.get("COMPOSE_DISABLE_ENV_FILE", "").lower() in _TRUE:
            files = []
    add_variables(environment, files, limits, blanks)


def _files_of(environment: Mapping[str, str], directory: Path) -> tuple[str, ...]:
    text = environment.get("COMPOSE_FILE")
    if not text:
        return ()
    separator = environment.get("COMPOSE_PATH_SEPARATOR") or ":"
    return tuple(
        name if name == STANDARD_INPUT else str(directory / name) for name in text.split(separator) if name
    )


def _searched(directory: Path) -> tuple[str, ...]:
    """Look for a Compose file here and in every directory above."""
    for place in (directory, *directory.absolute().parents):
        if files := default_files(place):
            return files
    return ()


def _directory_of(files: tuple[str, ...], otherwise: Path) -> Path:
    return next((Path(name).parent for name in files if name != STANDARD_INPUT), otherwise)
