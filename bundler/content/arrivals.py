"""What has become of an image where it was imported: asked for after the import, of whoever has it now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from bundler.content.images import OutgoingImage
from bundler.model.digest import Digest


@dataclass(frozen=True)
class Arrival:
    """What is there under the name of an image.

    Attributes:
        target: the name that was looked at.
        expected: digests or image IDs by which the bundle's image may be known there; the likeliest first.
        found: by which that name is known there; ``None`` if there is no such name.
        is_same: whether what was found is the bundle's image.
        cannot_run: why no container of it can be run there, in words; ``""`` if one can.
        notes: what the user should know.
    """

    target: str
    expected: tuple[Digest, ...]
    found: Digest | None
    is_same: bool
    cannot_run: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_listed(self) -> bool:
        """Whether there is anything under the name."""
        return self.found is not None


@dataclass(frozen=True)
class SmokeResult:
    """How a smoke test ended.

    Attributes:
        command: its words.
        status: ``passed``, ``failed``, or ``skipped`` if it was not run.
        exit_status: of the command; ``None`` if it never ended by itself.
        reason: why it failed or was skipped; ``""`` if it passed.
        output: the end of what it wrote, not fit to be shown as it is.
    """

    command: tuple[str, ...]
    status: Literal["passed", "failed", "skipped"]
    exit_status: int | None = None
    reason: str = ""
    output: str = ""


class Inspector(Protocol):
    """Looks at images where they were imported. Used by one thread."""

    def look(self, image: OutgoingImage) -> Arrival:
        """Find out what lies under the name that an import gives the image; nothing is changed.

        Raises:
            Refused, NotFound, UsageError: no import would have put it there.
            Unreachable, Unauthorised: whoever is asked.
        """

    def run(self, arrival: Arrival, command: Sequence[str], seconds: float) -> SmokeResult:
        """Run a command in a container of what was found, for at most some seconds; the container is removed.

        Raises:
            Refused, Unreachable: whoever runs containers there could not run this one. That says nothing of
                the image.
        """

    def close(self) -> None:
        """Close the connections."""
