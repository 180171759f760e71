"""Regular expressions of rename rules: a part of Python's that cannot run away.

Python's ``re`` tries one way of matching after the other, and some patterns have more ways than anyone can wait
for: ``(a+)+b`` has 2 to the power of the length of the name. Patterns also come with bundles, so they may be
hostile. So the ways of a pattern are counted before it is used, and a pattern of too many is refused: a match that
runs need not be watched or cut off. What could not be counted is not in the language: back references, looking
around, and repeats of what varies itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bundler.errors import UsageError

LONGEST_PATTERN = 500
#: Two repeats that may trade characters, as in ``.*/.*-``, and some choices. Of thousands of random patterns that
#: were taken, none needed more than a second for a name.
MOST_WAYS = 10**6
#: An image's name and tag have 255 and 129 characters; so no repeat has more lengths.
_LENGTHS = 385
_DEEPEST = 20

_TOKEN = re.compile(
    r"(?P<class>\\[dDwWsS])|(?P<escape>\\[^\w\s])|(?P<set>\[\^?\]?(?:\\.|[^\]\\\[])*\])"
    r"|(?P<open>\((?:\?:|\?P<[A-Za-z_][A-Za-z0-9_]{0,30}>)?)|(?P<close>\))|(?P<branch>\|)"
    r"|(?P<repeat>(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\}|\{,[0-9]+\})\??)"
    r"|(?P<any>\.)|(?P<anchor>[\^$])|(?P<literal>[^\\\[\]()|*+?.^$])",
    re.ASCII,
)
_ATOMS = frozenset({"class", "escape", "set", "any", "literal"})
#: Python keeps these for operations on sets, and warns.
_RESERVED_IN_SETS = re.compile(r"--|&&|~~|\|\|")
_COUNTS = re.compile(r"\{([0-9]*)(,?)([0-9]*)\}")
_REFERENCE = re.compile(r"\\(?:(?P<number>[0-9]{1,2})|g<(?P<name>[A-Za-z0-9_]{1,32})>)|(?P<text>[^\\]+)", re.ASCII)


@dataclass(frozen=True)
class Substitution:
    """A pattern that must match a whole text, and what is made of it. Made by :meth:`compile`.

    Attributes:
        ways: a bound on the ways in which the pattern can match a name, 1 to ``MOST_WAYS``.
    """

    ways: int
    _pattern: re.Pattern[str]
    _pieces: tuple[str | int, ...]

    @classmethod
    def compile(cls, pattern: str, replacement: str) -> Substitution:
        r"""Read a pattern in Python's syntax, anchored at both ends, and its replacement.

        The replacement names groups as ``\\1`` or ``\\g<name>``; a group that took no part is empty.

        Raises:
            UsageError: no valid pattern, one that is too long or has too many ways to match, or a replacement
                that names a group that there is not.
        """
        if len(pattern) > LONGEST_PATTERN or len(replacement) > LONGEST_PATTERN:
            raise _refused(pattern, f"it has more than {LONGEST_PATTERN} characters")
        ways = _ways(pattern)
        if ways > MOST_WAYS:
            raise _refused(
                pattern,
                "it has too many ways to match",
                advice="Let a character that it cannot hold follow each repeat: [^/]+/ instead of .*/",
            )
        try:
            compiled = re.compile(pattern, re.ASCII)
        except (re.error, OverflowError, RecursionError) as error:
            raise _refused(pattern, str(error)) from error
        return cls(ways, compiled, tuple(_pieces(replacement, compiled)))

    def apply(self, text: str) -> str | None:
        """Return what becomes of a text of at most 384 characters; ``None`` if the pattern does not match."""
        match = self._pattern.fullmatch(text)
        if match is None:
            return None
        return "".join(piece if isinstance(piece, str) else match[piece] or "" for piece in self._pieces)


def _pieces(replacement: str, pattern: re.Pattern[str]) -> list[str | int]:
    pieces: list[str | int] = []
    position = 0
    while position < len(replacement):
        found = _REFERENCE.match(replacement, position)
        if found is None:
            raise _refused(replacement, "what follows its backslash names no group")
        position = found.end()
        if found["text"]:
            pieces.append(found["text"])
            continue
        group = found["number"] or found["name"]
        number = int(group) if group.isdecimal() else pattern.groupindex.get(group, -1)
        if not 0 <= number <= pattern.groups:
            raise _refused(replacement, f"the pattern has no group {group}")
        pieces.append(number)
    return pieces


@dataclass
class _Group:
    """A group while it is read: in how many ways its branches match, and whether always the same text long."""

    ended: int = 0
    ways: int = 1
    is_fixed: bool = True

    def end_branch(self) -> None:
        self.ended, self.ways = self.ended + self.ways, 1
        self.is_fixed = False


@dataclass
class _Counting:
    pattern: str
    tokens: list[tuple[str, str]]
    stack: list[_Group] = field(default_factory=lambda: [_Group()])

    def count(self) -> int:
        position = 0
        while position < len(self.tokens):
            kind, text = self.tokens[position]
            position += 1
            if kind == "open":
                if len(self.stack) > _DEEPEST:
                    raise _refused(self.pattern, "its groups are nested too deeply")
                self.stack.append(_Group())
            elif kind == "branch":
                self.stack[-1].end_branch()
            elif kind == "close" and len(self.stack) > 1:
                group = self.stack.pop()
                position = self._add(position, group.ended + group.ways, is_fixed=group.is_fixed)
            elif kind in _ATOMS:
                position = self._add(position, 1, atom=text)
            else:
                raise _refused(self.pattern, f"{text!r} stands where it has no meaning here")
        if len(self.stack) > 1:
            raise _refused(self.pattern, "a parenthesis is not closed")
        return self.stack[0].ended + self.stack[0].ways

    def _add(self, position: int, ways: int, *, atom: str = "", is_fixed: bool = True) -> int:
        """Count an item, with the repeat that may follow it; return the position behind both."""
        group = self.stack[-1]
        least, most = self._repeat(position)
        behind = position + (self._token(position)[0] == "repeat")
        if most > 1 and not is_fixed:
            raise _refused(
                self.pattern,
                "it repeats what varies itself",
                advice="Write .*/ instead of ([^/]+/)* and the like.",
            )
        if most > least:
            is_fixed = False
            if most == 1:
                ways += 1
            elif not (atom and self._ends_by_itself(atom, behind)):
                ways *= min(most, _LENGTHS) - least + 1
        group.ways = min(group.ways * max(ways, 1), MOST_WAYS + 1)
        group.is_fixed &= is_fixed
        return behind

    def _repeat(self, position: int) -> tuple[int, int]:
        """Return how often an item may come whose repeat, if it has one, stands at ``position``."""
        kind, text = self._token(position)
        if kind != "repeat":
            return 1, 1
        if self._token(position + 1)[0] == "repeat":
            raise _refused(self.pattern, "two repeats follow each other")
        if text[0] != "{":
            return {"*": (0, _LENGTHS), "+": (1, _LENGTHS), "?": (0, 1)}[text[0]]
        counts = _COUNTS.match(text)
        assert counts is not None
        least = int(counts[1][:4] or 0)
        most = (int(counts[3][:4]) if counts[3] else _LENGTHS) if counts[2] else least
        if not least <= most <= _LENGTHS:
            raise _refused(self.pattern, f"{text} is out of bounds: 0 to {_LENGTHS}")
        return least, most

    def _ends_by_itself(self, atom: str, position: int) -> bool:
        """Tell whether a repeat of ``atom`` ends at one place only: before what it cannot hold, or at the end."""
        while self._token(position)[0] == "close" and self._token(position + 1)[0] != "repeat":
            position += 1
        kind, text = self._token(position)
        if not kind:
            return True
        if kind not in ("literal", "escape") or self._repeat(position + 1)[0] == 0:
            return False
        try:
            return re.fullmatch(atom, text[-1], re.ASCII | re.DOTALL) is None
        except re.error as error:
            raise _refused(self.pattern, str(error)) from error

    def _token(self, position: int) -> tuple[str, str]:
        return self.tokens[position] if position < len(self.tokens) else ("", "")


def _ways(pattern: str) -> int:
    """Return a bound on the ways in which a pattern can match a name."""
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(pattern):
        found = _TOKEN.match(pattern, position)
        if found is None or (found.lastgroup == "set" and _RESERVED_IN_SETS.search(found[0])):
            raise _refused(pattern, f"{pattern[position : position + 10]!r} is not taken here")
        tokens.append((found.lastgroup or "", found[0]))
        position = found.end()
    # It is anchored anyway; many write that.
    if tokens and tokens[0] == ("anchor", "^"):
        tokens = tokens[1:]
    if tokens and tokens[-1] == ("anchor", "$"):
        tokens = tokens[:-1]
    return _Counting(pattern, tokens).count()


def _refused(text: str, why: str, *, advice: str | None = None) -> UsageError:
    return UsageError(f"the expression {text!r:.200} is not taken: {why}", advice=advice)
