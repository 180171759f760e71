"""Puts the referrers of an image into a registry, so that it lists them again.

(distribution-spec 1.1, "Pushing Manifests with Subject"; cosign's tags.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from bundler.content.images import OnExistingTag, PutResult, ReferrerCounts
from bundler.destinations.registry_plan import PushPlan, plan_push
from bundler.errors import AirbundleError, MalformedDocument, PolicyRefused, Refused, Unauthorised
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.listing import first_of
from bundler.model.referrers import Referrer, schema_tag
from bundler.transports.registry.client import Repository
from bundler.transports.registry.manifests import find_manifest, put_manifest
from bundler.transports.registry.referrers import find_referrers, put_in_schema_index, put_referrer
from bundler.transports.registry.upload.uploader import Sent

_MOST_NAMED = 4


class ReferrerPush:
    """The referrers of one image on their way into one repository: first ``survey``, then ``put``."""

    def __init__(
        self,
        referrers: Sequence[Referrer],
        repository: Repository,
        on_existing_tag: OnExistingTag,
    ) -> None:
        """Prepare.

        Args:
            referrers: Of the image, each behind its subject.
            repository: Where the image goes.
            on_existing_tag: What is done with tags of cosign that stand for something else.
        """
        self._referrers = referrers
        self._repository = repository
        self._on_existing_tag = on_existing_tag
        self._missing: list[Referrer] = []
        self._notes: list[str] = []
        self._refusals: list[str] = []
        self._put = self._there = self._left_out = 0
        self._sent = Sent()

    def survey(self, subjects: Collection[Digest]) -> None:
        """Ask which of them are there already; nothing is changed.

        Args:
            subjects: Manifests and indexes of the image that will be there.

        Raises:
            PolicyRefused: a tag of cosign stands for something else, and must not be moved.
            Unreachable, Refused, ProtocolError, DamagedContent: the registry.
        """
        listed: dict[Digest, set[Digest]] = {}
        for referrer in _reachable(self._referrers, subjects):
            existing = find_manifest(self._repository, referrer.tag or referrer.digest)
            if referrer.is_listed and referrer.subject not in listed:
                found = find_referrers(self._repository, referrer.subject)
                listed[referrer.subject] = {descriptor.digest for descriptor in found}
            is_listed = not referrer.is_listed or referrer.digest in listed[referrer.subject]
            if existing == referrer.digest and is_listed:
                self._there += 1
            elif existing in (None, referrer.digest) or self._may_move(referrer, existing):
                self._missing.append(referrer)

    def put(
        self, result: PutResult, subjects: Collection[Digest], put_blobs: Callable[[PushPlan], Sent]
    ) -> PutResult:
        """Put those that are not there; return the image's result with what became of them.

        One that the registry refuses keeps no other one from being put.

        Args:
            result: Of the image.
            subjects: Manifests and indexes of it that are there now.
            put_blobs: Sends what is not there of the blobs of a plan.

        Raises:
            DamagedContent: a blob turned out damaged.
            Refused: the registry did not take them all; the image is there. Unauthorised among them.
            Unreachable, ProtocolError: the registry.
        """
        reachable = _reachable(self._referrers, subjects)
        unlisted: dict[Digest, dict[Digest, Descriptor]] = defaultdict(dict)
        for referrer in (one for one in self._missing if _is_in(one, reachable)):
            try:
                if not self._put_one(referrer, put_blobs):
                    unlisted[referrer.subject][referrer.digest] = referrer.listing()
                self._put += 1
            except (Refused, MalformedDocument) as error:
                self._refused(_names([referrer]), error)
        for subject, entries in unlisted.items():
            try:
                put_in_schema_index(self._repository, subject, entries)
            except (Refused, MalformedDocument) as error:
                self._refused(f"{schema_tag(subject)}, by which {len(entries)} of them would be found", error)
        if self._refusals:
            raise Refused(
                f"the image is there now, but not all that refers to it: the registry did not take "
                f"{'; '.join(self._refusals[:_MOST_NAMED])}",
                advice="If nobody needs it there, push with --no-referrers.",
            )
        return self.told(result, [one for one in self._referrers if not _is_in(one, reachable)])

    def told(self, result: PutResult, unreachable: Sequence[Referrer]) -> PutResult:
        """Return a result with what became of the referrers, of which some have no subject there."""
        self._leave_behind(unreachable)
        return replace(
            result,
            status="pushed" if self._put else result.status,
            bytes_sent=result.bytes_sent + self._sent.sent,
            bytes_sent_again=result.bytes_sent_again + self._sent.again,
            bytes_skipped=result.bytes_skipped + self._sent.kept,
            notes=(*result.notes, *self._notes),
            referrers=ReferrerCounts(self._put, self._there, self._left_out),
        )

    def foresee(self, subjects: Collection[Digest]) -> ReferrerCounts:
        """Return what ``put`` would make of them, after ``survey``; the notes say then what it would say."""
        reachable = _reachable(self._referrers, subjects)
        self._leave_behind([one for one in self._referrers if not _is_in(one, reachable)])
        return ReferrerCounts(len(self._missing), self._there, self._left_out)

    def missing_blobs(self) -> tuple[Descriptor, ...]:
        """Return configs and payloads of those that are not there, after ``survey``."""
        plans = (plan_push(referrer.tree) for referrer in self._missing)
        return tuple(blob for plan in plans for blob in plan.blobs)

    @property
    def notes(self) -> tuple[str, ...]:
        """What users should know of them."""
        return tuple(self._notes)

    def _put_one(self, referrer: Referrer, put_blobs: Callable[[PushPlan], Sent]) -> bool:
        """Put one; tell whether whoever asks for it will find it."""
        plan = plan_push(referrer.tree)
        self._sent = Sent.total([self._sent, put_blobs(plan)])
        for digest, node in plan.documents:
            if digest != plan.root:
                put_manifest(self._repository, digest, node.raw, node.media_type)
        root, name = referrer.node, referrer.tag or referrer.digest
        says_it_lists = put_referrer(self._repository, name, root.raw, root.media_type)
        return says_it_lists or not referrer.is_listed

    def _may_move(self, referrer: Referrer, existing: Digest | None) -> bool:
        name = f"{self._repository}:{referrer.tag}"
        if self._on_existing_tag == "error":
            raise PolicyRefused(
                f"{name} stands for something else, {existing}",
                advice="If signatures there may be replaced, allow to overwrite; else have them kept with skip.",
            )
        if self._on_existing_tag == "skip":
            self._left_out += 1
            self._notes.append(f"{name} stands for something else, {existing}, and was left alone")
            return False
        self._notes.append(f"{name} stood for something else before, {existing}")
        return True

    def _leave_behind(self, unreachable: Sequence[Referrer]) -> None:
        self._left_out += len(unreachable)
        if unreachable:
            self._notes.append(f"not pushed, since what they refer to is not there: {_names(unreachable)}")

    def _refused(self, what: str, error: AirbundleError) -> None:
        if isinstance(error, Unauthorised):
            raise error
        self._refusals.append(f"{what}: {error}")


def _reachable(referrers: Iterable[Referrer], subjects: Collection[Digest]) -> list[Referrer]:
    """Return the referrers whose subjects are there, or are such referrers themselves."""
    held, found = set(subjects), []
    for referrer in referrers:
        if referrer.subject in held:
            found.append(referrer)
            held.add(referrer.digest)
    return found


def _is_in(referrer: Referrer, others: Iterable[Referrer]) -> bool:
    return any(referrer is other for other in others)


def _names(referrers: Sequence[Referrer]) -> str:
    return first_of([one.tag or f"{one.digest} ({one.kind:.100})" for one in referrers], _MOST_NAMED)
