"""The page that holds the last table: what people wrote around it stays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_BEGIN = "<!-- figures: written by scripts/bench --write-docs -->"
_END = "<!-- end of figures -->"


class NoPlaceForFigures(Exception):
    """The page has not both marks, in their order."""


def figures(table: str, machine: Mapping[str, str], conditions: Mapping[str, str]) -> str:
    """Return a table with what it was measured on and how."""
    lines = [f"- {name}: {value}" for name, value in {**machine, **conditions}.items()]
    return "\n".join([*lines, "", table.rstrip("\n"), ""])


def with_figures(page: str, text: str) -> str:
    """Return a page with other figures between its marks.

    Raises:
        NoPlaceForFigures: a mark is missing.
    """
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise NoPlaceForFigures(f"the page needs the lines {_BEGIN!r} and {_END!r}")
    return f"{before}{_BEGIN}\n\n{text.rstrip()}\n\n{_END}{after}"


def write_figures(path: Path, text: str) -> None:
    """Put figures into a page.

    Raises:
        NoPlaceForFigures: a mark is missing.
    """
    path.write_text(with_figures(path.read_text(encoding="utf-8"), text), encoding="utf-8")
