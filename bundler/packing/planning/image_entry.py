"""An image as a configuration lists it: its name, and what else is said of it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from bundler.bundle.names import check_smoke
from bundler.errors import ConfigError
from bundler.model.versions import VersionRange

_LONGEST_PATTERN = 128


class ImageEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One image, or what chooses one of the tags that a registry has."""

    image: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            description="Name of the image as [transport:]name; with version or tags that of a repository at a "
            "registry, without tag and digest.",
        ),
    ]
    version: Annotated[
        str | None,
        msgspec.Meta(
            description="Take the newest tag that is a version in this range, such as >=1.4 <2, ^1.4, ~1.4.2 "
            "or 1.x || 3.x (SemVer). Prereleases only if the range names one."
        ),
    ] = None
    tags: Annotated[
        str | None,
        msgspec.Meta(
            description="Take the newest tag that this pattern fits, such as v1.*-alpine; * stands for any text, "
            "? for one character."
        ),
    ] = None
    smoke: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Command that `airbundle check` runs in a container of the image, in place of its "
            "entrypoint, such as [nginx, -v]; it must end with status 0."
        ),
    ] = ()

    @property
    def rule(self) -> str:
        """What chooses the tag, in words for people; ``""`` where the name is the image's own."""
        if self.version is not None:
            return f"version {self.version}"
        return f"tags {self.tags}" if self.tags is not None else ""

    def __str__(self) -> str:
        return f"{self.image} ({self.rule})" if self.rule else self.image


def entry_of(image: str | ImageEntry) -> ImageEntry:
    """Return an entry of what may be a mere name."""
    return ImageEntry(image=image) if isinstance(image, str) else image


def check_entry(image: str | ImageEntry) -> None:
    """Refuse what contradicts itself, before anybody is asked.

    Raises:
        UsageError: a range or pattern that is none, two of them, or a command that none is.
    """
    entry = entry_of(image)
    if entry.version is not None and entry.tags is not None:
        raise ConfigError(f"{entry.image} has both version and tags", advice="Name one of the two.")
    if entry.version is not None:
        VersionRange.parse(entry.version)
    if entry.tags is not None and not (entry.tags.isprintable() and 0 < len(entry.tags) <= _LONGEST_PATTERN):
        raise ConfigError(f"{entry.image}: {entry.tags!r:.100} is no pattern for tags")
    check_smoke(entry.smoke, entry.image)
