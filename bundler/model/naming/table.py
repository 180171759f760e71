"""Tables of new names: a line for each image, the old name and the new one."""

from __future__ import annotations

from bundler.errors import ConfigError
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.model.naming.rules import RenameRule


def parse_table(raw: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> tuple[RenameRule, ...]:
    """Read a table: ``OLD NEW`` in each line, separated by tabs or spaces; ``#`` begins a comment.

    Args:
        raw: The file, in UTF-8.
        name: The file's, for errors.
        limits: Bounds the number of rules.

    Raises:
        ConfigError: no text, or a line that has not two names.
    """
    rules: list[RenameRule] = []
    try:
        lines = raw.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is no text in UTF-8") from error
    for number, line in enumerate(lines, 1):
        words = line.split()
        comment = next((place for place, word in enumerate(words) if word.startswith("#")), len(words))
        words = words[:comment]
        if not words:
            continue
        if len(words) != 2:
            raise ConfigError(
                f"{name}, line {number}: {line.strip()!r:.200}",
                advice="Write the old name, a space, and the new name.",
            )
        if len(rules) >= limits.rename_rules:
            raise ConfigError(str(beyond(limits.rename_rules, f"{name} has too many lines")))
        try:
            rules.append(RenameRule(name=words[0], to=words[1]))
        except ValueError as error:
            raise ConfigError(f"{name}, line {number}: {error}") from error
    return tuple(rules)
