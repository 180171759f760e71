"""Variables in the values of Compose files: ``$A``, ``${A}``, ``${A:-b}``, and so on with ``-``, ``?``, ``+``.

As the Compose specification says (12-interpolation) and `docker compose` does: ``$$`` is one ``$``, a ``$`` before
anything else stays, and what stands behind an operator is evaluated whether it is needed or not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bundler.discover.reading import too_much
from bundler.discover.trees import Marked, Plain, Tree
from bundler.errors import ProjectError
from bundler.model.limits import Limits

_NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*", re.ASCII)
#: Shorter values stand in every message by chance.
_SHORTEST_SECRET = 4
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")


@dataclass
class Blanks:
    """Variables that were not set and became nothing, by the place in whose value they stood.

    Attributes:
        names: in the order in which they came up.
        values: what each place became, so that an image that is wrong because of it can be told from others.
        used: the variables that were set and asked for.
        chars: how much text variables have made.
    """

    names: dict[str, None] = field(default_factory=dict)
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)
    chars: int = 0

    def hidden(self, message: str) -> str:
        """Return a message in which the values of variables are their names again: any may be a secret."""
        for name, value in sorted(self.used.items(), key=lambda item: -len(item[1])):
            if len(value) >= _SHORTEST_SECRET:
                message = message.replace(value, f"${{{name}}}")
        return message


class Interpolation:
    """Replaces variables in the trees of one project; values of variables never reach a message."""

    def __init__(
        self, environment: Mapping[str, str], limits: Limits, blanks: Blanks | None = None, *, quotes: bool = True
    ) -> None:
        """Keep what is needed.

        Args:
            environment: The variables.
            limits: Bound nesting and how much text comes out, with all that have the same blanks.
            blanks: Is told which variables were not set.
            quotes: Whether errors may show what is written; not of a file that holds secrets.
        """
        self._quotes = quotes
        self.environment = environment
        self.blanks = blanks if blanks is not None else Blanks()
        self._limits = limits
        self._unset: list[str] = []

    def over(self, environment: Mapping[str, str]) -> Interpolation:
        """Return one for other variables; blanks and the amount of text are counted together."""
        return Interpolation(environment, self._limits, self.blanks)

    def tree(self, tree: Tree, where: str, file: str) -> Tree:
        """Return a tree with the variables of all its values replaced; keys stay.

        Args:
            tree: What was read.
            where: The path of the tree, such as ``services.web``.
            file: The file that it stands in.

        Raises:
            ProjectError: a form that is none, a variable that is required and not set, or far too much text.
        """
        if isinstance(tree, dict):
            return {key: self.tree(value, f"{where}.{key}" if where else key, file) for key, value in tree.items()}
        if isinstance(tree, list):
            return [self.tree(value, f"{where}[{number}]", file) for number, value in enumerate(tree)]
        if isinstance(tree, Marked):
            return Marked(tree.tag, self.tree(tree.value, where, file))
        if not isinstance(tree, str) or isinstance(tree, Plain) or "$" not in tree:
            return tree
        return self.text(tree, where, file)

    def text(self, text: str, where: str, file: str) -> str:
        """Return one value with its variables replaced; see :meth:`tree`."""
        self._unset = []
        value = self._replace(text, 0, where, file)
        if self._unset:
            self.blanks.names.update(dict.fromkeys(self._unset))
            self.blanks.values[value] = tuple(self._unset)
        return value

    def _replace(self, text: str, depth: int, where: str, file: str) -> str:
        if depth > self._limits.project_nesting:
            raise too_much(
                self._limits.project_nesting, f"{file}: {where:.200} has default values in default values"
            )
        found: list[str] = []
        position = 0
        while (dollar := text.find("$", position)) >= 0:
            found.append(text[position:dollar])
            value, position = self._variable(text, dollar, depth, where, file)
            found.append(value)
            self.blanks.chars += len(value)
            if self.blanks.chars > self._limits.discovered_bytes:
                raise too_much(self._limits.discovered_bytes, f"{file}: variables make too much text")
        found.append(text[position:])
        return "".join(found)

    def _variable(self, text: str, dollar: int, depth: int, where: str, file: str) -> tuple[str, int]:
        """Return the value of what begins at a ``$``, and where the text goes on behind it."""
        after = text[dollar + 1 : dollar + 2]
        if after == "$":
            return "$", dollar + 2
        if after == "{":
            return self._braced(text, dollar, depth, where, file)
        match = _NAME.match(text, dollar + 1)
        if match is None:
            return "$", dollar + 1
        return self._value(match[0]), match.end()

    def _braced(self, text: str, dollar: int, depth: int, where: str, file: str) -> tuple[str, int]:
        match = _NAME.match(text, dollar + 2)
        end = _closing_brace(text, dollar)
        operator = (
            "" if match is None else next((one for one in _OPERATORS if text.startswith(one, match.end())), "")
        )
        if match is None or end < 0 or (not operator and match.end() != end) or "\n" in text[dollar:end]:
            raise ProjectError(
                f"{file}: {where:.200}: not a variable" + self._quoted(text[dollar:]),
                advice="Variables are written $NAME or ${NAME}, with :-, -, :?, ?, :+ or +; a $ of its own is $$.",
            )
        name = match[0]
        if not operator:
            return self._value(name), end + 1
        word = text[match.end() + len(operator) : end]
        value = self._get(name)
        there = bool(value) if operator.startswith(":") else value is not None
        if operator.endswith("?") and not there:
            raise ProjectError(
                f"{file}: {where:.200}: the variable {name} is required and has no value" + self._quoted(word),
                advice=f"Set {name} in the environment, in .env, or in a file named with --env-file.",
            )
        other = self._replace(word, depth + 1, where, file)
        if operator.endswith("+"):
            return (other if there else ""), end + 1
        return (value or "" if there else other), end + 1

    def _quoted(self, text: str) -> str:
        return f": {text!r:.150}" if self._quotes and text else ""

    def _value(self, name: str) -> str:
        value = self._get(name)
        if value is None:
            self._unset.append(name)
        return value or ""

    def _get(self, name: str) -> str | None:
        value = self.environment.get(name)
        if value:
            self.blanks.used[name] = value
        return value


def _closing_brace(text: str, dollar: int) -> int:
    """Return where the brace that opens behind a ``$`` closes; -1 if it does not. Only ``${`` opens another."""
    depth = 0
    position = dollar
    while position < len(text):
        if text.startswith("${", position):
            depth += 1
            position += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return -1
