"""The header WWW-Authenticate (RFC 9110 §11.6.1): what a registry wants to see before it serves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bundler.model.limits import DEFAULT_LIMITS, Limits

_PARAMETER_OR_SCHEME = re.compile(
    r"""([A-Za-z0-9_-]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^\s,"]+) | ([A-Za-z][A-Za-z0-9_-]*)""",
    re.ASCII | re.VERBOSE,
)


@dataclass(frozen=True)
class Challenge:
    """One way in that a registry offers; scheme and names of parameters are in lower case."""

    scheme: str
    parameters: dict[str, str]


def parse_challenges(headers: Iterable[str], limits: Limits = DEFAULT_LIMITS) -> list[Challenge]:
    """Read the values of all WWW-Authenticate headers; what cannot be understood or is too long is passed over.

    Schemes come back in lower case, because registries are known that write ``BASIC``.
    """
    found: list[Challenge] = []
    for header in headers:
        for match in _PARAMETER_OR_SCHEME.finditer(header[: limits.challenge_chars]):
            name, value, scheme = match.groups()
            if scheme:
                found.append(Challenge(scheme.lower(), {}))
            elif found:
                found[-1].parameters.setdefault(name.lower(), _unquote(value))
    return found


def _unquote(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
