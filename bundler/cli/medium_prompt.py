"""Asks the user to change media: on stderr, with a line on stdin as the answer, typed or from a script."""

from __future__ import annotations

import sys

from bundler.bundle.copying.media.changing import MediumRequest
from bundler.cli.text import printable, say
from bundler.model.sizes import format_size

_MOST_NAMED = 8


def ask_for_medium(request: MediumRequest) -> bool:
    """Ask for another medium, also when quiet, as nothing goes on without; return whether somebody answered."""
    where = printable(" or ".join(map(str, request.directories)))
    if request.problem is not None:
        say(f"airbundle: not this one: {printable(request.problem)}")
    count = len(request.parts)
    named = ", ".join(request.parts[:_MOST_NAMED]) + (" …" if count > _MOST_NAMED else "")
    parts = f"{count} {'part' if count == 1 else 'parts'}, {format_size(request.size)}"
    if request.role == "source":
        say(f"airbundle: {parts}, still missing: {printable(named)}")
        say(f"  next: mount a medium that has some of them at {where}, then press Enter; end of input stops here.")
    else:
        say(f"airbundle: {parts}, still to be copied: {printable(named)}")
        say(f"  next: mount another medium at {where}, then press Enter; end of input stops here.")
    return _answered()


def _answered() -> bool:
    if sys.stdin is None:
        return False
    try:
        return bool(sys.stdin.readline())
    except (OSError, ValueError):
        return False  # nobody can answer on what is closed, or no text
