"""Dockerfiles: the images of ``FROM``, ``COPY --from`` and ``RUN --mount=from=`` that are no stages of it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace

from bundler.discover.compose.interpolation import Blanks, Interpolation
from bundler.discover.hits import Hit, Place, Project
from bundler.discover.references import read_reference
from bundler.errors import ProjectError
from bundler.model.limits import Limits

_ESCAPE = re.compile(r"#[ \t]*escape[ \t]*=[ \t]*([\\`])[ \t]*", re.IGNORECASE)
_DIRECTIVE = re.compile(r"#[ \t]*[a-zA-Z]+[ \t]*=.*")
_HEREDOC = re.compile(r"<<-?[\"']?([A-Za-z_][A-Za-z0-9_]*)[\"']?", re.ASCII)
_MOUNT_FROM = re.compile(r"(?:^|,)from=([^,]+)")
#: Characters that the arguments of one image may make; no name of one is nearly as long.
_LONGEST = 100_000
_EMPTY = "scratch"
_INSTRUCTIONS = frozenset(
    {
        "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
        "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
    }
)  # fmt: skip
_FIRST = frozenset({"FROM", "ARG"})


def is_dockerfile(text: str) -> bool:
    """Tell whether a text begins as a Dockerfile does: with ``FROM``, or an ``ARG`` for one."""
    first = next(iter(_instructions(text)), None)
    return first is not None and first[1] in _FIRST and len(first[2].split()) >= 1


def add_dockerfile(project: Project, text: str, file: str, limits: Limits) -> None:
    """Add the images of a Dockerfile to a project.

    Args:
        project: Is given hits, and notes on images that an argument without a value leaves open.
        text: The file.
        file: Its name.
        limits: Bound what arguments make.

    Raises:
        ProjectError: there is no ``FROM``, or an image is not the name of one.
    """
    arguments: dict[str, str] = {}
    stages: set[str] = set()
    began = False
    for number, instruction, rest in _instructions(text):
        if instruction not in _INSTRUCTIONS:
            raise ProjectError(f"{file}, line {number}: not an instruction of a Dockerfile: {instruction!r:.50}")
        if instruction == "ARG" and not began:
            _declare(arguments, rest)
        for image in _images(instruction, rest):
            _add(project, image, Place(file, f"line {number}, {instruction}"), stages, arguments, limits)
        if instruction == "FROM":
            began = True
            words = [word for word in rest.split() if not word.startswith("--")]
            if len(words) >= 3 and words[1].lower() == "as":
                stages.add(words[2].lower())
    if not began:
        raise ProjectError(f"{file} is not a Dockerfile: it has no FROM")


def _declare(arguments: dict[str, str], rest: str) -> None:
    for word in rest.split():
        name, equals, value = word.partition("=")
        if equals:
            arguments[name] = value.strip("\"'")


def _images(instruction: str, rest: str) -> Iterator[str]:
    flags = [word for word in rest.split() if word.startswith("--")]
    if instruction == "FROM":
        yield from [word for word in rest.split() if not word.startswith("--")][:1]
    elif instruction in ("COPY", "ADD"):
        yield from (flag.partition("=")[2] for flag in flags if flag.startswith("--from="))
    elif instruction == "RUN":
        for flag in flags:
            if flag.startswith("--mount=") and (match := _MOUNT_FROM.search(flag.removeprefix("--mount="))):
                yield match[1]


def _add(
    project: Project, image: str, place: Place, stages: set[str], arguments: dict[str, str], limits: Limits
) -> None:
    blanks = Blanks()
    limits = replace(limits, discovered_bytes=min(limits.discovered_bytes, _LONGEST))
    name = Interpolation(arguments, limits, blanks).text(image.strip("\"'"), place.part, place.file)
    # Stages are also known by their number.
    if name.lower() in stages or name == _EMPTY or name.isdecimal():
        return
    if read_reference(name) is not None:
        project.hits.append(Hit(name, place))
    elif blanks.names:
        project.notes.append(f"{place} is left out: {', '.join(blanks.names)[:300]} has no default")
    else:
        raise ProjectError(f"{place}: the image is not an image's name: {image!r:.200}")
    project.notes += [
        f"{place}: the argument {one:.100} has no default; it is taken as blank" for one in blanks.names
    ]


def _instructions(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, instruction and the rest of each, with continued lines joined and here-documents left out."""
    lines = text.splitlines()
    escape, ends = _escape_of(lines), _Ends(lines)
    number = 0
    while number < len(lines):
        start = number
        pieces: list[str] = []
        while number < len(lines):
            # What continues a line keeps the blanks before it: nothing else stands between the two.
            line = lines[number].rstrip()
            number += 1
            if line.lstrip().startswith("#") or (pieces and not line):
                # Comments and empty lines may stand between continued lines.
                if pieces:
                    continue
                break
            if not line.endswith(escape):
                pieces.append(line)
                break
            pieces.append(line[:-1])
        words = "".join(pieces).split(None, 1)
        if not words:
            continue
        instruction, rest = words[0].upper(), words[1].strip() if len(words) > 1 else ""
        yield start + 1, instruction, rest
        for match in _HEREDOC.finditer(rest) if instruction in ("RUN", "COPY", "ADD") else ():
            number = ends.behind(number, match[1])


class _Ends:
    """Finds the ends of here-documents without reading the whole rest of the file for each of them."""

    def __init__(self, lines: list[str]) -> None:
        self._numbers: dict[str, list[int]] = {}
        for number, line in enumerate(lines):
            self._numbers.setdefault(line.strip(), []).append(number)

    def behind(self, number: int, word: str) -> int:
        """Return the line behind a here-document; the same line if it does not end, for then it was none."""
        ends = self._numbers.get(word, [])
        place = bisect_left(ends, number)
        return ends[place] + 1 if place < len(ends) else number


def _escape_of(lines: list[str]) -> str:
    for line in lines:
        if match := _ESCAPE.fullmatch(line.strip()):
            return match[1]
        if not _DIRECTIVE.fullmatch(line.strip()):
            break
    return "\\"
