"""The cases in ``tests/discover_files``: a directory each, with what discover must say of it in ``expected.txt``.

The first line, after ``$``, holds the arguments, and ``< FILE`` what comes on standard input. Then lines of
``env NAME=VALUE``; ``compare VERSION`` says which `docker compose` knows what is used, or ``never``.
The rest is what comes out: ``APPLICATION [guess|build] FULL-NAME``, ``! NOTE``, or ``exit 2: MESSAGE``.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

FILES = Path(__file__).resolve().parents[2] / "discover_files"


@dataclass
class Case:
    """What ``expected.txt`` of a directory says."""

    directory: Path
    arguments: list[str] = field(default_factory=list)
    standard_input: bytes = b""
    environment: dict[str, str] = field(default_factory=dict)
    compare: str = "2.0"
    images: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    refusal: str = ""

    @property
    def name(self) -> str:
        return self.directory.relative_to(FILES).as_posix()


def read_case(file: Path) -> Case:
    case = Case(file.parent)
    first, *lines = file.read_text(encoding="utf-8").splitlines()
    command, _, redirected = first.removeprefix("$").partition("<")
    case.arguments = shlex.split(command)
    if redirected:
        case.standard_input = (file.parent / redirected.strip()).read_bytes()
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "env":
            name, _, value = rest.partition("=")
            case.environment[name] = value
        elif word == "compare":
            case.compare = rest
        elif word == "!":
            case.notes.append(rest)
        elif word == "exit":
            case.refusal = rest.removeprefix("2: ")
        else:
            case.images.add(line)
    return case


CASES = [read_case(file) for file in sorted(FILES.rglob("expected.txt"))]
