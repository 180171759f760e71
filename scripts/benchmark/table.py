"""Rows of figures against their goals, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from benchmark.measuring import Usage

_COLUMNS = [
    "work", "compared with", "ours", "theirs", "ratio", "goal", "met", "CPU s ours / theirs",
    "of servers", "peak MiB ours / theirs", "note",
]  # fmt: skip
_MIB = 1 << 20
#: Servers that worked less than so many seconds had no part in it.
_NO_WORK = 0.05


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        work: What is done.
        peer: What it is compared with.
        ours: Our figure.
        theirs: Theirs.
        unit: Of both: ``s`` or ``MB``.
        goal: What the ratio should reach; ``None`` for no goal.
        at_most: The ratio is ours / theirs and should not be above the goal; else theirs / ours, not below it.
        ours_usage: Of our runs, for rows of times.
        theirs_usage: Of theirs.
        note: What else is to be known.
    """

    work: str
    peer: str
    ours: float
    theirs: float
    unit: str = "s"
    goal: float | None = None
    at_most: bool = False
    ours_usage: Usage | None = None
    theirs_usage: Usage | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """The figure that the goal is about."""
        above, below = (self.ours, self.theirs) if self.at_most else (self.theirs, self.ours)
        return above / below if below else float("inf")

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; ``None`` without one."""
        if self.goal is None:
            return None
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal


@dataclass(frozen=True)
class Skipped:
    """A row that is not there, and why."""

    work: str
    reason: str


def times(work: str, peer: str, ours: Usage, theirs: Usage, goal: float | None, note: str = "") -> Row:
    """Return a row of wall times with all that the runs used."""
    return Row(work, peer, ours.wall, theirs.wall, goal=goal, ours_usage=ours, theirs_usage=theirs, note=note)


def one_line(row: Row | Skipped) -> str:
    """Return what matters of a row, to be read while the rest is still running."""
    if isinstance(row, Skipped):
        return f"{row.work}: {row.reason}"
    work, peer, ours, theirs, ratio, goal, met = _cells(row)[:7]
    return f"{work} / {peer}: {ours} / {theirs}, ratio {ratio}, goal {goal or 'none'} {met}".rstrip()


def markdown(rows: Sequence[Row | Skipped]) -> str:
    """Return a table of all rows; those that are not there come last, with the reason."""
    lines = [_line(_COLUMNS), _line(["---"] * len(_COLUMNS))]
    lines += [_line(_cells(row)) for row in rows if isinstance(row, Row)]
    absent = [f"- {row.work}: {row.reason}" for row in rows if isinstance(row, Skipped)]
    if absent:
        lines += ["", "Not measured:", "", *absent]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _cells(row: Row) -> list[str]:
    goal = "" if row.goal is None else f"{'≤' if row.at_most else '≥'} {row.goal:g}"
    met = {True: "yes", False: "**no**", None: ""}[row.met]
    cells = [row.work, row.peer, _figure(row.ours, row.unit), _figure(row.theirs, row.unit)]
    cells += [f"{row.ratio:.2f}", goal, met]
    ours, theirs = row.ours_usage, row.theirs_usage
    if ours is None or theirs is None:
        return [*cells, "", "", "", row.note]
    worked = ours.server_cpu + theirs.server_cpu > _NO_WORK
    servers = f"{ours.server_cpu:.1f} / {theirs.server_cpu:.1f}" if worked else ""
    peaks = f"{ours.peak_bytes / _MIB:.0f} / {theirs.peak_bytes / _MIB:.0f}"
    return [*cells, f"{ours.cpu:.2f} / {theirs.cpu:.2f}", servers, peaks, row.note]


def _figure(value: float, unit: str) -> str:
    digits = {"s": 3 if value < 1 else 2, "MB": 1}[unit]
    return f"{value:.{digits}f} {unit}"


def documents(rows: Sequence[Row | Skipped]) -> list[dict[str, object]]:
    """Return all rows as JSON values; sizes in bytes, times in seconds, ``MB`` rows in 10^6 bytes."""
    return [_document(row) for row in rows]


def _document(row: Row | Skipped) -> dict[str, object]:
    measured = {"ratio": row.ratio, "met": row.met} if isinstance(row, Row) else {}
    return {**asdict(row), **measured}
