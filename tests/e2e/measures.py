"""A table of what the commands used, printed at the end of the run."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.e2e.command import Result

_MB = 1_000_000


@dataclass
class Measures:
    """Rows of seconds, speed, peak memory and bytes written."""

    rows: list[str] = field(default_factory=list)

    def add(self, what: str, result: Result, size: int) -> None:
        """Note one run that worked on ``size`` bytes."""
        self.rows.append(
            f"{what:<14} {size / _MB:>8.1f} MB {result.seconds:>7.1f} s {size / _MB / result.seconds:>7.1f} MB/s"
            f" {result.peak_bytes / _MB:>7.1f} MB peak {result.written / _MB:>8.1f} MB written"
        )
