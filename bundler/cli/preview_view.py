"""How ``push --dry-run`` is shown."""

from __future__ import annotations

from bundler.api.transfer_report import TransferReport
from bundler.cli.console import Console
from bundler.cli.transfer_view import failed_image, pushed_image, show_errors, waiting_image
from bundler.cli.views import show_table
from bundler.content.images import ReferrerCounts
from bundler.destinations.registry_preview import Preview
from bundler.errors import ExitStatus, PolicyRefused
from bundler.model.listing import first_of
from bundler.model.reference import Reference
from bundler.model.sizes import format_size


def finish_preview(console: Console, report: TransferReport) -> int:
    """Print what a push would do to every image; return the exit status that it would begin with."""
    previews = [result for result in report.results if isinstance(result, Preview)]
    to_send = sum(preview.bytes_to_send for preview in previews)
    skipped = sum(preview.bytes_skipped for preview in previews)
    console.document(
        {
            "dry_run": True,
            "images": [
                *(_document(preview) for preview in previews),
                *(failed_image(name, error) for name, error in report.failures),
                *(waiting_image(image) for image in report.waiting),
            ],
            "bytes_to_send": to_send,
            "bytes_skipped": skipped,
        }
    )
    _show_rows(console, previews)
    for preview in previews:
        for note in preview.notes:
            console.warn(f"{preview.reference}: {note}")
    is_known = all(preview.there != "unknown" for preview in previews)
    sizes = (
        f"{format_size(to_send)} to send, {format_size(skipped)} there already or shared"
        if is_known
        else "nobody was asked"
    )
    console.line(f"{len(previews)} images, {sizes}; nothing was sent")
    refused = _refusal(previews)
    if refused is not None and report.error is None:
        console.error(refused)
        return int(refused.exit_status)
    decisive = show_errors(console, report)
    return int(decisive.exit_status if decisive else ExitStatus.DONE)


def _show_rows(console: Console, previews: list[Preview]) -> None:
    rows = [("IMAGE", "NEW NAME", "THERE", "BLOBS", "TO SEND", "REFERRERS", "THEN")]
    for preview in previews:
        is_asked = preview.there != "unknown"
        rows.append(
            (
                Reference.parse(preview.reference).familiar,
                preview.target,
                f"other {preview.existing.short}"
                if preview.there == "other" and preview.existing
                else preview.there,
                str(preview.blobs_to_send) if is_asked else "?",
                format_size(preview.bytes_to_send) if is_asked else "?",
                _referrers(preview.referrers) if is_asked else "?",
                {"planned": "overwritten" if preview.replaced else "pushed"}.get(preview.status, preview.status),
            )
        )
    show_table(console, rows)


def _referrers(counts: ReferrerCounts) -> str:
    named = ((counts.put, "to push"), (counts.there, "there"), (counts.left_out, "left out"))
    return ", ".join(f"{count} {what}" for count, what in named if count) or "-"


def _refusal(previews: list[Preview]) -> PolicyRefused | None:
    refused = [preview.target for preview in previews if preview.status == "refused"]
    if not refused:
        return None
    return PolicyRefused(
        f"{first_of(refused, 1)}: a tag stands for something else there",
        advice="Choose another tag or prefix, or say --on-existing-tag skip or overwrite.",
    )


def _document(preview: Preview) -> dict[str, object]:
    return {
        **pushed_image(preview),
        "there": preview.there,
        "existing": preview.existing,
        "blobs_to_send": preview.blobs_to_send if preview.there != "unknown" else None,
        "bytes_to_send": preview.bytes_to_send if preview.there != "unknown" else None,
    }
