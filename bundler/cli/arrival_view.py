"""How it is shown what of a bundle has not arrived."""

from __future__ import annotations

from bundler.api.transfer_report import WaitingImage
from bundler.bundle.presence import Presence
from bundler.bundle.reader import Bundle
from bundler.cli.console import Console
from bundler.cli.transfer_view import waiting_image


def arrival_document(bundle: Bundle) -> dict[str, object]:
    """Return what ``inspect --json`` says of it, as far as names and sizes of files tell."""
    presence = Presence(bundle)
    return {
        "unfinished": bundle.is_unfinished,
        "missing_parts": list(presence.missing_parts()),
        "waiting": [waiting_image(image) for image in _waiting(bundle, presence)],
    }


def show_arrival(console: Console, bundle: Bundle) -> None:
    """Print it, if there is anything."""
    presence = Presence(bundle)
    if bundle.is_unfinished:
        console.line("state    unfinished copy; run the copy again to finish it")
    if missing := presence.missing_parts():
        console.line(f"missing  {len(missing)} of {len(bundle.manifest.parts)} parts: {', '.join(missing)}")
    for image in _waiting(bundle, presence):
        console.line(f"waiting  {image.reference}  for {', '.join(image.waiting_for)}")


def _waiting(bundle: Bundle, presence: Presence) -> list[WaitingImage]:
    """Return each image that cannot be read yet, in the order of the applications."""
    found: dict[WaitingImage, None] = {}
    for _, image in bundle.images():
        if waiting_for := presence.obstacles(image).waiting_for:
            found[WaitingImage(image.reference, waiting_for)] = None
    return list(found)
