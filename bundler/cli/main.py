"""The command ``airbundle``: short answers at once, errors as cause and next step, exit statuses as documented."""

from __future__ import annotations

import sys

from bundler.cli.catalogue import overview, version_text
from bundler.cli.console import Console
from bundler.cli.signals import ignore_signals, interrupt_on_signals
from bundler.cli.text import flush, show
from bundler.errors import AirbundleError, Interrupted, UsageError


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
        status = _answer(arguments)
        # A reader of stdout that has gone changes nothing about what was found.
        flush()
        return status
    except AirbundleError as error:
        return _fail(console, error)
    except KeyboardInterrupt:
        return _fail(console, Interrupted("interrupted; nothing is half-written under a final name"))
    except Exception as error:
        if console.verbose:
            raise
        return _fail(console, AirbundleError(f"unexpected {type(error).__name__}: {error}"))


def _answer(arguments: list[str]) -> int:
    """Do what is asked for; return the exit status."""
    if arguments == ["--version"]:
        show(version_text())
        return 0
    if not arguments or arguments in (["--help"], ["-h"]):
        show(overview())
        if not arguments:
            raise UsageError("no command is named")
        return 0
    # Only now: it takes longer to load than these answers take altogether.
    from bundler.cli.application import run_command

    return run_command(arguments)


def _fail(console: Console, error: AirbundleError) -> int:
    console.error(error)
    return int(error.exit_status)


def _is_verbose(arguments: list[str]) -> bool:
    return "--verbose" in arguments or "-v" in arguments
