"""airbundle discover."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bundler.cli import options
from bundler.cli.console import Console

_COMPOSE = "As docker compose has them"

Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILE|DIR|-]...",
        help="Compose files, Kubernetes manifests, kustomizations, Helm charts and their output, Dockerfiles, "
        "pipelines, Quadlet files, lists. Default: the Compose project of this directory.",
        show_default=False,
    ),
]
Files = Annotated[
    list[str] | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help="A Compose file, - for standard input; the next one goes over it.",
        rich_help_panel=_COMPOSE,
        show_default=False,
    ),
]
ProjectName = Annotated[
    str | None,
    typer.Option(
        "--project-name", "-p", metavar="NAME", help="Name of the project, of any kind.", rich_help_panel=_COMPOSE
    ),
]
Profiles = Annotated[
    list[str] | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Turn on the services of a profile; '*' turns on all. May be repeated.",
        rich_help_panel=_COMPOSE,
        show_default=False,
    ),
]
EnvFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--env-file",
        metavar="FILE",
        help="A file of variables in place of .env; may be repeated.",
        rich_help_panel=_COMPOSE,
        show_default=False,
    ),
]
ProjectDirectory = Annotated[
    Path | None,
    typer.Option(
        "--project-directory", metavar="DIR", help="Where relative paths begin.", rich_help_panel=_COMPOSE
    ),
]
Why = Annotated[
    str | None, typer.Option("--why", metavar="IMAGE", help="Print who names this image, and nothing else.")
]
Update = Annotated[
    Path | None,
    typer.Option("--update", metavar="CONFIG", help="Edit this configuration in place; its comments stay."),
]


def run(
    paths: Paths = None,
    file: Files = None,
    project_name: ProjectName = None,
    profile: Profiles = None,
    env_file: EnvFiles = None,
    project_directory: ProjectDirectory = None,
    why: Why = None,
    update: Update = None,
    limit: options.LimitValues = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Find the images that projects name, and print a configuration for pack: one application per project."""
    from bundler.api.discovering import discover_images
    from bundler.cli.discover_view import show_changes, show_config, show_why
    from bundler.cli.limits import read_limits
    from bundler.discover.compose.options import ComposeOptions
    from bundler.errors import UsageError

    if why is not None and update is not None:
        raise UsageError("--why and --update do not go together")
    console = Console(as_json=json, quiet=quiet, verbose=verbose)
    limits = read_limits(limit)
    compose = ComposeOptions(
        tuple(file or ()), project_name, tuple(profile or ()), tuple(env_file or ()), project_directory
    )
    found = discover_images(paths or (), compose=compose, limits=limits)
    if why is not None:
        show_why(console, found, why)
    elif update is not None:
        show_changes(console, found, update, limits)
    else:
        show_config(console, found)
    return 0
