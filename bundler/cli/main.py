"""The command ``airbundle``: commands in groups, errors as cause and next step, exit statuses as documented."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bundler import __version__
from bundler.cli.commands import (
    answer,
    copy,
    discover,
    extract,
    inspect,
    load,
    pack,
    parity,
    plan,
    push,
    repair,
    request,
    schema,
    verify,
)
from bundler.cli.console import Console
from bundler.cli.options import CARRYING, FAR_SIDE, NEAR_SIDE, TOOLS
from bundler.cli.signals import ignore_signals, interrupt_on_signals
from bundler.cli.text import flush, show
from bundler.errors import AirbundleError, ExitStatus, Interrupted, UsageError

app = typer.Typer(
    name="airbundle",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("plan", rich_help_panel=NEAR_SIDE)(plan.run)
app.command("pack", rich_help_panel=NEAR_SIDE)(pack.run)
app.command("discover", rich_help_panel=NEAR_SIDE)(discover.run)
app.command("inspect", rich_help_panel=CARRYING)(inspect.run)
app.command("verify", rich_help_panel=CARRYING)(verify.run)
app.command("copy", rich_help_panel=CARRYING)(copy.run)
app.command("parity", rich_help_panel=CARRYING)(parity.run)
app.command("repair", rich_help_panel=CARRYING)(repair.run)
app.command("request", rich_help_panel=CARRYING)(request.run)
app.command("answer", rich_help_panel=CARRYING)(answer.run)
app.command("load", rich_help_panel=FAR_SIDE)(load.run)
app.command("push", rich_help_panel=FAR_SIDE)(push.run)
app.command("extract", rich_help_panel=FAR_SIDE)(extract.run)
app.command("schema", rich_help_panel=TOOLS)(schema.run)


def _show_version(wanted: bool) -> None:
    if wanted:
        show(f"airbundle {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Pack container images by application, carry them into isolated networks, and prove that they arrived."""


def run() -> None:
    """Run the command with the arguments of the process, and leave with its exit status."""
    interrupt_on_signals()
    status = main(sys.argv[1:])
    ignore_signals()
    sys.exit(status)


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status."""
    # Options are not parsed yet when parsing them fails; these two decide how any error is shown.
    console = Console(as_json="--json" in arguments, quiet=False, verbose=_is_verbose(arguments))
    try:
        status = int(app(arguments, prog_name="airbundle", standalone_mode=False) or 0)
        if status == ExitStatus.INTERRUPTED:
            # typer makes a silent exit of Ctrl-C; no failure of ours is silent.
            raise KeyboardInterrupt
        return _flushed(status)
    except AirbundleError as error:
        return _fail(console, error)
    except (KeyboardInterrupt, typer.Abort):
        return _fail(console, Interrupted("interrupted; nothing is half-written under a final name"))
    except typer.TyperException as error:
        # Without a command the help was printed, and there is no message.
        return _fail(console, UsageError(error.format_message() or "no command is named"))
    except Exception as error:
        if console.verbose:
            raise
        return _fail(console, AirbundleError(f"unexpected {type(error).__name__}: {error}"))


def _flushed(status: int) -> int:
    """Write out what stdout still holds; a reader that has gone changes nothing about what was found."""
    flush()
    return status


def _fail(console: Console, error: AirbundleError) -> int:
    console.error(error)
    return int(error.exit_status)


def _is_verbose(arguments: list[str]) -> bool:
    return "--verbose" in arguments or "-v" in arguments
