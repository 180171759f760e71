"""What was found: images with the places that name them, by project. Values: no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum


class Mark(str, Enum):
    """How sure it is that an image is needed, and where it comes from."""

    SURE = ""
    #: The text has the form of an image, and stands where only some programs expect one.
    GUESS = "guess"
    #: The name that an image gets which is only built here, and in no registry.
    BUILD = "build"


@dataclass(frozen=True, order=True)
class Place:
    """Who names an image.

    Attributes:
        file: the file as it was named or found; ``-`` for standard input.
        part: service, object or line in it.
    """

    file: str
    part: str

    def __str__(self) -> str:
        return f"{self.file:.300}: {self.part:.300}"


@dataclass(frozen=True)
class Hit:
    """One place that names one image, as it is written there."""

    image: str
    place: Place
    mark: Mark = Mark.SURE


@dataclass
class Project:
    """The hits of what is carried together.

    Attributes:
        name: what the project calls itself; not always a name that an application may have.
        hits: in the order in which they were found.
        notes: what a user should know: left out, not understood, blank.
    """

    name: str
    hits: list[Hit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FoundImage:
    """An image of an application: every spelling of it once.

    Attributes:
        image: as it was written where it was found first.
        reference: its full name.
        mark: the surest of its hits.
        places: who names it, sorted.
    """

    image: str
    reference: str
    mark: Mark
    places: tuple[Place, ...]


@dataclass(frozen=True)
class FoundApplication:
    """What becomes one application of a pack.

    Attributes:
        name: one that an application may have.
        images: sorted by full name.
    """

    name: str
    images: tuple[FoundImage, ...]


@dataclass(frozen=True)
class Discovery:
    """Everything that was found.

    Attributes:
        applications: sorted by name; none without an image.
        notes: for the user's eyes, in the order in which they came up, each once.
    """

    applications: tuple[FoundApplication, ...]
    notes: tuple[str, ...]


def surest(marks: Iterable[Mark]) -> Mark:
    """Return the mark of an image that has several hits: sure before built before guessed."""
    found = set(marks)
    return next(mark for mark in (Mark.SURE, Mark.BUILD, Mark.GUESS) if mark in found)
