"""Versions and ranges of versions (Semantic Versioning 2.0.0; ranges mean what npm and Masterminds/semver mean).

A range is alternatives between ``||``; an alternative is comparators that must all hold, between spaces or commas.
A comparator is ``>= > < <= = != ^ ~`` before a version that may be partial (``1.4``, ``1.x``, ``*``), or nothing
before it; or ``1.2 - 1.4``, both ends included.

    range                 the same as
    1.4, =1.4, 1.4.x      >=1.4.0 <1.5.0
    ^1.2.3   ^0.2.3       >=1.2.3 <2.0.0   >=0.2.3 <0.3.0: what does not change the leftmost number that is not 0
    ~1.2.3   ~1           >=1.2.3 <1.3.0   >=1.0.0 <2.0.0
    >1.4     <=1.4        >=1.5.0          <1.5.0
    !=1.4                 below 1.4.0, or from 1.5.0 on

A prerelease such as 1.5.0-rc.1 is in a range only where the alternative names a prerelease of the same 1.5.0:
whoever writes ``>=1.4`` does not mean the release candidate of what comes next.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, total_ordering

from bundler.errors import UsageError

_NUMBER = r"(?:0|[1-9][0-9]{0,17})"
_IDENTIFIER = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_PRERELEASE = rf"{_IDENTIFIER}(?:\.{_IDENTIFIER})*"
_BUILD = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(rf"v?({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_PRERELEASE}))?(?:\+{_BUILD})?", re.ASCII)
_FIELD = rf"(?:{_NUMBER}|[xX*])"
_PARTIAL = rf"v?({_FIELD})(?:\.({_FIELD})(?:\.({_FIELD})(?:-({_PRERELEASE}))?(?:\+{_BUILD})?)?)?"
_COMPARATOR = re.compile(rf"(>=|<=|!=|~>|>|<|=|\^|~|)\s*{_PARTIAL}(?=[\s,]|$)", re.ASCII)
_HYPHEN = re.compile(rf"\s*({_PARTIAL})\s+-\s+({_PARTIAL})\s*", re.ASCII)
_BETWEEN = re.compile(r"[\s,]*", re.ASCII)
#: Longer ones would be written by nobody; the grammar is read in one pass, so this only bounds memory.
_LONGEST = 1_000


@total_ordering
@dataclass(frozen=True)
class Version:
    """A version, in the order of SemVer section 11: a prerelease comes before its release.

    Attributes:
        numbers: major, minor, patch.
        prerelease: its identifiers; none for a release. Build metadata has no part in the order and is dropped.
    """

    numbers: tuple[int, int, int]
    prerelease: tuple[str, ...] = ()

    @classmethod
    def find(cls, text: str) -> Version | None:
        """Read a version of three numbers, with or without ``v`` before it; ``None`` if the text is none."""
        match = _VERSION.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None:
            return None
        major, minor, patch, prerelease = match.groups()
        return cls((int(major), int(minor), int(patch)), tuple(prerelease.split(".")) if prerelease else ())

    @cached_property
    def _key(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        return self.numbers, not self.prerelease, tuple(map(_identifier_key, self.prerelease))

    def __lt__(self, other: Version) -> bool:
        return self._key < other._key

    def __str__(self) -> str:
        return ".".join(map(str, self.numbers)) + ("-" + ".".join(self.prerelease) if self.prerelease else "")


def _identifier_key(text: str) -> tuple[bool, int, str]:
    """Numbers come before words, and by value."""
    return (False, int(text), "") if text.isdecimal() else (True, 0, text)


#: Below every version of these numbers, prereleases too: what ``<2`` leaves out.
_LOWEST = ("0",)


@dataclass(frozen=True)
class _Span:
    """Versions from ``low`` on and below ``high``, or if ``is_outside`` all others; ``None`` has no end."""

    low: Version | None = None
    high: Version | None = None
    includes_high: bool = False
    excludes_low: bool = False
    is_outside: bool = False

    def holds(self, version: Version) -> bool:
        is_above = self.low is None or version > self.low or (version == self.low and not self.excludes_low)
        is_below = self.high is None or version < self.high or (version == self.high and self.includes_high)
        return (is_above and is_below) != self.is_outside


@dataclass(frozen=True)
class _Alternative:
    """Spans that must all hold, and the numbers whose prereleases are named."""

    spans: tuple[_Span, ...]
    named: frozenset[tuple[int, int, int]]

    def holds(self, version: Version) -> bool:
        if version.prerelease and version.numbers not in self.named:
            return False
        return all(span.holds(version) for span in self.spans)


@dataclass(frozen=True)
class VersionRange:
    """A range of versions, see the head of this module."""

    text: str
    _alternatives: tuple[_Alternative, ...]

    @classmethod
    def parse(cls, text: str) -> VersionRange:
        """Read a range.

        Raises:
            UsageError: the text is none, or has more than 1000 characters.
        """
        if len(text) > _LONGEST or not text.strip():
            raise UsageError(f"{text!r:.100} is no range of versions", advice=_ADVICE)
        return cls(text, tuple(_alternative(part, text) for part in text.split("||")))

    def holds(self, version: Version) -> bool:
        """Tell whether a version is in the range."""
        return any(one.holds(version) for one in self._alternatives)

    def __str__(self) -> str:
        return self.text


_ADVICE = "Write it as >=1.4 <2, ^1.4, ~1.4.2, 1.x, !=1.4.3 or alternatives between ||."


@dataclass(frozen=True)
class _Partial:
    """What stands in a range: one to three numbers, or none, and perhaps a prerelease."""

    numbers: tuple[int, ...]
    prerelease: tuple[str, ...]

    @classmethod
    def of(cls, fields: tuple[str | None, ...]) -> _Partial:
        """Take the four groups of ``_PARTIAL``; what follows an x counts for nothing."""
        numbers: list[int] = []
        for field in fields[:3]:
            if field is None or field in "xX*":
                break
            numbers.append(int(field))
        is_whole = len(numbers) == 3 and fields[3]
        return cls(tuple(numbers), tuple(str(fields[3]).split(".")) if is_whole else ())

    @property
    def lowest(self) -> Version:
        """The first version that it stands for."""
        major, minor, patch = (*self.numbers, 0, 0, 0)[:3]
        return Version((major, minor, patch), self.prerelease)

    def end(self, places: int) -> Version:
        """Return what is above all versions with the same first numbers, so many of them; at least one."""
        kept = self.numbers[:places]
        major, minor, patch = (*kept[:-1], kept[-1] + 1, 0, 0, 0)[:3]
        return Version((major, minor, patch), _LOWEST)

    @property
    def is_whole(self) -> bool:
        return len(self.numbers) == 3


def _alternative(text: str, whole: str) -> _Alternative:
    hyphen = _HYPHEN.fullmatch(text)
    if hyphen:
        groups = hyphen.groups()
        comparators = [(">=", _Partial.of(groups[1:5])), ("<=", _Partial.of(groups[6:10]))]
    else:
        comparators = _comparators(text, whole)
    named = frozenset(partial.lowest.numbers for _, partial in comparators if partial.prerelease)
    return _Alternative(tuple(_span(operator, partial) for operator, partial in comparators), named)


def _comparators(text: str, whole: str) -> list[tuple[str, _Partial]]:
    result = []
    position = _skip(text, 0)
    while position < len(text):
        match = _COMPARATOR.match(text, position)
        if match is None:
            raise UsageError(
                f"{whole!r:.200} is no range of versions: {text[position:]!r:.50} is none",
                advice=_ADVICE,
            )
        result.append((match[1], _Partial.of(match.groups()[1:])))
        position = _skip(text, match.end())
    if not result:
        raise UsageError(f"{whole!r:.200} is no range of versions: an alternative is empty", advice=_ADVICE)
    return result


def _skip(text: str, position: int) -> int:
    between = _BETWEEN.match(text, position)
    return between.end() if between else position


def _span(operator: str, partial: _Partial) -> _Span:
    low, count = partial.lowest, len(partial.numbers)
    if not count:
        # All versions, or none.
        return _Span(is_outside=operator in ("<", ">", "!="))
    if operator in ("", "=", "!="):
        is_outside = operator == "!="
        if partial.is_whole:
            return _Span(low, low, includes_high=True, is_outside=is_outside)
        return _Span(low, partial.end(count), is_outside=is_outside)
    if operator == "^":
        # Up to the leftmost number that is not 0; of zeros only, up to the last one that is there.
        first = next((place for place, number in enumerate(partial.numbers, 1) if number), count)
        return _Span(low, partial.end(first))
    if operator in ("~", "~>"):
        return _Span(low, partial.end(min(count, 2)))
    if operator == ">=":
        return _Span(low)
    if operator == "<":
        return _Span(high=low if partial.is_whole else Version(low.numbers, _LOWEST))
    if partial.is_whole:
        return _Span(low, excludes_low=True) if operator == ">" else _Span(high=low, includes_high=True)
    end = partial.end(count)
    return _Span(high=end) if operator == "<=" else _Span(Version(end.numbers))
