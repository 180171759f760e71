"""How parity is shown: how much it is, and in words what it mends."""

from __future__ import annotations

from bundler.bundle.parity.geometry import Geometry
from bundler.bundle.parity.making import ParityOutcome
from bundler.bundle.parity.strength import Strength, strength_of
from bundler.bundle.parity.table import ParityTable
from bundler.cli.console import Console
from bundler.model.sizes import format_size


def parity_document(table: ParityTable) -> dict[str, object]:
    """Return what ``inspect`` prints of parity as JSON."""
    geometry = table.geometry
    return {
        "k": geometry.k,
        "m": geometry.m,
        "block_bytes": geometry.block_bytes,
        "stripes": geometry.stripes,
        "size": geometry.parity_bytes,
        "files": [file.file for file in table.files],
        "mends": strength_of(geometry, table.data, table.parity).words,
    }


def outcome_document(outcome: ParityOutcome) -> dict[str, object]:
    """Return what ``parity`` and ``pack`` print as JSON."""
    counts = {"bytes_written": outcome.bytes_written, "bytes_kept": outcome.bytes_kept}
    return {**parity_document(outcome.table), **counts}


def show_parity(console: Console, table: ParityTable) -> None:
    """Print how much parity there is, and what it mends."""
    size = table.geometry.parity_bytes
    share = 100 * size / table.geometry.size
    count = len(table.files)
    console.line(
        f"parity   {format_size(size)} ({share:.1f} %{least(table.geometry)}) in {count} file{'s' * (count > 1)}"
    )
    console.line(f"mends    {strength_of(table.geometry, table.data, table.parity).words}")


def least(geometry: Geometry) -> str:
    """Say of the parity of a small bundle that it cannot be less, however little was asked for."""
    if geometry.stripes > 1 or geometry.m > 2:
        return ""
    return f", the least: blocks have {format_size(geometry.block_bytes)}"


def expected_document(strength: Strength) -> dict[str, object]:
    """Return what ``plan`` prints as JSON of parity that would be made."""
    geometry = strength.geometry
    return {
        "k": geometry.k,
        "m": geometry.m,
        "block_bytes": geometry.block_bytes,
        "stripes": geometry.stripes,
        "size": geometry.parity_bytes,
        "mends": strength.words,
    }
