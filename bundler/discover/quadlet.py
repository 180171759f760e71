"""Quadlet files of podman: ``Image=`` of containers, volumes and images; ``ImageTag=`` of builds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bundler.discover.hits import Hit, Mark, Place, Project
from bundler.discover.references import read_reference
from bundler.errors import ProjectError

#: The key that counts in the section of each kind of file.
_KEYS = {
    ".container": ("Container", "Image"),
    ".volume": ("Volume", "Image"),
    ".image": ("Image", "Image"),
    ".build": ("Build", "ImageTag"),
}
SUFFIXES = frozenset(_KEYS)
_UNIT = re.compile(r".+\.(?:image|build)", re.ASCII)
_SECTION = re.compile(r"\[([^\]]+)\]")


def add_quadlet(project: Project, text: str, file: str, suffix: str) -> None:
    """Add the image of a Quadlet file to a project.

    Args:
        project: Is given hits, and notes on names that systemd makes.
        text: The file.
        file: Its name.
        suffix: Its ending, one of ``SUFFIXES``.

    Raises:
        ProjectError: an image is not the name of one.
    """
    wanted_section, wanted_key = _KEYS[suffix]
    values = [
        (number, value)
        for number, section, key, value in _entries(text)
        if (section, key) == (wanted_section, wanted_key) and value
    ]
    # Of an image the last one counts; a build may have several names.
    for number, value in values if suffix == ".build" else values[-1:]:
        place = Place(file, f"line {number}")
        if suffix in (".container", ".volume") and _UNIT.fullmatch(value):
            project.notes.append(f"{place} takes the image of another unit: {value:.200}")
        elif read_reference(value) is not None:
            project.hits.append(Hit(value, place, Mark.BUILD if suffix == ".build" else Mark.SURE))
        elif "%" in value:
            project.notes.append(f"{place} is left out: systemd fills in its image")
        else:
            raise ProjectError(f"{place}: the image is not an image's name: {value!r:.200}")


def _entries(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Yield line, section, key and value; lines that end in a backslash go on."""
    section = ""
    pending, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line.startswith(("#", ";")) or (not line and not pending):
            continue
        first = first if pending else number
        pending += line
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        if match := _SECTION.fullmatch(pending):
            section = match[1]
        else:
            key, _, value = pending.partition("=")
            yield first, section, key.strip(), value.strip().strip("\"'")
        pending = ""
