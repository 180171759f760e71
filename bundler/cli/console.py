"""What the command says, and where: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from bundler.cli.text import printable, say, show
from bundler.errors import AirbundleError
from bundler.progress import SILENT, Progress


class Console:
    """The voice of one run of the command."""

    def __init__(self, *, as_json: bool, quiet: bool, verbose: bool) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose

    @property
    def progress(self) -> Progress:
        """Where the library tells what it is doing: bars on a terminal, lines elsewhere, nothing if quiet.

        No lines with JSON either, unless they are asked for: a program that reads stderr finds one object there.
        """
        if self.quiet or sys.stderr is None:
            return SILENT
        if sys.stderr.isatty():
            from bundler.cli.bars import BarProgress

            return BarProgress()
        if self.as_json and not self.verbose:
            return SILENT
        from bundler.cli.lines import LineProgress

        return LineProgress()

    def document(self, value: object) -> None:
        """Print the one JSON document of a command, if JSON was asked for."""
        if self.as_json:
            import json

            show(json.dumps(value, indent=2, sort_keys=True))

    def line(self, text: str = "") -> None:
        """Print a line for people, unless they asked for JSON or for silence."""
        if not self.as_json and not self.quiet:
            show(printable(text))

    def warn(self, text: str) -> None:
        """Say on stderr what needs attention and is no error; in JSON it stands in the document."""
        if not self.quiet and not self.as_json:
            say(f"airbundle: warning: {printable(text)}")

    def warn_of_all(self, texts: Iterable[str]) -> None:
        """Say several such things, each in a line."""
        for text in texts:
            self.warn(text)

    def insist(self, text: str) -> None:
        """Say on stderr what nobody may miss, also if they asked for silence; with JSON as one JSON object."""
        if self.as_json:
            import json

            say(json.dumps({"warning": text}, sort_keys=True))
        else:
            say(f"airbundle: warning: {printable(text)}")

    def error(self, error: AirbundleError) -> None:
        """Print an error with its cause and the next step; as one JSON object if JSON was asked for."""
        if self.as_json:
            import json

            say(json.dumps(describe_error(error), sort_keys=True))
            return
        # A parser's message may have several lines; only the first one looks like the beginning of an error.
        first, *more = error.message.split("\n")
        say(f"airbundle: error: {printable(first)}")
        for line in more:
            say(f"    {printable(line)}")
        if error.advice:
            say(f"  next: {printable(error.advice)}")
        if self.verbose and error.__cause__ is not None:
            import traceback

            detail = "".join(traceback.format_exception_only(type(error.__cause__), error.__cause__)).strip()
            say(f"  cause: {printable(detail)}")


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
