"""Rename rules as people write them in a file: rules, and the names of files that hold tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec

from bundler.errors import ConfigError, UsageError
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.model.naming.rules import Renamer, RenameRule
from bundler.model.naming.table import parse_table


class RenameItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of ``rename``: a rule, or a table of rules."""

    prefix: Annotated[
        str | None, msgspec.Meta(description="Beginning of names that `to` replaces, such as docker.io/library.")
    ] = None
    regex: Annotated[
        str | None,
        msgspec.Meta(
            description="Pattern that matches all of registry/repository, or of registry/repository:tag."
        ),
    ] = None
    name: Annotated[str | None, msgspec.Meta(description="One image; without a tag, each of its tags.")] = None
    to: Annotated[
        str | None,
        msgspec.Meta(description="The new name, without the registry; of a regex with \\1 or \\g<name>."),
    ] = None
    table: Annotated[
        str | None, msgspec.Meta(description="File with an old and a new name in each line, beside this one.")
    ] = None


def rules_of(
    items: Sequence[RenameItem], read: Callable[[str], bytes], where: str, limits: Limits = DEFAULT_LIMITS
) -> tuple[RenameRule, ...]:
    """Return the rules, those of tables in their place, and checked: each of them makes sense.

    Args:
        items: As written.
        read: Gives the bytes of a table by its name.
        where: The file that they are written in, for errors.
        limits: Bounds the number of rules.

    Raises:
        ConfigError: an entry has not what it must have, or makes no sense.
        UsageError: a line of a table makes no sense.
    """
    rules: list[RenameRule] = []
    for number, item in enumerate(items, 1):
        kinds = (item.prefix, item.regex, item.name)
        if item.table is not None and (item.to, *kinds) == (None,) * 4:
            rules += parse_table(read(item.table), item.table, limits)
        elif item.table is None and item.to is not None:
            try:
                rule = RenameRule(prefix=item.prefix, regex=item.regex, name=item.name, to=item.to)
                Renamer([rule])
            except (ValueError, UsageError) as error:
                raise ConfigError(f"{where}: rename, entry {number}: {error}") from error
            rules.append(rule)
        else:
            raise ConfigError(
                f"{where}: rename, entry {number} is no rule",
                advice="Write {prefix: OLD, to: NEW}, or regex or name instead of prefix, or {table: FILE}.",
            )
    if len(rules) > limits.rename_rules:
        raise ConfigError(str(beyond(limits.rename_rules, f"{where}: {len(rules)} rename rules")))
    Renamer(rules)
    return tuple(rules)
