"""From ``--limit NAME=VALUE`` to the limits of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bundler.errors import UsageError
from bundler.model.limits import CHANGEABLE, DEFAULT_LIMITS, Limits
from bundler.model.sizes import parse_size

#: A window of 2 GiB is the largest that the format of zstd has and its library reads; 1 KiB the smallest.
_WINDOW_LOGS = range(10, 32)


def read_limits(items: Sequence[str] | None) -> Limits:
    """Return the default limits with these changes, each ``NAME=VALUE``; of a name twice the last one counts.

    Raises:
        UsageError: no limit of this name can be changed, or the value is none for it.
    """
    return replace(DEFAULT_LIMITS, **dict(map(_read, items or ())))


def _read(item: str) -> tuple[str, int]:
    name, equals, text = item.partition("=")
    if not equals or name not in CHANGEABLE:
        raise UsageError(
            f"--limit {item!r:.100} names no limit that can be changed",
            advice=f"Write NAME=VALUE with one of {', '.join(CHANGEABLE)}.",
        )
    if name.endswith("_bytes"):
        value = parse_size(text)
    elif text.isascii() and text.isdecimal() and len(text) < 19:
        value = int(text)
    else:
        raise UsageError(f"--limit {item!r:.100}: the value is no whole number", advice="Write it in digits.")
    if not 0 < value < 1 << 62 or (name == "window_log" and value not in _WINDOW_LOGS):
        bounds = f"{_WINDOW_LOGS[0]} to {_WINDOW_LOGS[-1]}" if name == "window_log" else "1 to 2^62"
        raise UsageError(f"--limit {item!r:.100}: the value must be {bounds}", advice="Choose another value.")
    return name, value
