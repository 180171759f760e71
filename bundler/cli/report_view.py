"""How the verdict on a bundle is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    ExitStatus.MENDABLE: (
        MendableBundle,
        "damaged, and holds what is needed to mend it",
        "Run `airbundle repair` on it.",
    ),
    ExitStatus.DAMAGED: (
        DamagedBundle,
        "damaged",
        "Copy the named parts again; or `airbundle repair` with --from and another copy.",
    ),
    ExitStatus.INCOMPLETE: (IncompleteBundle, "incomplete", "Bring the named parts, or finish the copy."),
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
    show_findings(console, report.findings)
    if report.ok:
        last = LAST_CHECK[report.level]
        console.line(f"intact   {report.id}")
        console.line(f"         checks 1 to {last} passed; the last: {CHECKS[last]}")
        return
    kind, verdict, advice = _VERDICTS[report.exit_status]
    wrong, absent = wrong_and_absent(report.findings)
    said = [(wrong, "damaged"), (absent, "not there, or unfinished")]
    if report.exit_status == ExitStatus.INCOMPLETE:
        said.reverse()
    (first, _), (second, what) = said
    named = name_files(first or second) + (f"; {what}: {name_files(second)}" if first and second else "")
    console.error(kind(f"the bundle is {verdict}: {named}", advice=advice))


def wrong_and_absent(findings: Iterable[Finding]) -> tuple[list[str], list[str]]:
    """Return the files in which something is wrong, and the other ones that merely are not there, or not whole."""
    wrong: dict[str, None] = {}
    absent: dict[str, None] = {}
    for finding in findings:
        (absent if finding.is_absence else wrong)[_path(finding)] = None
    return list(wrong), [file for file in absent if file not in wrong]


def name_files(files: Sequence[str]) -> str:
    """Return the names of some files, at most a few."""
    return ", ".join(files[:_MOST_FILES]) + (" …" if len(files) > _MOST_FILES else "")


def show_findings(console: Console, findings: Sequence[Finding]) -> list[str]:
    """Print findings by file, at most a few for each; return the files."""
    files: dict[str, list[Finding]] = {}
    for finding in findings:
        files.setdefault(_path(finding), []).append(finding)
    for file, found in files.items():
        _show_file(console, file, found)
    return list(files)


def _path(finding: Finding) -> str:
    return finding.file if finding.directory is None else f"{finding.directory}/{finding.file}"


def _show_file(console: Console, file: str, findings: list[Finding]) -> None:
    for finding in findings[:_MOST_LINES_A_FILE]:
        place = ""
        if finding.offset is not None and finding.length is not None:
            place = f" at byte {finding.offset}, {format_size(finding.length)}"
        console.line(f"{file}: {finding.code.replace('-', ' ')}{place}  (check {finding.check})")
        console.line(f"    expected {finding.expected}, found {finding.found}")
        if finding.mendable:
            console.line("    what is needed to mend it is here")
    if len(findings) > _MOST_LINES_A_FILE:
        console.line(f"    and {len(findings) - _MOST_LINES_A_FILE} more in this file; --json lists all")
    hit = _sorted_union(finding.images for finding in findings)
    if hit:
        console.line(f"    hits {', '.join(hit)}")
    elif applications := _sorted_union(finding.applications for finding in findings):
        console.line(f"    hits no image; tables of {', '.join(applications)}")


def _sorted_union(groups: Iterable[tuple[str, ...]]) -> list[str]:
    return sorted({item for group in groups for item in group})
