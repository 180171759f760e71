"""What a push to a registry would do: it is asked what it has, and nothing is sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from bundler.content.images import BlobReader, OnExistingTag, OutgoingImage, PutResult, Status
from bundler.content.stopping import Stopping
from bundler.destinations.registry import RegistryDestination
from bundler.destinations.registry_plan import UNTAGGED, Outlook, possible_roots, shown
from bundler.destinations.registry_referrers import ReferrerPush
from bundler.destinations.registry_roots import is_whole, left_alone, lost_pin, notes_of_found, original_of
from bundler.destinations.workers import run_all
from bundler.errors import PolicyRefused
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.progress import Task
from bundler.transports.registry.blobs import has_blob

#: What a name stands for in the registry: nothing, this image, another one; or nobody asked.
There = Literal["absent", "equal", "other", "unknown"]
_PERHAPS = (
    "only the push shows whether the registry takes the index without all that it lists; if it does not, the name "
    "stands for another digest, as without --sparse-index"
)


@dataclass(frozen=True)
class Preview(PutResult):
    """What would become of an image: ``status`` is ``planned``, ``skipped`` or ``refused``; nothing was sent.

    Attributes:
        there: what its name stands for now.
        existing: the digest of that.
        blobs_to_send: how many blobs the registry lacks, as far as it says.
        bytes_to_send: their bytes.
    """

    there: There = "unknown"
    existing: Digest | None = None
    blobs_to_send: int = 0
    bytes_to_send: int = 0


class RegistryPreview:
    """An ``ImageDestination`` that puts nothing, and says what a push would do. Its results are previews.

    The registry is asked with the rights that a push needs: from others it may hide what it has.
    """

    is_one_file = False

    def __init__(
        self, destination: RegistryDestination, policy: OnExistingTag, *, jobs: int = 4, ask: bool = True
    ) -> None:
        """Look at a destination, which is closed at the end.

        Args:
            destination: Where the images would go.
            policy: What would be done with a tag that stands for another image.
            jobs: How many questions are asked at once.
            ask: Whether the registry is asked at all.
        """
        self._destination = destination
        self._policy = policy
        self._jobs = jobs
        self._ask = ask
        # What the registry has by now, or would have: it takes a blob over from one repository into another.
        self._known: set[Digest] = set()

    def put(self, image: OutgoingImage, reader: BlobReader, task: Task) -> Preview:
        """Say what would become of an image.

        Raises:
            Refused: the registry does not answer this user, or an index is sparse.
            Unreachable, ProtocolError: the registry.
            IncompleteBundle, DamagedContent: the image is not whole here.
        """
        if not self._ask:
            target, plan = self._destination.target(image.reference), self._destination.planned(image, reader)
            task.advance(plan.size)
            return _preview(image, Outlook(target, self._destination.repository(target), plan, None), "unknown")
        stopping = Stopping()
        look = self._destination.look(image, reader, stopping)
        there, status = self._judge(image.tree, look)
        preview = _preview(image, look, there, status)
        referrers = ReferrerPush(image.referrers, look.repository, self._policy)
        if status == "planned" or there == "equal":
            preview = self._with_contents(preview, look, referrers, stopping)
        elif status == "skipped":
            preview = _with_notes(preview, referrers, frozenset())
        task.advance(look.plan.size)
        return preview

    def finish(self) -> None:
        """Close the connections."""
        self._destination.finish()

    def abort(self) -> None:
        """Close the connections."""
        self._destination.abort()

    def _judge(self, tree: ImageTree, look: Outlook) -> tuple[There, Status]:
        """Say what a push would find, and do about it."""
        if look.existing is None:
            return "absent", "planned"
        if is_whole(look.repository, tree, look.plan, look.existing):
            return "equal", "skipped"
        if look.existing in possible_roots(tree, look.plan):
            # An index that lists more than the registry has.
            return "other", "planned"
        outcome: dict[OnExistingTag, Status] = {"error": "refused", "skip": "skipped", "overwrite": "planned"}
        return "other", outcome[self._policy]

    def _with_contents(
        self, preview: Preview, look: Outlook, referrers: ReferrerPush, stopping: Stopping
    ) -> Preview:
        """Add what would be sent of an image that is there, or would be, and of what refers to it."""
        is_there, plan = preview.there == "equal", look.plan
        subjects = {*plan.digests, *((look.existing,) if is_there and look.existing else ())}
        try:
            # As in a push: a tag in the way of a signature keeps the image from being sent.
            referrers.survey(subjects)
        except PolicyRefused as error:
            return replace(preview, status="refused", replaced=None, notes=(error.message,))
        lacking = self._lacking(look, () if is_there else plan.blobs, stopping)
        self._known.update(blob.digest for blob in plan.blobs)
        kept = plan.size - sum(blob.size for blob in lacking)
        missing = referrers.missing_blobs()
        lacking += self._lacking(look, missing, stopping)
        self._known.update(blob.digest for blob in missing)
        preview = replace(
            _with_notes(preview, referrers, subjects),
            bytes_skipped=kept,
            blobs_to_send=len(lacking),
            bytes_to_send=sum(blob.size for blob in lacking),
        )
        return replace(preview, status="planned") if preview.referrers.put else preview

    def _lacking(self, look: Outlook, blobs: Iterable[Descriptor], stopping: Stopping) -> list[Descriptor]:
        unknown = [blob for blob in blobs if blob.digest not in self._known]
        there = run_all([partial(has_blob, look.repository, blob) for blob in unknown], self._jobs, stopping)
        return [blob for blob, is_there in zip(unknown, there, strict=True) if not is_there]


def _with_notes(preview: Preview, referrers: ReferrerPush, subjects: Collection[Digest]) -> Preview:
    counts = referrers.foresee(subjects)
    return replace(preview, referrers=counts, notes=(*preview.notes, *referrers.notes))


def _preview(image: OutgoingImage, look: Outlook, there: There, status: Status = "planned") -> Preview:
    """Return what becomes of an image's name; nothing of its contents is known yet."""
    target, _, plan, existing = look
    digest = existing if existing is not None and status == "skipped" else plan.root
    return Preview(
        reference=str(image.reference),
        target=shown(target, plan.root),
        digest=digest,
        status=status,
        replaced=existing if there == "other" and status == "planned" else None,
        original=original_of(image.tree, digest) if there == "equal" or status == "planned" else None,
        notes=_notes(image, look, there, status),
        there=there,
        existing=existing,
    )


def _notes(image: OutgoingImage, look: Outlook, there: There, status: Status) -> tuple[str, ...]:
    """Return what a push would say of the image."""
    target, _, plan, existing = look
    if there == "equal" and existing is not None:
        return notes_of_found(image, plan, existing)
    if status != "planned":
        # Of one that is refused the status says it all.
        return (left_alone(target, existing),) if status == "skipped" and existing is not None else ()
    sparse = (_PERHAPS,) if plan.is_sparse else ()
    return (*plan.notes, *sparse, *lost_pin(image, plan.root), *(() if target.tag else (UNTAGGED,)))
