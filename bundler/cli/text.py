"""Lines for people: what is safe to print, and printing that never stops the work."""

from __future__ import annotations

import contextlib
import os
import sys


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
    """Print a line on stdout. Whoever read it may have gone: what the command found stays its exit status."""
    try:
        print(text)
    except BrokenPipeError:
        drop_output()


def drop_output() -> None:
    """Send to nowhere what is still to be printed on stdout, where writing it at exit would only fail again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
