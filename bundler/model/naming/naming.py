"""What images are called in a registry: from the names that they have, before anything is asked or sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from bundler.errors import InvalidReference, UsageError
from bundler.model.digest import Digest
from bundler.model.naming.rules import Renamer, RenameRule
from bundler.model.reference import Reference

_UNPORTABLE = re.compile(r"[^a-z0-9.-]+", re.ASCII)
_MOST_NAMED = 5
#: Of a digest, in tags that are made of one: as many digits as docker shows.
_SHORT = 12


@dataclass(frozen=True)
class Naming:
    """How images are named below a destination.

    Attributes:
        rules: the first one that matches an image decides; else its repository stays as it is.
        keep_registry: an image that no rule matches goes below the name of its registry.
        flatten: slashes become dashes, for registries without nested paths.
        tag_untagged: the tag of images that have none, with ``{short}`` for 12 digits of their digest, ``{hex}``
            for all 64; ``""`` leaves them without.
    """

    rules: tuple[RenameRule, ...] = ()
    keep_registry: bool = False
    flatten: bool = False
    tag_untagged: str = ""

    @cached_property
    def _renamer(self) -> Renamer:
        return Renamer(self.rules)

    def target(self, destination: str, reference: Reference) -> Reference:
        """Return the name that an image gets.

        Args:
            destination: ``registry[/prefix]``, valid.
            reference: What it is called now.

        Raises:
            InvalidReference: what the rules make is no valid name, or too long.
            UsageError: a rule makes no sense.
        """
        renamed = self._renamer.rename(reference)
        if renamed is not None:
            path, tag = renamed.repository, renamed.tag
        else:
            path, tag = self._usual_path(reference), reference.tag
        if self.flatten:
            path = path.replace("/", "-")
        if not tag and self.tag_untagged and reference.digest is not None:
            digits = reference.digest.hex
            tag = self.tag_untagged.replace("{short}", digits[:_SHORT]).replace("{hex}", digits)
        name = f"{destination}/{path}"
        text = f"{name}:{tag}" if tag else f"{name}@{reference.digest}"
        why = f" by the rename rule {renamed.rule!s:.300}" if renamed is not None else ""
        return _checked(text, name, tag, f"{reference.familiar} would become {text!r:.600}{why}")

    def _usual_path(self, reference: Reference) -> str:
        if not self.keep_registry:
            return reference.repository
        return f"{portable_registry(reference.registry)}/{reference.repository}"


#: Repositories and tags stay as they are.
USUAL_NAMING = Naming()


def portable_registry(registry: str) -> str:
    """Return a registry's name as a component of a repository: ``reg.test-5000`` for ``reg.test:5000``."""
    return _UNPORTABLE.sub("-", registry.lower()).strip("-")


def _checked(text: str, name: str, tag: str, what: str) -> Reference:
    try:
        target = Reference.parse(text)
    except InvalidReference as error:
        raise InvalidReference(f"{what}: {error}") from error
    # Where the grammar fills in or reads otherwise, as docker.io does with short names.
    if target.name != name or target.tag != tag:
        raise InvalidReference(
            f"{what}, which means {target}", advice="Add a prefix to the destination, or choose another name."
        )
    return target


def check_targets(
    images: Iterable[tuple[Reference, Digest]], target: Callable[[Reference], Reference]
) -> dict[Reference, Reference]:
    """Return the new name of every image; refuse one name for two of them.

    Args:
        images: Each with the digest of its root. The same image may come under several names.
        target: Gives the new name of an image.

    Raises:
        UsageError: two different images would get one name; both are named.
        InvalidReference: a new name is none.
    """
    targets: dict[Reference, Reference] = {}
    holders: dict[str, tuple[Reference, Digest]] = {}
    clashes: list[str] = []
    for reference, digest in images:
        targets[reference] = made = target(reference)
        name = made.tagged or str(made)
        first, held = holders.setdefault(name, (reference, digest))
        if held != digest:
            clashes.append(f"{first.familiar} and {reference.familiar} would both become {name}")
    if clashes:
        more = f"; and {len(clashes) - _MOST_NAMED} more" if len(clashes) > _MOST_NAMED else ""
        raise UsageError(
            "; ".join(clashes[:_MOST_NAMED]) + more,
            advice="Give one of them another name by a rename rule, or choose images with --app or --image.",
        )
    return targets
