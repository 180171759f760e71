"""What the command says, and where: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import sys
import traceback

from bundler.errors import AirbundleError
from bundler.progress import SILENT, Progress


def printable(text: str) -> str:
    """Return text that can do a terminal no harm: control characters from outside are shown escaped."""
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


class Console:
    """The voice of one run of the command."""

    def __init__(self, *, as_json: bool, quiet: bool, verbose: bool) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose

    @property
    def progress(self) -> Progress:
        """Where the library tells what it is doing: bars on a terminal, lines elsewhere, nothing if quiet."""
        if self.quiet:
            return SILENT
        if sys.stderr.isatty():
            from bundler.cli.bars import BarProgress

            return BarProgress()
        from bundler.cli.lines import LineProgress

        return LineProgress()

    def document(self, value: object) -> None:
        """Print the one JSON document of a command, if JSON was asked for."""
        if self.as_json:
            print(json.dumps(value, indent=2, sort_keys=True))

    def line(self, text: str = "") -> None:
        """Print a line for people, unless they asked for JSON or for silence."""
        if not self.as_json and not self.quiet:
            print(printable(text))

    def warn(self, text: str) -> None:
        """Say on stderr what needs attention and is no error."""
        if not self.quiet:
            print(f"airbundle: warning: {printable(text)}", file=sys.stderr)

    def error(self, error: AirbundleError) -> None:
        """Print an error with its cause and the next step; as one JSON object if JSON was asked for."""
        if self.as_json:
            print(json.dumps(describe_error(error), sort_keys=True), file=sys.stderr)
            return
        print(f"airbundle: error: {printable(error.message)}", file=sys.stderr)
        if error.advice:
            print(f"  next: {printable(error.advice)}", file=sys.stderr)
        if self.verbose and error.__cause__ is not None:
            detail = "".join(traceback.format_exception_only(type(error.__cause__), error.__cause__)).strip()
            print(f"  cause: {printable(detail)}", file=sys.stderr)


def describe_error(error: AirbundleError) -> dict[str, object]:
    """Return the machine-readable form of an error."""
    return {
        "error": {
            "code": error.code,
            "exit_status": int(error.exit_status),
            "message": error.message,
            "advice": error.advice,
        }
    }
