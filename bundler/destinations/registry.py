"""A registry as a destination of images."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from bundler.content.images import BlobReader, OnExistingTag, OutgoingImage, PutResult
from bundler.content.stopping import Stopping
from bundler.destinations.foreign_layers import without_absent_foreign
from bundler.destinations.registry_blobs import BlobPush
from bundler.destinations.registry_plan import (
    UNTAGGED,
    Outlook,
    PushPlan,
    plan_instead,
    plan_push,
    possible_roots,
    shown,
)
from bundler.destinations.registry_referrers import ReferrerPush
from bundler.destinations.registry_roots import is_whole, left_alone, lost_pin, notes_of_found, original_of
from bundler.errors import InvalidReference, NotFound, PolicyRefused, Refused, Unauthorised, UsageError
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.naming.naming import USUAL_NAMING, Naming
from bundler.model.reference import Reference
from bundler.progress import SILENT, Progress, Task
from bundler.transports.registry.access.access import RegistryAccess
from bundler.transports.registry.address import RegistryAddress
from bundler.transports.registry.client import RegistryClient, Repository
from bundler.transports.registry.manifests import find_manifest, put_manifest
from bundler.transports.registry.products.explaining import Explainer
from bundler.transports.registry.products.projects import ProjectMaker
from bundler.transports.registry.retries import Retries, RetryPolicy
from bundler.transports.registry.upload.saved import SavedUploads
from bundler.transports.registry.upload.uploader import Uploader

DEFAULT_JOBS = 4
_MOST_JOBS = 32


class RegistryDestination:
    """Puts images into one registry, a ``ConcurrentDestination``.

    An image ``reg.test/shop/web:1`` goes to ``DEST[/PREFIX]/shop/web:1``: the registry that it came from is
    dropped, its repository is kept whole (``busybox:1`` is ``library/busybox:1``, as everywhere in OCI), and so
    is its tag. A reference with a digest and no tag is put under its digest only. Another ``naming`` gives other
    names below ``DEST[/PREFIX]``.
    """

    is_one_file = False
    #: So many may ask and be answered beside one another; how many blobs are sent at once, ``jobs`` says.
    images_at_once = 4

    def __init__(
        self,
        destination: str,
        access: RegistryAccess | None = None,
        *,
        jobs: int = DEFAULT_JOBS,
        on_existing_tag: OnExistingTag = "error",
        naming: Naming = USUAL_NAMING,
        piece_bytes: int | None = None,
        state_directory: Path | None = None,
        retries: RetryPolicy | None = None,
        progress: Progress = SILENT,
        limits: Limits = DEFAULT_LIMITS,
        create_projects: bool = False,
        sparse_index: bool = False,
    ) -> None:
        """Prepare; the registry is not asked yet.

        Args:
            destination: ``host[:port][/prefix]``.
            access: How registries are reached; mirrors do not count for what is sent.
            jobs: How many blobs are sent at once, 1 to 32.
            on_existing_tag: What to do where the tag stands for another image.
            naming: What images are called here.
            piece_bytes: Size of one request, at least 64 KiB; ``None`` follows the rate and what breaks.
            state_directory: Where uploads are kept that did not come to their end, for the next run; ``None``
                keeps nothing. It need not exist, and may be unwritable.
            retries: How often a request is sent again that failed in a way that may pass.
            progress: Is told of every further try.
            limits: Bounds what is read.
            create_projects: Make the projects that are missing where the registry is Harbor.
            sparse_index: Try an index of which not all is here, before what every registry takes.

        Raises:
            InvalidReference: the destination is no registry and prefix.
            UsageError: a number is out of its bounds.
        """
        if not 1 <= jobs <= _MOST_JOBS:
            raise UsageError(f"{jobs} jobs are out of bounds: 1 to {_MOST_JOBS} are possible")
        self._destination, self._naming = destination, naming
        access = access or RegistryAccess()
        self._client = RegistryClient(
            _address_of(destination, access),
            access,
            limits=limits,
            connections=jobs + self.images_at_once,
            retries=Retries(retries or RetryPolicy(), tell=progress.message),
        )
        self._sparse_index = sparse_index
        self._on_existing_tag = on_existing_tag
        self._blobs = BlobPush(Uploader(piece_bytes, jobs=jobs, saved=SavedUploads(state_directory)), jobs)
        self.stopping = Stopping()
        self._explainer = Explainer(self._client)
        self._projects = ProjectMaker(self._client, is_wanted=create_projects)
        # Of images that were announced and are not put yet, by their identity.
        self._announced: dict[int, Stopping] = {}

    def target(self, reference: Reference) -> Reference:
        """Return the name that an image gets here.

        Raises:
            InvalidReference: it is none, or too long.
            UsageError: a rename rule makes no sense.
        """
        return self._naming.target(self._destination, reference)

    def repository(self, target: Reference) -> Repository:
        """Return the repository of a name that an image gets here, for reading."""
        return Repository(self._client, target.repository)

    def announce(self, image: OutgoingImage) -> None:
        """Say that an image will be put; what it shares with later ones it will send."""
        stopping = self._announced[id(image)] = self.stopping.child()
        self._blobs.announce(stopping, image.tree.blobs())

    def put(self, image: OutgoingImage, reader: BlobReader, task: Task) -> PutResult:
        """Push an image: blobs, then manifests, then indexes, and the tag last.

        Bytes are counted of configs and layers, not of manifests, and each as often as it was sent.

        A layer that its owner does not let registries keep, and that the reader does not have, is left out. What
        an index lists besides manifests and indexes is sent as a blob; if the registry refuses that index, it is
        treated as a sparse one.

        What fails in a way that may pass is tried again. After an interrupt (``KeyboardInterrupt``) and after an
        error, pieces that are under way may end, and half-sent blobs are kept for the next run.

        Referrers come behind the name, as far as what they refer to is there then. If the registry refuses one,
        that is an error, though the image is there.

        Raises:
            DamagedContent: a blob turned out damaged; the name stands for what it stood for.
            PolicyRefused: the tag stands for another image, and ``on_existing_tag`` is ``error``.
            Refused: the registry does not want it, or an index is sparse; Unauthorised among them.
            Unreachable, ProtocolError: the registry.
        """
        stopping = self._announced.pop(id(image), None) or self.stopping.child()
        target = self.target(image.reference)
        try:
            self._projects.ensure(target.repository)
            result = self._put(image, reader, task, stopping)
            return replace(result, notes=(*self._projects.take_news(), *result.notes))
        except (Refused, NotFound) as error:
            self._explainer.explain(
                error,
                Repository(self._client, target.repository, push=True),
                target.tag or str(target.digest),
                writing=True,
                media_types={descriptor.media_type for descriptor in image.tree.blobs()},
            )
            error.message = "\n".join((error.message, *self._projects.take_news()))
            raise
        finally:
            self._blobs.leave(stopping)

    def _put(self, image: OutgoingImage, reader: BlobReader, task: Task, stopping: Stopping) -> PutResult:
        target, repository, plan, existing = look = self.look(image, reader, stopping)
        send = partial(self._blobs.put, repository, reader=reader, task=task, stopping=stopping)
        referrers = ReferrerPush(image.referrers, repository, self._on_existing_tag)
        if existing is not None and (
            is_whole(repository, image.tree, plan, existing)
            or (existing not in possible_roots(image.tree, plan) and self._keeps(target, existing))
        ):
            self._blobs.forget(repository, plan.blobs)
            result = self._skip(image, look, existing, task)
            if existing not in (plan.root, image.tree.root.digest):
                return referrers.told(result, image.referrers)
            there = {*plan.digests, existing}
            referrers.survey(there)
            return referrers.put(result, there, send)
        referrers.survey(plan.digests)
        sent = send(plan)
        plan = _put_documents(repository, image.tree, plan, target.tag)
        result = PutResult(
            reference=str(image.reference),
            target=shown(target, plan.root),
            digest=plan.root,
            status="pushed",
            bytes_sent=sent.sent,
            bytes_sent_again=sent.again,
            bytes_skipped=sent.kept,
            replaced=None if existing == plan.root else existing,
            original=original_of(image.tree, plan.root),
            notes=(*plan.notes, *lost_pin(image, plan.root), *(() if target.tag else (UNTAGGED,))),
        )
        return referrers.put(result, plan.digests, send)

    def look(self, image: OutgoingImage, reader: BlobReader, stopping: Stopping) -> Outlook:
        """Return where an image goes, and what its name stands for there now.

        Where the registry has it in another form than the one that is tried first, that form is the plan.

        Raises:
            Refused: the registry does not answer this user, or an index is sparse.
            Unreachable, ProtocolError: the registry.
        """
        target, plan = self.target(image.reference), self.planned(image, reader)
        retries = self._client.retries.with_manners(wait=stopping.wait)
        repository = Repository(self._client, target.repository, push=True, retries=retries)
        existing = find_manifest(repository, target.tag or str(plan.root))
        following: PushPlan | None = plan
        while existing is not None and following is not None:
            if existing == following.root:
                plan = following
                break
            following = plan_instead(image.tree, following)
        return Outlook(target, repository, plan, existing)

    def planned(self, image: OutgoingImage, reader: BlobReader) -> PushPlan:
        """Return what of an image goes to the registry first, as far as it is here."""
        return without_absent_foreign(plan_push(image.tree, as_sparse=self._sparse_index), reader)

    def finish(self) -> None:
        """Close the connections; every image put has its name already."""
        self._client.close()

    def abort(self) -> None:
        """Close the connections; a name that was not given yet is not given."""
        self._client.close()

    def _keeps(self, target: Reference, existing: Digest) -> bool:
        if self._on_existing_tag == "error":
            raise PolicyRefused(
                f"{target} stands for another image, {existing}",
                advice="Choose another tag or prefix, or say --on-existing-tag skip or overwrite.",
            )
        return self._on_existing_tag == "skip"

    def _skip(self, image: OutgoingImage, look: Outlook, existing: Digest, task: Task) -> PutResult:
        target, repository, plan, _ = look
        same = existing in (plan.root, image.tree.root.digest)
        if same:
            self._blobs.found(repository, plan.blobs)
        notes = notes_of_found(image, plan, existing) if same else (left_alone(target, existing),)
        task.advance(plan.size)
        return PutResult(
            reference=str(image.reference),
            target=shown(target, existing),
            digest=existing,
            status="skipped",
            bytes_skipped=plan.size if same else 0,
            original=original_of(image.tree, existing) if same else None,
            notes=notes,
        )


def _address_of(destination: str, access: RegistryAccess) -> RegistryAddress:
    if "://" in destination or "@" in destination.partition("/")[0]:
        # Not the text itself: there may be a password in it.
        raise InvalidReference(
            "a destination has neither a scheme nor a user in it",
            advice="Write it as host[:port][/prefix]; a user is named by `docker login` or --username.",
        )
    host, _, prefix = destination.partition("/")
    address = access.address(host)
    if "/" in destination and Reference.parse(f"{destination}/x").repository != f"{prefix}/x":
        raise InvalidReference(f"{destination!r:.200} does not name a registry and a prefix")
    return address


def _put_documents(repository: Repository, tree: ImageTree, plan: PushPlan, tag: str) -> PushPlan:
    """Put manifests and indexes, the root last and under the tag; return the plan that the registry took."""
    try:
        for digest, node in plan.documents:
            name = tag if tag and digest == plan.root else digest
            put_manifest(repository, name, node.raw, node.media_type)
    except Unauthorised:
        raise
    except Refused as error:
        # Some registries take in an index only what they know themselves as a manifest, most only what is there.
        instead = plan_instead(tree, plan)
        if instead is None:
            raise error
        return _put_documents(repository, tree, instead, tag)
    return plan
