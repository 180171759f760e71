"""How a copy is shown: before, what goes where; afterwards, what was done and what is still to be had."""

from __future__ import annotations

from bundler.api.copying import CopyPlan
from bundler.bundle.copying.media.placement import Share
from bundler.bundle.copying.outcome import CopyOutcome, DestinationOutcome
from bundler.bundle.findings import Finding
from bundler.bundle.names import PARITY_JSON
from bundler.cli.console import Console
from bundler.cli.report_view import name_files, show_findings, wrong_and_absent
from bundler.cli.views import show_table
from bundler.errors import AirbundleError, DamagedBundle, ExitStatus, IncompleteBundle, MendableBundle
from bundler.model.sizes import format_size


def warn_of_tables(console: Console, plan: CopyPlan) -> None:
    """Say which tables of the sources are damaged; an unfinished copy is none of that."""
    for finding in plan.sources.findings:
        if not finding.is_absence:
            place = f" in {finding.directory}" if finding.directory else ""
            is_lost = finding.file == PARITY_JSON and plan.sources.parity is None
            gets = "no parity" if is_lost else "a right one"
            state = f"could not be read ({finding.found})" if finding.code == "denied" else "is damaged"
            console.warn(f"{finding.file}{place} {state}; the copy gets {gets}")


def plan_document(plan: CopyPlan) -> dict[str, object]:
    """Return what ``copy --dry-run --json`` prints."""
    return {
        "id": plan.sources.manifest.id,
        "size": sum(part.size for part in plan.parts),
        "destinations": [
            {
                "directory": str(share.room.directory),
                "parts": [part.file for part in share.parts],
                "size": share.size,
                "needed_bytes": share.needed,
                "free_bytes": share.room.volume.free,
                "total_bytes": share.room.volume.total,
            }
            for share in plan.placement.shares
        ],
        "left": [part.file for part in plan.placement.left],
        "further_media": plan.further_media,
    }


def show_plan(console: Console, plan: CopyPlan) -> None:
    """Print each part with the place it goes to, and how full each place will be."""
    rows = [("PART", "SIZE", "GOES TO")]
    for share in plan.placement.shares:
        for part in share.parts:
            there = "" if share.room.rest_of(part) else "  (there already)"
            rows.append((part.file, format_size(part.size), f"{share.room.directory}{there}"))
    rows += [(part.file, format_size(part.size), "a further medium") for part in plan.placement.left]
    show_table(console, rows)
    console.line()
    for share in plan.placement.shares:
        console.line(_fullness(share))
    if plan.placement.left:
        size = sum(part.size for part in plan.placement.left)
        media = "no medium" if plan.further_media is None else f"about {plan.further_media} more media"
        console.line(f"left over: {len(plan.placement.left)} parts, {format_size(size)}; {media} of this size")
    console.line()


def outcome_document(outcome: CopyOutcome) -> dict[str, object]:
    """Return what ``copy --json`` prints."""
    report = outcome.report
    return {
        "id": outcome.manifest.id,
        "complete": outcome.is_complete,
        "bytes_copied": report.bytes_copied,
        "bytes_kept": report.bytes_kept,
        "bytes_mended": report.bytes_mended,
        "bytes_bad": report.bytes_bad,
        "bad": [_bad(finding) for finding in outcome.findings if not finding.is_absence],
        "missing": list(outcome.missing),
        "gone_sources": [str(directory) for directory in report.gone],
        "destinations": [_destination(one) for one in outcome.destinations],
    }


def finish_copy(console: Console, outcome: CopyOutcome) -> int:
    """Print what was done and what could not be; return the exit status."""
    console.document(outcome_document(outcome))
    show_findings(console, outcome.findings)
    for directory in outcome.report.gone:
        console.warn(f"the source {directory} is gone; what only it has is missing")
    for one in outcome.destinations:
        state = "done" if one.is_complete else "unfinished"
        console.line(f"{state:10} {one.directory}: {_counts(one)}")
    if outcome.is_complete:
        return 0
    console.error(_why_not_complete(outcome))
    return int(outcome.exit_status)


def _why_not_complete(outcome: CopyOutcome) -> AirbundleError:
    place = outcome.destinations[0].directory
    others = f"airbundle copy OTHER {place}"
    damaged, absent = wrong_and_absent(outcome.findings)
    named = name_files(damaged or absent)
    error: AirbundleError
    if outcome.exit_status == ExitStatus.MENDABLE:
        error = MendableBundle(
            f"the bundle is there and right, but its parity is not whole: {named}",
            advice=f"Make again what is missing of it: airbundle parity {place}",
        )
    elif outcome.exit_status == ExitStatus.DAMAGED:
        error = DamagedBundle(
            f"some blocks are right in no source: {named}"
            + (f"; missing, and perhaps right elsewhere: {name_files(absent)}" if absent else ""),
            advice=f"Copy them from another copy of the bundle; what is right is kept: {others}",
        )
    elif outcome.waiting:
        error = IncompleteBundle(
            f"parts are not copied yet: {named}",
            advice="Run the same command again, with the first medium in place again: what it holds is kept.",
        )
    else:
        error = IncompleteBundle(
            f"parts are in no source{' any more' if outcome.report.gone else ''}: {named}",
            advice=f"Copy them from where they are; what is there is kept: {others}",
        )
    return error


def _fullness(share: Share) -> str:
    volume = share.room.volume
    if not share.parts:
        return f"{share.room.directory}: is not needed"
    taken = volume.total - volume.free + share.needed
    full = f"; then {taken / volume.total:.0%} of {format_size(volume.total)} are taken" if volume.total else ""
    parts = f"{len(share.parts)} {'part' if len(share.parts) == 1 else 'parts'}"
    writes = f"{format_size(share.needed)} to write"
    if there := sum(min(share.room.held.get(part.file, 0), part.size) for part in share.parts):
        writes += f" besides what is not right of {format_size(there)} that are there"
    return f"{share.room.directory}: {parts}, {format_size(share.size)}, {writes}{full}"


def _counts(one: DestinationOutcome) -> str:
    if not one.parts:
        return "not needed"
    report = one.report
    counts = [f"{format_size(report.bytes_copied)} copied", f"{format_size(report.bytes_kept)} kept"]
    if report.bytes_mended:
        counts.insert(1, f"{format_size(report.bytes_mended)} of that mended by parity")
    if report.bytes_bad:
        counts.append(f"{format_size(report.bytes_bad)} could not be had")
    return ", ".join(counts)


def _destination(one: DestinationOutcome) -> dict[str, object]:
    return {
        "directory": str(one.directory),
        "parts": [part.file for part in one.parts],
        "complete": one.is_complete,
        "bytes_copied": one.report.bytes_copied,
        "bytes_kept": one.report.bytes_kept,
        "bytes_mended": one.report.bytes_mended,
        "bytes_bad": one.report.bytes_bad,
        "missing": list(one.report.missing),
    }


def _bad(finding: Finding) -> dict[str, object]:
    return {
        "file": finding.file,
        "offset": finding.offset,
        "length": finding.length,
        "code": finding.code,
        "found": finding.found,
        "blobs": list(finding.blobs),
        "applications": list(finding.applications),
        "images": list(finding.images),
    }
