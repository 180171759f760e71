"""How a repair is shown: what was mended, and what is still to be had."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from bundler.bundle.repair.report import MendedFile, RepairReport
from bundler.cli.console import Console
from bundler.cli.report_view import name_files, show_findings, wrong_and_absent
from bundler.errors import AirbundleError, DamagedBundle, ExitStatus, IncompleteBundle, MendableBundle
from bundler.model.sizes import format_size


def repair_document(report: RepairReport) -> dict[str, object]:
    """Return what ``repair --json`` prints."""
    return {
        "ok": report.ok,
        "id": report.id,
        "changed": report.changed,
        "findings": [asdict(finding) for finding in report.found],
        "mended": [
            {
                "file": one.file,
                "directory": str(one.directory),
                "bytes_from_copies": one.bytes_from_copies,
                "bytes_from_parity": one.bytes_from_parity,
                "whole": one.is_whole,
            }
            for one in report.mended
        ],
        "tables": list(report.tables),
        "bytes_from_copies": sum(one.bytes_from_copies for one in report.mended),
        "bytes_from_parity": sum(one.bytes_from_parity for one in report.mended),
        "left": [asdict(finding) for finding in report.left],
        "blocks_needed": report.blocks_needed,
        "left_out": list(report.left_out),
        "unused": [{"directory": str(one.directory), "reason": one.reason} for one in report.unused],
    }


def finish_repair(console: Console, bundle: Path, report: RepairReport) -> int:
    """Print what was done and what could not be; return the exit status."""
    console.document(repair_document(report))
    for unused in report.unused:
        console.warn(f"nothing can be taken from {unused.directory}: {unused.reason}")
    for file in report.tables:
        console.line(f"mended   {file}")
    for one in report.mended:
        console.line(f"{'mended' if one.is_whole else 'partly':8} {one.file}: {_origins(one)}")
    show_findings(console, report.left)
    if report.ok:
        before = ": it was mended before" if report.found else ": nothing was wrong"
        asked = "what was asked for of " if report.left_out else ""
        console.line(f"intact   {asked}{report.id}{'' if report.changed or report.left else before}")
        if report.left:
            console.line(f"note     only its parity is not: `airbundle parity {bundle}` makes it")
        return int(ExitStatus.DONE)
    console.error(_error(bundle, report))
    return int(report.exit_status)


def _origins(one: MendedFile) -> str:
    counts = [
        f"{format_size(count)} from {what}"
        for count, what in ((one.bytes_from_copies, "other copies"), (one.bytes_from_parity, "parity"))
        if count
    ]
    rest = f"as {one.file}.partial" if not one.is_whole else "its sha256 is right"
    return ", ".join([*counts, rest])


def _error(bundle: Path, report: RepairReport) -> AirbundleError:
    wrong, absent = wrong_and_absent(report.left)
    named = name_files([*wrong, *absent])
    kind: type[AirbundleError] = {
        ExitStatus.INCOMPLETE: IncompleteBundle,
        ExitStatus.MENDABLE: MendableBundle,
    }.get(report.exit_status, DamagedBundle)
    done = "" if report.changed else "; nothing was changed"
    if not report.blocks_needed:
        return kind(f"not everything could be mended: {named}{done}", advice="See what is said of each file.")
    blocks = "1 more right block" if report.blocks_needed == 1 else f"{report.blocks_needed} more right blocks"
    advice = f"`airbundle request {bundle} -o FILE` asks for them; or give another copy with --from."
    if report.absent:
        count = "One file is" if len(report.absent) == 1 else f"{len(report.absent)} files are"
        advice += (
            f" {count} not here at all: if that is meant so, as on one stick of several, give --present or --app."
        )
    if not report.changed and any(finding.mendable for finding in report.found):
        advice += " --partial mends what can be mended."
    return kind(f"not everything can be mended: {named}; {blocks} would do{done}", advice=advice)
