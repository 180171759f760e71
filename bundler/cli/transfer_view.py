"""How the result of load, push and extract is shown."""

from __future__ import annotations

from collections.abc import Callable

from bundler.api.transfer_report import TransferReport, WaitingImage, still_waiting
from bundler.cli.console import Console, describe_error
from bundler.content.images import OnExistingTag, PutResult
from bundler.errors import (
    AirbundleError,
    IncompleteBundle,
    NoSpace,
    NotWritable,
    Unauthorised,
    Unreachable,
    UsageError,
)
from bundler.model.reference import Reference
from bundler.model.sizes import format_size

ImageDocument = Callable[[PutResult], dict[str, object]]


def checked_policy(text: str) -> OnExistingTag:
    """Return the policy for existing tags of this name.

    Raises:
        UsageError: there is none.
    """
    policies: tuple[OnExistingTag, ...] = ("overwrite", "skip", "error")
    for policy in policies:
        if text == policy:
            return policy
    raise UsageError(f"--on-existing-tag takes {', '.join(policies)}, not {text!r}")


def loaded_image(result: PutResult) -> dict[str, object]:
    """Return what ``load --json`` says of an image."""
    return {"image_id": result.digest, **_common(result)}


def pushed_image(result: PutResult) -> dict[str, object]:
    """Return what ``push --json`` says of an image."""
    original = {"original_digest": result.original} if result.original else {}
    pinned = f"{Reference.parse(result.target).name}@{result.digest}"
    named = {"target": result.target, "digest": result.digest, "pinned": pinned}
    return {**named, **original, **_common(result)}


def extracted_image(result: PutResult) -> dict[str, object]:
    """Return what ``extract --json`` says of an image."""
    return {"target": result.target, "digest": result.digest, **_common(result)}


def finish_transfer(console: Console, report: TransferReport, document: ImageDocument) -> int:
    """Print what became of every image; return the exit status."""
    console.document(
        {
            "images": [
                *(document(result) for result in report.results),
                *(failed_image(name, error) for name, error in report.failures),
                *(waiting_image(image) for image in report.waiting),
            ],
            "bytes_sent": report.bytes_sent,
            "bytes_skipped": report.bytes_skipped,
        }
    )
    for result in report.results:
        _show_result(console, result)
    decisive = show_errors(console, report)
    counts = f"{len(report.results)} images done, {len(report.failures)} failed"
    counts += f", {len(report.waiting)} waiting" if report.waiting else ""
    sent, skipped = format_size(report.bytes_sent), format_size(report.bytes_skipped)
    console.line(f"{counts}; {sent} sent, {skipped} there already")
    return int(decisive.exit_status) if decisive else 0


def show_errors(console: Console, report: TransferReport) -> AirbundleError | None:
    """Say what failed and what waits; return what decides the exit status."""
    decisive = report.error
    if console.as_json:
        # All of them stand in the document, and stderr holds one object: the one that decides the status.
        if decisive is not None:
            console.error(decisive)
    else:
        _show_failures(console, report)
        _show_waiting(console, report)
    return decisive


def failed_image(reference: str, error: AirbundleError) -> dict[str, object]:
    """Return what the JSON document says of an image that failed."""
    return {"reference": reference, "status": "failed", **describe_error(error)}


def waiting_image(image: WaitingImage) -> dict[str, object]:
    """Return what JSON documents say of an image whose parts have not all arrived."""
    return {"reference": image.reference, "status": "waiting", "waiting_for": list(image.waiting_for)}


def _show_result(console: Console, result: PutResult) -> None:
    console.line(f"{result.status:9}  {result.target}  {result.digest}")
    if result.replaced:
        console.line(f"           the name pointed to {result.replaced} before")
    counts = result.referrers
    if counts.put or counts.there:
        console.line(
            f"           with {counts.put + counts.there} referrers, {counts.there} of them there already"
        )
    for note in result.notes:
        console.warn(f"{result.reference}: {note}")
    for detail in result.details if console.verbose else ():
        console.line(f"           {detail}")


def _show_failures(console: Console, report: TransferReport) -> None:
    """List the images that failed, and say each cause once, behind the last image that it hits."""
    causes: dict[object, tuple[AirbundleError, list[str]]] = {}
    for name, error in report.failures:
        if name not in report.not_tried:
            causes.setdefault(_cause(error), (error, []))[1].append(name)
    for error, names in causes.values():
        for name in names:
            console.line(f"{'failed':9}  {name}")
        console.error(error)
    for name in report.not_tried:
        console.line(f"{'not tried':9}  {name}")


def _cause(error: AirbundleError) -> object:
    """Return what two errors have in common if one message is enough for both."""
    # They hit the destination as a whole, whatever image was on its way and is named in the text.
    is_wide = isinstance(error, (Unreachable, Unauthorised, NoSpace, NotWritable))
    return (type(error), error.advice) if is_wide else (type(error), error.message)


def _show_waiting(console: Console, report: TransferReport) -> None:
    for image in report.waiting:
        console.line(f"{'waiting':9}  {image.reference}  for {', '.join(image.waiting_for)}")
    # Where that kept others from being written, it was said with them.
    if report.waiting and not any(isinstance(error, IncompleteBundle) for _, error in report.failures):
        console.error(still_waiting(report.waiting))


def _common(result: PutResult) -> dict[str, object]:
    return {
        "reference": result.reference,
        "status": result.status,
        "bytes_sent": result.bytes_sent,
        "bytes_sent_again": result.bytes_sent_again,
        "bytes_skipped": result.bytes_skipped,
        "replaced": result.replaced,
        "notes": list(result.notes),
        "details": list(result.details),
        "referrers": {
            "put": result.referrers.put,
            "there": result.referrers.there,
            "left_out": result.referrers.left_out,
        },
    }
