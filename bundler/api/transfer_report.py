"""What became of the images that were to leave a bundle."""

from __future__ import annotations

from dataclasses import dataclass, field

from bundler.content.images import PutResult
from bundler.errors import AirbundleError, IncompleteBundle

_MOST_NAMED = 8


@dataclass(frozen=True)
class WaitingImage:
    """An image that cannot be had yet.

    Attributes:
        reference: its name in the bundle.
        waiting_for: the files of the parts that it lies in and that have not arrived, or not as far as needed.
    """

    reference: str
    waiting_for: tuple[str, ...]


@dataclass(frozen=True)
class TransferReport:
    """What became of each image that was asked for; each is in one of ``results``, ``failures``, ``waiting``.

    Attributes:
        results: images that are complete at the destination.
        failures: the reference and the error of each that is not, and that does not merely wait.
        waiting: images that parts are missing of; nothing of them was begun, as far as that was known before.
        not_tried: the references among ``failures`` whose turn never came.
    """

    results: tuple[PutResult, ...]
    failures: tuple[tuple[str, AirbundleError], ...] = field(default=())
    waiting: tuple[WaitingImage, ...] = field(default=())
    not_tried: tuple[str, ...] = field(default=())

    @property
    def bytes_sent(self) -> int:
        """Bytes of blobs that crossed to the destination."""
        return sum(result.bytes_sent for result in self.results)

    @property
    def bytes_skipped(self) -> int:
        """Bytes of blobs that were there already."""
        return sum(result.bytes_skipped for result in self.results)

    @property
    def error(self) -> AirbundleError | None:
        """What decides the exit status: the first failure, before what merely waits; ``None`` if all is done."""
        for _, error in self.failures:
            if not isinstance(error, IncompleteBundle):
                return error
        return still_waiting(self.waiting) if self.waiting else next((error for _, error in self.failures), None)


def still_waiting(waiting: tuple[WaitingImage, ...]) -> IncompleteBundle:
    """Make the error that some images wait, at least one; it names their parts."""
    parts = tuple(sorted({file for image in waiting for file in image.waiting_for}))
    named = ", ".join(parts[:_MOST_NAMED]) + (" …" if len(parts) > _MOST_NAMED else "")
    subject = "1 image waits" if len(waiting) == 1 else f"{len(waiting)} images wait"
    return IncompleteBundle(
        f"{subject} for parts that are not here: {named}",
        advice="Bring these parts and run the same command again, or name the directories that hold them as well.",
        parts=parts,
    )
