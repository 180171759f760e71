"""How the verdict on a bundle is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from bundler.bundle.findings import CHECKS, LAST_CHECK, Finding, Level, VerificationReport
from bundler.cli.console import Console
from bundler.errors import (
    AirbundleError,
    DamagedBundle,
    ExitStatus,
    IncompleteBundle,
    MendableBundle,
    SignatureRefused,
    UsageError,
)
from bundler.model.sizes import format_size

_MOST_LINES_A_FILE = 5
_MOST_FILES = 8
_VERDICTS: dict[ExitStatus, tuple[type[AirbundleError], str, str]] = {
    ExitStatus.MENDABLE: (MendableBundle, "damaged, and holds what is needed to mend it", "Mend the named files."),
    ExitStatus.DAMAGED: (DamagedBundle, "damaged", "Copy the named parts again."),
    ExitStatus.INCOMPLETE: (IncompleteBundle, "incomplete", "Bring the named parts."),
    ExitStatus.REFUSED_BY_POLICY: (SignatureRefused, "not signed by this key", "Find out where it comes from."),
}


def checked_level(text: str) -> Level:
    """Return the level of this name.

    Raises:
        UsageError: there is none.
    """
    for level in LAST_CHECK:
        if text == level:
            return level
    raise UsageError(f"there is no level {text!r}", advice=f"Use {', '.join(LAST_CHECK)}.")


def report_document(report: VerificationReport) -> dict[str, object]:
    """Return what ``verify --json`` prints."""
    return {
        "ok": report.ok,
        "id": report.id,
        "level": report.level,
        "findings": [asdict(finding) for finding in report.findings],
        "strangers": list(report.strangers),
    }


def show_report(console: Console, report: VerificationReport) -> None:
    """Print each finding, at most a few for one file, and the verdict; a bad one as an error."""
    files = dict.fromkeys(finding.file for finding in report.findings)
    for file in files:
        _show_file(console, [finding for finding in report.findings if finding.file == file])
    if report.ok:
        last = LAST_CHECK[report.level]
        console.line(f"intact   {report.id}")
        console.line(f"         checks 1 to {last} passed; the last: {CHECKS[last]}")
        return
    kind, verdict, advice = _VERDICTS[report.exit_status]
    named = ", ".join(list(files)[:_MOST_FILES]) + (" …" if len(files) > _MOST_FILES else "")
    console.error(kind(f"the bundle is {verdict}: {named}", advice=advice))


def _show_file(console: Console, findings: list[Finding]) -> None:
    for finding in findings[:_MOST_LINES_A_FILE]:
        place = ""
        if finding.offset is not None and finding.length is not None:
            place = f" at byte {finding.offset}, {format_size(finding.length)}"
        console.line(f"{finding.file}: {finding.code.replace('-', ' ')}{place}  (check {finding.check})")
        console.line(f"    expected {finding.expected}, found {finding.found}")
    if len(findings) > _MOST_LINES_A_FILE:
        console.line(f"    and {len(findings) - _MOST_LINES_A_FILE} more in this file; --json lists all")
    hit = _sorted_union(finding.images for finding in findings)
    if hit:
        console.line(f"    hits {', '.join(hit)}")
    elif applications := _sorted_union(finding.applications for finding in findings):
        console.line(f"    hits no image; tables of {', '.join(applications)}")


def _sorted_union(groups: Iterable[tuple[str, ...]]) -> list[str]:
    return sorted({item for group in groups for item in group})
