"""Reads the commands out of a README.txt, as a person does: lines that begin with four spaces."""

from __future__ import annotations

import re
from dataclasses import dataclass

CHECK, AIRBUNDLE, SH, POWERSHELL = 1, 2, 3, 4
#: Stands in the text for the registry of whoever reads it.
REGISTRY = "registry.example:5000"


@dataclass(frozen=True)
class Command:
    """One command, the number of its section, and the line above it: of whom or of what application it is."""

    section: int
    heading: str
    line: str


def commands_in(text: str) -> list[Command]:
    """Return all commands of a README.txt, in order."""
    found, section, heading = [], 0, ""
    for line in text.splitlines():
        if match := re.match(r"([1-9])\. [A-Z]", line):
            section, heading = int(match[1]), ""
        elif line.startswith("    "):
            found.append(Command(section, heading, line[4:]))
        elif line.startswith("  "):
            heading = line.strip()
    return found


def lines_of(text: str, section: int, heading: str) -> list[str]:
    """Return the commands below one heading of a section."""
    return [one.line for one in commands_in(text) if (one.section, one.heading) == (section, heading)]
