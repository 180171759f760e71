"""Patterns of tags: ``*`` stands for any text, ``?`` for one character."""

from __future__ import annotations


def fits(pattern: str, text: str) -> bool:
    """Tell whether a pattern fits all of a text.

    In steps of at most the product of both lengths: the last star alone is tried again, where a regular
    expression would try all of them.
    """
    at, place, star, retry = 0, 0, -1, 0
    while place < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, retry, at = at, place, at + 1
        elif at < len(pattern) and pattern[at] in ("?", text[place]):
            at, place = at + 1, place + 1
        elif star >= 0:
            retry += 1
            at, place = star + 1, retry
        else:
            return False
    return not pattern[at:].strip("*")
