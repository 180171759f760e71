"""Rename rules: the first one that matches an image says what it is called on the far side."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import msgspec

from bundler.errors import InvalidReference, UsageError
from bundler.model.digest import Digest
from bundler.model.naming.patterns import Substitution
from bundler.model.reference import DEFAULT_REGISTRY, Reference

LONGEST_TEXT = 1000
#: Name, tag or "", digest.
_Exact = tuple[str, str, "Digest | None"]
#: Any registry: grammar is checked on whole names only.
_SOME = "some.test"
_TAGGED = re.compile(r":[^/]*$")


class RenameRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    r"""One rule; exactly one of ``prefix``, ``regex`` and ``name`` says which images it is for.

    One of a kind that is not known here can be read, so that a bundle that has it can; it cannot be used.

    Attributes:
        prefix: whole components from the registry on, such as ``docker.io/library``; they are replaced.
        regex: must match all of ``registry/repository``, or of ``registry/repository:tag``.
        name: one image; without a tag every tag of it, without a digest every digest.
        to: the new repository below the destination, and if need be ``:tag``; the tag is kept where none is
            written. Of a prefix only the new beginning, which may be empty; of a regex with ``\1``, ``\g<name>``.
    """

    prefix: str | None = None
    regex: str | None = None
    name: str | None = None
    to: str

    def __post_init__(self) -> None:
        if any(len(text) > LONGEST_TEXT or not text.isprintable() for text in (*self.kinds, self.to)):
            raise ValueError(f"a rename rule has one line of at most {LONGEST_TEXT} characters")

    @property
    def kinds(self) -> list[str]:
        """What it says about whose names it changes: one text, if the rule makes sense."""
        return [text for text in (self.prefix, self.regex, self.name) if text is not None]

    def __str__(self) -> str:
        return f"{self.prefix or self.regex or self.name} = {self.to}"


@dataclass(frozen=True)
class NewName:
    """What a rule makes of an image: a repository and a tag, neither checked; and the rule."""

    repository: str
    tag: str
    rule: RenameRule


_Step = Callable[[Reference], NewName | None]
#: Rules may come with a bundle. Those that are tried one by one take a microsecond for a name, and a second at
#: the very worst; so whoever takes so long altogether means no good, or needs a table.
MOST_TRIED = 1000
MOST_SECONDS = 120.0
_USE_A_TABLE = "Name the images in a table, which is looked up."


class Renamer:
    """Rules that are ready to be used."""

    def __init__(self, rules: Iterable[RenameRule]) -> None:
        """Read the rules.

        Raises:
            UsageError: one of them makes no sense, or its pattern is refused.
        """
        self._steps = list(_steps(rules))
        self._seconds = MOST_SECONDS

    def rename(self, reference: Reference) -> NewName | None:
        """Return what the first rule that matches makes of an image's name; ``None`` if none matches.

        Raises:
            UsageError: trying rules took longer than any honest ones do.
        """
        end = time.perf_counter() + self._seconds
        for step in self._steps:
            found = step(reference)
            if time.perf_counter() > end:
                raise UsageError(
                    f"trying so many rename rules on so many images takes longer than {MOST_SECONDS:.0f} s",
                    advice=_USE_A_TABLE,
                )
            if found is not None:
                break
        else:
            found = None
        self._seconds = end - time.perf_counter()
        return found


def _steps(rules: Iterable[RenameRule]) -> Iterator[_Step]:
    # Rows of a table are many: a run of them is looked up, not tried one by one.
    rules = list(rules)
    for rule in rules:
        if len(rule.kinds) != 1:
            raise UsageError(f"the rename rule {rule!s:.300} is not for a prefix, a regex or a name")
    if sum(rule.name is None for rule in rules) > MOST_TRIED:
        raise UsageError(f"more than {MOST_TRIED} rename rules by prefix or regex", advice=_USE_A_TABLE)
    for is_table, run in groupby(rules, key=lambda rule: rule.name is not None):
        if is_table:
            yield _table(run)
            continue
        for rule in run:
            yield _prefix(rule, rule.prefix) if rule.prefix is not None else _regex(rule, rule.regex or "")


def _prefix(rule: RenameRule, text: str) -> _Step:
    prefixes = _prefixes(text)
    if rule.to and not _is_repository(rule.to):
        raise UsageError(f"the rename rule {rule!s:.300} does not lead to a valid path")

    def step(reference: Reference) -> NewName | None:
        for prefix in prefixes:
            if f"{reference.name}/".startswith(f"{prefix}/"):
                rest = reference.name[len(prefix) + 1 :]
                return NewName("/".join(filter(None, (rule.to, rest))), reference.tag, rule)
        return None

    return step


def _prefixes(text: str) -> list[str]:
    """Return the beginnings of full names that a prefix means; one without a registry is docker.io's."""
    prefix = text.removesuffix("/")
    first, slash, _ = prefix.partition("/")
    found = [prefix]
    if not ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        found = [f"{DEFAULT_REGISTRY}/{prefix}"] + ([] if slash else [f"{DEFAULT_REGISTRY}/library/{prefix}"])
    for one in found:
        try:
            is_one = Reference.parse(f"{one}/x/x").name == f"{one}/x/x"
        except InvalidReference:
            is_one = False
        if not is_one:
            raise UsageError(
                f"{text!r:.200} is not the beginning of an image's name",
                advice="Write registry, registry/path or path, whole components, without a tag; a table names "
                "images with their tags.",
            )
    return found


def _regex(rule: RenameRule, pattern: str) -> _Step:
    substitution = Substitution.compile(pattern, rule.to)

    def step(reference: Reference) -> NewName | None:
        for text in filter(None, (reference.name, reference.tagged)):
            made = substitution.apply(text)
            if made is not None:
                return _new_name(made, reference, rule)
        return None

    return step


def _table(rules: Iterable[RenameRule]) -> _Step:
    rows: dict[_Exact, tuple[int, RenameRule]] = {}
    for position, rule in enumerate(rules):
        path, _, new_tag = rule.to.partition(":")
        if not _is_repository(path) or (":" in rule.to and not _is_tag(new_tag)):
            raise UsageError(f"the rename rule {rule!s:.300} does not lead to a valid path")
        rows.setdefault(_read_exact(rule.name or ""), (position, rule))

    def step(reference: Reference) -> NewName | None:
        tags, digests = {reference.tag, ""}, {reference.digest, None}
        keys = [(reference.name, tag, digest) for tag in tags for digest in digests]
        found = min((rows[key] for key in keys if key in rows), key=itemgetter(0), default=None)
        return _new_name(found[1].to, reference, found[1]) if found else None

    return step


def _read_exact(text: str) -> _Exact:
    """Return the full name, the tag as far as one is written, and the digest of an image."""
    reference = Reference.parse(text)
    is_tagged = _TAGGED.search(text.partition("@")[0]) is not None
    return reference.name, reference.tag if is_tagged else "", reference.digest


def _new_name(text: str, reference: Reference, rule: RenameRule) -> NewName:
    path, colon, tag = text.partition(":")
    # A colon without a tag behind it is an error of the rule, not the wish to have none.
    return NewName(path, tag or ":" if colon else reference.tag, rule)


def _is_repository(path: str) -> bool:
    try:
        return Reference.parse(f"{_SOME}/{path}/x").repository == f"{path}/x"
    except InvalidReference:
        return False


def _is_tag(tag: str) -> bool:
    try:
        return Reference.parse(f"{_SOME}/x:{tag}").tag == tag
    except InvalidReference:
        return False
