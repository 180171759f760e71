"""The commands as typer parses them. Importing this takes longer than all else that a short answer needs."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Annotated

import typer

from bundler.cli import catalogue
from bundler.cli.text import show
from bundler.errors import ExitStatus, UsageError


def run_command(arguments: list[str]) -> int:
    """Run one command; return its exit status.

    Raises:
        UsageError: the arguments are not what the command takes.
        KeyboardInterrupt: the command was interrupted; typer would make a silent exit of that.
        AirbundleError: whatever the command could not do.
    """
    # The one that is asked for is enough; if it is none, the error may name all.
    named = arguments[:1] if arguments[0] in catalogue.NAMES else catalogue.NAMES
    try:
        status = int(application(named)(arguments, prog_name="airbundle", standalone_mode=False) or 0)
    except typer.Abort:
        status = ExitStatus.INTERRUPTED
    except typer.TyperException as error:
        raise UsageError(error.format_message()) from None
    if status == ExitStatus.INTERRUPTED:
        raise KeyboardInterrupt
    return status


def application(names: Iterable[str] = catalogue.NAMES) -> typer.Typer:
    """Return the command with these of its subcommands.

    The help is plain text: boxes around it would take longer to load than the whole rest.
    """
    app = typer.Typer(
        name="airbundle",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(cls=_Root, help=catalogue.PURPOSE)(_root)
    for name in names:
        app.command(name)(import_module(f"bundler.cli.commands.{name}").run)
    return app


class _Root(typer.core.TyperGroup):
    """The command without a subcommand, whose help lists all of them in groups."""

    def get_help(self, ctx: object) -> str:
        """Return what ``--help`` prints."""
        return catalogue.overview()


def _show_version(wanted: bool) -> None:
    if wanted:
        show(catalogue.version_text())
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help=catalogue.OPTIONS["--version"])
    ] = False,
) -> None:
    pass
