"""Blobs on their way into a registry: each is sent once, and taken over where another repository has it."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable
from functools import partial

from bundler.content.images import BlobReader
from bundler.content.stopping import Stopping
from bundler.destinations.registry_plan import PushPlan
from bundler.destinations.underway import Underway
from bundler.destinations.workers import run_all
from bundler.errors import NotFound, Refused
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.progress import Task
from bundler.transports.registry.blobs import has_blob
from bundler.transports.registry.client import Repository
from bundler.transports.registry.upload.protocol import UploadState, mount_blob, start_upload
from bundler.transports.registry.upload.uploader import Sent, Uploader


class BlobPush:
    """Sends the blobs of images that are pushed beside one another. Safe to use from several threads."""

    def __init__(self, uploader: Uploader, jobs: int) -> None:
        """Send by ``uploader``, of each image ``jobs`` blobs at once."""
        self._uploader = uploader
        self._jobs = jobs
        # In which repositories a blob is known to be, so that none is asked twice; the registry's own word only.
        self._homes: defaultdict[Digest, dict[str, None]] = defaultdict(dict)
        self._underway = Underway()

    def announce(self, stopping: Stopping, blobs: Iterable[Descriptor]) -> None:
        """Say what an image will need, before the next one says so: what they share the first one sends."""
        self._underway.announce(stopping, (blob.digest for blob in blobs))

    def leave(self, stopping: Stopping) -> None:
        """Say that an image needs nothing more."""
        self._underway.leave(stopping)

    def found(self, repository: Repository, blobs: Iterable[Descriptor]) -> None:
        """Say that the registry has blobs in a repository, as follows from a manifest that it has there."""
        for blob in blobs:
            self._homes[blob.digest][repository.name] = None

    def forget(self, repository: Repository, blobs: Iterable[Descriptor]) -> None:
        """Drop what is kept of uploads that nobody will go on with."""
        for blob in blobs:
            self._uploader.forget(repository, blob)

    def put(
        self, repository: Repository, plan: PushPlan, reader: BlobReader, task: Task, stopping: Stopping
    ) -> Sent:
        """Send what the repository lacks; return what all blobs together cost.

        Raises:
            DamagedContent: a blob turned out damaged.
            Refused, Unreachable, ProtocolError: the registry.
        """
        actions = [partial(self._put_one, repository, blob, reader, task, stopping) for blob in plan.blobs]
        return Sent.total(run_all(actions, self._jobs, stopping))

    def _put_one(
        self, repository: Repository, blob: Descriptor, reader: BlobReader, task: Task, stopping: Stopping
    ) -> Sent:
        # What another image has sent meanwhile is there, or can be taken over from its repository.
        with self._underway.alone(blob.digest, stopping):
            return self._put_alone(repository, blob, reader, task, stopping)

    def _put_alone(
        self, repository: Repository, blob: Descriptor, reader: BlobReader, task: Task, stopping: Stopping
    ) -> Sent:
        if repository.name in self._homes[blob.digest] or has_blob(repository, blob):
            task.advance(blob.size)
            self._uploader.forget(repository, blob)
            sent = Sent(kept=blob.size)
        else:
            task.describe(f"sending {blob.digest.short} to {repository}")
            begin = partial(self._begin, repository, blob)
            sent = self._uploader.upload(repository, blob, reader, task, begin=begin, stopping=stopping)
        self._homes[blob.digest][repository.name] = None
        return sent

    def _begin(self, repository: Repository, blob: Descriptor) -> UploadState | None:
        """Begin an upload, unless the registry takes the blob over from a repository that has it."""
        sibling = next(iter(self._homes[blob.digest]), None)
        if sibling is not None:
            # A registry may forbid or lack this; then the blob is sent as any other.
            with contextlib.suppress(Refused, NotFound):
                return mount_blob(repository, blob.digest, sibling)
        return start_upload(repository)
