"""How the result of load, push and extract is shown."""

from __future__ import annotations

from collections.abc import Callable

from bundler.api.transfers import TransferReport
from bundler.cli.console import Console, describe_error
from bundler.content.images import OnExistingTag, PutResult
from bundler.errors import UsageError
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
    return {"target": result.target, "digest": result.digest, **_common(result)}


def extracted_image(result: PutResult) -> dict[str, object]:
    """Return what ``extract --json`` says of an image."""
    return pushed_image(result)


def finish_transfer(console: Console, report: TransferReport, document: ImageDocument) -> int:
    """Print what became of every image; return the exit status, that of the first failure if there is one."""
    failed = [{"reference": name, "status": "failed", **describe_error(error)} for name, error in report.failures]
    console.document(
        {
            "images": [*(document(result) for result in report.results), *failed],
            "bytes_sent": report.bytes_sent,
            "bytes_skipped": report.bytes_skipped,
        }
    )
    for result in report.results:
        console.line(f"{result.status:9}  {result.target}  {result.digest}")
        if result.replaced:
            console.line(f"           the name pointed to {result.replaced} before")
        for note in result.notes:
            console.warn(f"{result.reference}: {note}")
    for name, error in report.failures:
        console.line(f"{'failed':9}  {name}")
        # In JSON all of them stand in the document, and stderr holds one object: the one that decides the status.
        if not console.as_json or error is report.failures[0][1]:
            console.error(error)
    sent, skipped = format_size(report.bytes_sent), format_size(report.bytes_skipped)
    console.line(
        f"{len(report.results)} images done, {len(report.failures)} failed; {sent} sent, {skipped} there already"
    )
    return int(report.failures[0][1].exit_status) if report.failures else 0


def _common(result: PutResult) -> dict[str, object]:
    return {
        "reference": result.reference,
        "status": result.status,
        "bytes_sent": result.bytes_sent,
        "bytes_skipped": result.bytes_skipped,
        "replaced": result.replaced,
        "notes": list(result.notes),
    }
