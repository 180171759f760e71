"""Sizes as people write them. ``KB`` is 1000 bytes, ``KiB`` is 1024: each means what it says."""

from __future__ import annotations

import re

from bundler.errors import UsageError

_UNITS = {
    "": 1, "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}  # fmt: skip
_SIZE = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)\s*([A-Za-z]*)", re.ASCII)


def parse_size(text: str) -> int:
    """Read ``3900MiB``, ``4GB``, ``1.5 GiB`` or ``65536`` as bytes.

    Raises:
        UsageError: no number, an unknown unit (a bare ``K``, ``M`` or ``G`` is ambiguous), or no whole
            number of bytes.
    """
    match = _SIZE.fullmatch(text.strip())
    factor = _UNITS.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise UsageError(
            f"not a size: {text!r:.50}", advice="Write a number with KB, MB, GB, TB or KiB, MiB, GiB, TiB."
        )
    whole, _, fraction = match[1].partition(".")
    scale: int = 10 ** len(fraction)
    size, rest = divmod(int(whole + fraction) * factor, scale)
    if rest:
        raise UsageError(f"{text!r:.50} is no whole number of bytes")
    return size


def format_size(count: int) -> str:
    """Write a number of bytes for people: ``3.8 GiB``, ``512 bytes``."""
    if count < 1 << 10:
        return f"{count} bytes"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"
