"""How the result of ``check`` is shown."""

from __future__ import annotations

import shlex

from bundler.api.after_import import CheckedImage, CheckReport
from bundler.cli.console import Console, describe_error
from bundler.cli.views import show_table
from bundler.content.arrivals import Arrival, SmokeResult

_LAST_LINES = 12


def finish_check(console: Console, target: str, report: CheckReport) -> int:
    """Print what was found of every image; return the exit status."""
    error = report.error
    console.document(
        {"target": target, "ok": error is None, "images": [_document(image) for image in report.images]}
    )
    if report.images:
        rows = [("IMAGE", "LISTED", "SAME", "SMOKE", "STATUS")]
        rows += [(image.reference, *_cells(image), image.status) for image in report.images]
        show_table(console, rows)
    for image in report.images:
        _explain(console, image)
    if error is not None:
        console.error(error)
    fine = sum(image.status == "ok" for image in report.images)
    skipped = sum(result.status == "skipped" for image in report.images for result in image.smoke)
    more = f"; {skipped} smoke tests not run" if skipped else ""
    console.line(f"{fine} of {len(report.images)} images are as they should be at {target}{more}")
    return int(error.exit_status) if error is not None else 0


def _document(image: CheckedImage) -> dict[str, object]:
    error = {} if image.error is None else describe_error(image.error)
    return {
        "reference": image.reference,
        "status": image.status,
        **_arrival(image.arrival),
        "smoke": [_smoke(result) for result in image.smoke],
        **error,
    }


def _arrival(arrival: Arrival | None) -> dict[str, object]:
    if arrival is None:
        return {"target": None, "listed": None, "same": None, "expected": [], "found": None, "notes": []}
    return {
        "target": arrival.target,
        "listed": arrival.is_listed,
        "same": arrival.is_same,
        "expected": list(arrival.expected),
        "found": arrival.found,
        "notes": list(arrival.notes),
    }


def _smoke(result: SmokeResult) -> dict[str, object]:
    return {
        "command": list(result.command),
        "status": result.status,
        "exit_status": result.exit_status,
        "reason": result.reason,
        "output": result.output,
    }


def _cells(image: CheckedImage) -> tuple[str, str, str]:
    if image.arrival is None:
        return "?", "?", "-"
    listed = image.arrival.is_listed
    same = ("yes" if image.arrival.is_same else "no") if listed else "-"
    return "yes" if listed else "no", same, _worst(image.smoke)


def _worst(results: tuple[SmokeResult, ...]) -> str:
    said = {result.status for result in results}
    return next((status for status in ("failed", "skipped", "passed") if status in said), "-")


def _explain(console: Console, image: CheckedImage) -> None:
    arrival = image.arrival
    if arrival is not None:
        for note in arrival.notes:
            console.warn(f"{image.reference}: {note}")
        if arrival.is_listed and not arrival.is_same:
            console.line(f"{arrival.target} is {arrival.found}, not {arrival.expected[0]}")
        elif not arrival.is_listed:
            console.line(f"{arrival.target} is not there")
    for result in image.smoke:
        if result.status == "passed":
            continue
        # Whoever named the command may have left it to a bundle from elsewhere: it is shown as data.
        console.line(f"smoke {result.status}: {image.reference}: {shlex.join(result.command)}: {result.reason}")
        for line in result.output.splitlines()[-_LAST_LINES:]:
            console.line(f"    {line}")
    if image.error is not None and image.status == "not checked":
        console.line(f"{image.reference} could not be checked: {image.error}")
