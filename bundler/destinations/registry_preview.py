"""What a push to a registry would do: it is asked what it has, and nothing is sent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from bundler.content.images import BlobReader, OnExistingTag, OutgoingImage, PutResult, Status
from bundler.content.stopping import Stopping
from bundler.destinations.registry import RegistryDestination
from bundler.destinations.registry_plan import UNTAGGED, Outlook, PushPlan, possible_roots, shown
from bundler.destinations.registry_referrers import ReferrerPush
from bundler.destinations.registry_roots import is_whole
from bundler.destinations.workers import run_all
from bundler.errors import PolicyRefused
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.reference import Reference
from bundler.progress import Task
from bundler.transports.registry.blobs import has_blob

#: What a name stands for in the registry: nothing, this image, another one; or nobody asked.
There = Literal["absent", "equal", "other", "unknown"]


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
            return _preview(image.reference, target, plan, "unknown", "planned")
        stopping = Stopping()
        look = self._destination.look(image, reader, stopping)
        there, status = self._judge(image.tree, look)
        lacking = self._lacking(look, look.plan.blobs, stopping) if status == "planned" else []
        if status == "planned" or there == "equal":
            self._known.update(blob.digest for blob in look.plan.blobs)
        task.advance(look.plan.size)
        preview = _preview(image.reference, look.target, look.plan, there, status, look.existing, lacking)
        is_image_there = status == "planned" or there == "equal"
        return self._with_referrers(preview, image, look, stopping) if is_image_there else preview

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

    def _with_referrers(
        self, preview: Preview, image: OutgoingImage, look: Outlook, stopping: Stopping
    ) -> Preview:
        """Add what would become of what refers to an image that is there, or would be."""
        referrers = ReferrerPush(image.referrers, look.repository, self._policy)
        subjects = {*look.plan.digests, *((look.existing,) if preview.there == "equal" and look.existing else ())}
        try:
            referrers.survey(subjects)
        except PolicyRefused as error:
            return replace(preview, status="refused", notes=(*preview.notes, error.message))
        missing = referrers.missing_blobs()
        lacking = self._lacking(look, missing, stopping)
        self._known.update(blob.digest for blob in missing)
        counts = referrers.foreseen(subjects)
        return replace(
            preview,
            status="planned" if counts.put else preview.status,
            blobs_to_send=preview.blobs_to_send + len(lacking),
            bytes_to_send=preview.bytes_to_send + sum(blob.size for blob in lacking),
            notes=(*preview.notes, *referrers.notes),
            referrers=counts,
        )

    def _lacking(self, look: Outlook, blobs: Iterable[Descriptor], stopping: Stopping) -> list[Descriptor]:
        unknown = [blob for blob in blobs if blob.digest not in self._known]
        there = run_all([partial(has_blob, look.repository, blob) for blob in unknown], self._jobs, stopping)
        return [blob for blob, is_there in zip(unknown, there, strict=True) if not is_there]


def _preview(
    reference: Reference,
    target: Reference,
    plan: PushPlan,
    there: There,
    status: Status,
    existing: Digest | None = None,
    lacking: Sequence[Descriptor] = (),
) -> Preview:
    size = sum(blob.size for blob in lacking)
    is_kept = there == "equal" or (there != "unknown" and status == "planned")
    return Preview(
        reference=str(reference),
        target=shown(target, plan.root),
        digest=existing if existing is not None and status == "skipped" else plan.root,
        status=status,
        bytes_skipped=plan.size - size if is_kept else 0,
        replaced=existing if there == "other" and status == "planned" else None,
        notes=plan.notes if target.tag or status != "planned" else (*plan.notes, UNTAGGED),
        there=there,
        existing=existing,
        blobs_to_send=len(lacking),
        bytes_to_send=size,
    )
