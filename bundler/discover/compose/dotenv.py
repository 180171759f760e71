"""``.env`` files, as `docker compose` reads them. Their values reach no message: they may be secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from bundler.discover.compose.interpolation import Blanks, Interpolation
from bundler.discover.reading import decode, too_much
from bundler.errors import ProjectError
from bundler.model.limits import Limits

_KEY = re.compile(r"(?:export[ \t]+)?([\w.\-\[\]]+)[ \t]*(=|:|\r?\n|\Z)")
_BLANK = re.compile(r"(?:\s|#[^\n]*)+")
_SPACE = re.compile(r"[ \t\v\f\r\x85\xa0]*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


def parse_dotenv(
    raw: bytes,
    name: str,
    environment: Mapping[str, str],
    limits: Limits,
    blanks: Blanks | None = None,
    earlier: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Read a file of variables.

    Args:
        raw: The file.
        name: Its name, for errors.
        environment: Variables that are set already: they win, also where a value of the file names one.
        limits: Bound what comes out.
        blanks: Is told which variables that a value names are not set.
        earlier: The variables of files before this one; those of this one win.

    Returns:
        The variables of the file, and the earlier ones; those that are set already with the value that they have.

    Raises:
        ProjectError: a line is none; it is named by its number only.
    """
    text = decode(raw, name).replace("\r\n", "\n")
    found: dict[str, str] = dict(earlier or {})
    context = _Context(name, Interpolation(_Values(environment, found), limits, blanks, quotes=False))
    chars = position = 0
    while True:
        blank = _BLANK.match(text, position)
        position = blank.end() if blank else position
        if position >= len(text):
            return found
        match = _KEY.match(text, position)
        if match is None and text[position] in "=:":
            # Nobody can name it.
            position = _end_of_line(text, position)
            continue
        if match is None:
            raise ProjectError(f"{name}, line {_line(text, position)}: not a variable", advice="Write NAME=VALUE.")
        key = match[1]
        position = match.end()
        if match[2] not in ("=", ":"):
            # Without a value: the one that the environment has, if it has one.
            if key in environment:
                found[key] = environment[key]
            continue
        value, position = _value(text, position, context)
        found[key] = environment.get(key, value)
        chars += len(found[key])
        if chars > limits.discovered_bytes:
            raise too_much(limits.discovered_bytes, f"{name}: its variables make too much text")


class _Values(dict[str, str]):
    """The variables that a value may name: the environment's, then the file's own so far."""

    def __init__(self, environment: Mapping[str, str], found: Mapping[str, str]) -> None:
        super().__init__()
        self._maps = (environment, found)

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        return next((one[key] for one in self._maps if key in one), default)


class _Context(NamedTuple):
    name: str
    interpolation: Interpolation


def _value(text: str, position: int, context: _Context) -> tuple[str, int]:
    """Return the value at a position, and where its line goes on."""
    space = _SPACE.match(text, position)
    start = space.end() if space else position
    quote = text[start : start + 1]
    if quote not in ("'", '"') or not quote:
        end = _end_of_line(text, start)
        # A comment begins behind a blank, and only there.
        return _expanded(text[start:end].partition(" #")[0].rstrip(), text, start, context), end
    end = start + 1
    while end < len(text) and text[end] != quote:
        end += 2 if text[end] == "\\" else 1
    if end >= len(text):
        raise ProjectError(f"{context.name}, line {_line(text, start)}: a quoted value does not end")
    inner = text[start + 1 : end]
    rest = _end_of_line(text, end)
    if quote == "'":
        return inner.replace("\\'", "'"), rest
    unescaped = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], "$$" if found[1] == "$" else found[1]), inner)
    return _expanded(unescaped, text, start, context), rest


def _expanded(value: str, text: str, start: int, context: _Context) -> str:
    if "$" not in value:
        return value
    try:
        return context.interpolation.text(value, "a value", context.name)
    except ProjectError as error:
        # Lines are counted only now: doing it for every value takes as long as the square of the file.
        raise ProjectError(f"{error.message} (line {_line(text, start)})", advice=error.advice) from None


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _end_of_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end
