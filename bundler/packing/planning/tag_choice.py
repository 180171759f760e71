"""Which tag of a repository a version range or a pattern chooses. Pure: no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from bundler.errors import ConfigError, NotFound
from bundler.model.tag_patterns import fits
from bundler.model.versions import Version, VersionRange
from bundler.packing.planning.image_entry import ImageEntry

_MOST_NAMED = 5
_NUMBERED = re.compile(r"(?P<before>v?)(?P<numbers>[0-9]+(?:\.[0-9]+){0,3})(?P<behind>(?:[^0-9.].*)?)", re.ASCII)


def choose_tag(entry: ImageEntry, tags: Iterable[str]) -> str:
    """Return the newest tag that an entry's range or pattern takes.

    Tags that are no versions (three numbers, with or without ``v``) are left out; if a pattern fits only such
    ones it must fit just one, or they must be alike but for their numbers: ``16.10-alpine`` is newer than
    ``16.9-alpine``. Releases go before prereleases of newer versions, and ``1.4.2`` before ``v1.4.2``,
    which is the same version.

    Raises:
        NotFound: none of the tags.
        ConfigError: a pattern fits several tags that have no order.
        UsageError: the range is none.
    """
    fitting = sorted(set(filter(takes(entry), tags)))
    versions = [(version, tag) for tag in fitting if (version := Version.find(tag)) is not None]
    if versions:
        # What follows a version, as in 1.4.2-alpine, has the form of a prerelease too: then only such tags fit.
        newest = max((not version.prerelease, version) for version, _ in versions)[1]
        return next(tag for version, tag in versions if version == newest)
    if not fitting:
        raise NotFound(f"{entry.image} has no tag for {entry.rule}", advice="See which tags the registry has.")
    chosen = fitting[0] if len(fitting) == 1 else _newest_alike(fitting)
    if chosen is None:
        named = ", ".join(fitting[:_MOST_NAMED]) + (" …" if len(fitting) > _MOST_NAMED else "")
        raise ConfigError(
            f"{entry}: {len(fitting)} tags fit, and none of them is a version: {named}",
            advice="Write a pattern that fits one of them, or name the tag.",
        )
    return chosen


def _newest_alike(tags: list[str]) -> str | None:
    """Return the tag with the highest numbers, if nothing but one to four numbers at the beginning differs."""
    found = [match for tag in tags if (match := _NUMBERED.fullmatch(tag)) is not None]
    around = {(match["before"], match["behind"]) for match in found}
    if len(found) < len(tags) or len(around) > 1:
        return None
    numbers = {tuple(map(int, match["numbers"].split("."))): match.string for match in found}
    # 16.01 and 16.1 have the same numbers: which of them is newer nobody can tell.
    return numbers[max(numbers)] if len(numbers) == len(tags) else None


def takes(entry: ImageEntry) -> Callable[[str], bool]:
    """Return what tells whether an entry may choose a tag.

    Raises:
        UsageError: the range is none.
    """
    if entry.version is None:
        pattern = entry.tags or ""
        return lambda tag: fits(pattern, tag)
    versions = VersionRange.parse(entry.version)

    def is_within(tag: str) -> bool:
        version = Version.find(tag)
        return version is not None and versions.holds(version)

    return is_within
