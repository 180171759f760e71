"""Plain lists: one image a line, ``#`` begins a comment."""

from __future__ import annotations

from collections.abc import Iterator

from bundler.discover.hits import Hit, Place
from bundler.discover.references import read_reference
from bundler.errors import ProjectError


def is_list(text: str) -> bool:
    """Tell whether a text is a list of images: at least one line, and every one a name."""
    found = [image for _, image in _lines(text)]
    return bool(found) and all(read_reference(image) is not None for image in found)


def list_hits(text: str, file: str) -> Iterator[Hit]:
    """Yield the images of a list.

    Raises:
        ProjectError: a line is not the name of an image.
    """
    for number, image in _lines(text):
        if read_reference(image) is None:
            raise ProjectError(f"{file}, line {number}: not an image's name: {image!r:.200}")
        yield Hit(image, Place(file, f"line {number}"))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        # A # inside a word begins no comment; no image has one, so that the line is refused.
        kept = "" if line.lstrip().startswith("#") else line.partition(" #")[0].partition("\t#")[0].strip()
        if kept:
            yield number, kept
