"""How many pulls a registry still allows (draft-ietf-httpapi-ratelimit-headers, as Docker Hub sends it)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

_NUMBER = re.compile(r"\s*([0-9]{1,12})(?![0-9.])", re.ASCII)
_WINDOW = re.compile(r";\s*w\s*=\s*([0-9]{1,9})(?![0-9])", re.ASCII)
#: A larger number of seconds until the reset is a point in time, since 1970.
_LONGEST_RESET = 10**9


@dataclass(frozen=True)
class RateLimit:
    """What a registry said with an answer.

    Attributes:
        remaining: pulls that are left in the current window.
        limit: pulls of a whole window, if it said so.
        window_seconds: how long that is, if it said so.
        reset_seconds: how long from now until all are there again, if it said so.
    """

    remaining: int
    limit: int | None = None
    window_seconds: int | None = None
    reset_seconds: float | None = None

    def __str__(self) -> str:
        text = f"{self.remaining}" + (f" of {self.limit}" if self.limit is not None else "") + " pulls are left"
        if self.window_seconds:
            text += f" in a window of {duration(self.window_seconds)}"
        return text + (f", all again in {duration(self.reset_seconds)}" if self.reset_seconds is not None else "")


def parse_rate_limit(header: Callable[[str], str], now: float | None = None) -> RateLimit | None:
    """Read the headers of an answer; ``None`` where they say nothing of a limit that can be understood.

    Args:
        header: Gives a header by name, ``""`` where it is missing.
        now: In seconds since 1970; by default the clock's.
    """
    for prefix in ("", "X-"):
        said = header(f"{prefix}RateLimit-Remaining")
        remaining = _number(said)
        if remaining is None:
            continue
        limit = header(f"{prefix}RateLimit-Limit")
        window = _WINDOW.search(limit[:200]) or _WINDOW.search(said[:200])
        reset: float | None = _number(header(f"{prefix}RateLimit-Reset"))
        if reset is not None and reset > _LONGEST_RESET:
            reset = max(0.0, reset - (time.time() if now is None else now))
        return RateLimit(remaining, _number(limit), int(window[1]) if window else None, reset)
    return None


def duration(seconds: float) -> str:
    """Return a time for people: in the largest unit that keeps it whole enough."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _number(text: str) -> int | None:
    match = _NUMBER.match(text)
    return int(match[1]) if match else None
