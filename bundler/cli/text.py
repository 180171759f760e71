"""Lines for people: what is safe to print, and printing that never stops the work."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from bundler.errors import DiskError


def printable(text: str) -> str:
    """Return text that can do a terminal no harm: control characters from outside are shown escaped.

    Line ends too: a name that holds one must not be able to add a line of its own to what is printed.
    """
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def say(text: str) -> None:
    """Print a line on stderr. Nobody may be listening any more; that is no reason to stop the work."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            print(text, file=sys.stderr, flush=True)


def show(text: str) -> None:
    """Print a line on stdout. Whoever read it may have gone: what the command found stays its exit status.

    Raises:
        DiskError: the file that stdout is cannot be written.
    """
    with _output_errors():
        print(text)


def flush() -> None:
    """Write out what stdout still holds.

    Raises:
        DiskError: the file that stdout is cannot be written.
    """
    if sys.stdout is not None:
        with _output_errors():
            sys.stdout.flush()


@contextlib.contextmanager
def _output_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        drop_output()
    except OSError as error:
        drop_output()
        raise DiskError(f"the output cannot be written: {error.strerror}") from error


def drop_output() -> None:
    """Send to nowhere what is still to be printed on stdout, where writing it at exit would only fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
