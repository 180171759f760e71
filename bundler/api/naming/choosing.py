"""Which rename rules count: those of the command line or of a file, else those of the bundle."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import msgspec

from bundler.errors import UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.naming.items import RenameItem
from bundler.model.naming.naming import Naming
from bundler.model.naming.rules import Renamer, RenameRule
from bundler.model.naming.table import parse_table
from bundler.model.reference import Reference


class NamesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A YAML file for ``push --names``: the rules as in the configuration of a pack, and the options on names."""

    rename: Annotated[
        tuple[RenameItem, ...], msgspec.Meta(description="The first entry that matches counts.")
    ] = ()
    keep_registry_name: bool = False
    flatten: bool = False
    tag_untagged: str = ""


@dataclass(frozen=True)
class NamingWishes:
    """What the command line says about names.

    Attributes:
        tables, regexes, prefixes: rules, tried in this order of kinds, and in the order of each.
        file: a :class:`NamesFile`; its rules are tried after these.
        use_bundle: whether the rules of the bundle count where there are no others.
    """

    tables: Sequence[Path] = ()
    regexes: Sequence[str] = ()
    prefixes: Sequence[str] = ()
    file: Path | None = None
    use_bundle: bool = True
    keep_registry: bool = False
    flatten: bool = False
    tag_untagged: str = ""


def choose_naming(
    wishes: NamingWishes, of_bundle: tuple[RenameRule, ...] = (), limits: Limits = DEFAULT_LIMITS
) -> Naming:
    """Return the naming that counts, checked.

    Raises:
        UsageError: a rule makes no sense.
        ConfigError: a file is not what it should be. NotFound: it is not there.
    """
    own = _own_rules(wishes, limits)
    naming = _of_file(wishes.file, limits) if wishes.file is not None else Naming()
    rules = (*own, *naming.rules)
    if not rules and wishes.file is None and wishes.use_bundle:
        rules = of_bundle
        _check_rules_of_bundle(rules)
    tag = wishes.tag_untagged or naming.tag_untagged
    if tag and not ("{short}" in tag or "{hex}" in tag):
        raise UsageError(
            f"the tag {tag!r:.200} would be the same for every image without one",
            advice="Write {short} or {hex} where digits of the digest go, such as sha256-{short}.",
        )
    return replace(
        naming,
        rules=rules,
        keep_registry=wishes.keep_registry or naming.keep_registry,
        flatten=wishes.flatten or naming.flatten,
        tag_untagged=tag,
    )


def idle_rules(
    wishes: NamingWishes, references: Collection[Reference], limits: Limits = DEFAULT_LIMITS
) -> list[str]:
    """Return the expressions and prefixes of the command line that match no image: mistyped, as likely as not.

    Tables and files may serve many bundles; nobody expects that one has all that they name.

    Raises:
        UsageError: a rule makes no sense.
    """
    rules = _own_rules(replace(wishes, tables=()), limits)
    return [
        f"{rule.regex or rule.prefix}={rule.to}"
        for rule in rules
        if not any(map(Renamer((rule,)).rename, references))
    ]


def _own_rules(wishes: NamingWishes, limits: Limits) -> tuple[RenameRule, ...]:
    from bundler.packing.planning.config import read_bounded

    rules: list[RenameRule] = []
    for path in wishes.tables:
        rules += parse_table(read_bounded(path, limits), str(path), limits)
    # An equals sign is in no name, so it can only belong to the pattern.
    rules += [_rule("--rename-regex", text, "regex", *text.rpartition("=")) for text in wishes.regexes]
    rules += [_rule("--rename", text, "prefix", *text.partition("=")) for text in wishes.prefixes]
    Renamer(rules)
    return tuple(rules)


def _rule(option: str, text: str, kind: str, old: str, equals: str, new: str) -> RenameRule:
    if not equals or not old:
        raise UsageError(f"{option} takes OLD=NEW, not {text!r:.200}")
    try:
        return RenameRule(**{kind: old}, to=new)
    except ValueError as error:
        raise UsageError(f"{option} {text!r:.200}: {error}") from error


def _of_file(path: Path, limits: Limits) -> Naming:
    from bundler.packing.planning.config import parse_file, read_bounded, read_rules

    file = parse_file(read_bounded(path, limits), str(path), NamesFile)
    rules = read_rules(file.rename, path, limits) if file.rename else ()
    return Naming(rules, file.keep_registry_name, file.flatten, file.tag_untagged)


def _check_rules_of_bundle(rules: tuple[RenameRule, ...]) -> None:
    try:
        Renamer(rules)
    except UsageError as error:
        raise UsageError(
            f"the bundle brings a rename rule that is not taken: {error}",
            advice="Give --no-rename to leave its rules out, or rules of your own.",
        ) from error
