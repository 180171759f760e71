"""A Docker engine as an image destination."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from bundler.content.images import (
    BlobReader,
    OnExistingTag,
    OutgoingImage,
    PutResult,
    ReferrerCounts,
    distinct_blobs,
)
from bundler.destinations.counting import CountingReader
from bundler.destinations.engine_look import EngineLook
from bundler.destinations.engine_patience import Patience
from bundler.destinations.engine_plan import LoadPlan, choose_layers, plan_load
from bundler.errors import AirbundleError, PolicyRefused
from bundler.model.reference import Reference
from bundler.progress import SILENT, Progress, Task
from bundler.transports.docker_archive_writer import ArchiveImage, DockerArchiveWriter, measure_plain
from bundler.transports.engine import EngineClient, EngineImage


class EngineDestination:
    """An ``ImageDestination`` that loads one image at a time and believes only what inspecting it says.

    A classic store is sent the layers that it lacks, in a form that it reads; a containerd store is sent
    everything, because it reports success also for what it got in part.

    An engine that is lost may finish a load that nobody waits for any more, or have lost it: what is there is
    looked at before anything is sent again.
    """

    is_one_file = False

    def __init__(
        self,
        client: EngineClient,
        on_existing_tag: OnExistingTag = "overwrite",
        progress: Progress = SILENT,
        patience: Patience | None = None,
    ) -> None:
        """Load into the engine that the client is connected to; the destination closes it.

        Args:
            client: A connection to the engine.
            on_existing_tag: What is done when a name points to another image: move it, keep it, or give up.
            progress: Is told what a name pointed to before it is moved, and of every further try.
            patience: How often a lost engine is asked again.
        """
        self._progress = progress
        self._client = client
        self._on_existing_tag = on_existing_tag
        self._look = EngineLook(client)
        self._patience = patience or Patience(progress)

    def put(self, image: OutgoingImage, reader: BlobReader, task: Task) -> PutResult:
        """Load an image and give it its name, see :meth:`ImageDestination.put`.

        Raises:
            PolicyRefused: the name points to another image, and ``on_existing_tag`` is ``error``.
            DamagedContent: a blob turned out damaged; the engine kept nothing.
            NotFound, UsageError: the image has nothing that this engine can hold.
            NoSpace, Refused, Unreachable: the engine, in its own words.
        """
        again = self._patience.run
        plan = plan_load(image, again(lambda: self._client.info))
        name = plan.archive.name
        trees = image.trees if plan.registry_form else (image.tree,)
        held = {blob.digest: blob.size for blob in distinct_blobs(trees)}
        counting = CountingReader(reader, task, sum(held.values()))
        before = again(lambda: self._look.named(plan))
        result = PutResult(
            str(image.reference),
            name or plan.ids[0],
            plan.ids[0],
            "skipped",
            notes=plan.notes,
            details=plan.details,
        )
        if before is not None and not plan.is_met_by(before):
            if self._on_existing_tag == "skip":
                note = f"{name} was left as it is: it points to {before.id}"
                counting.finish()
                return replace(result, digest=before.id, notes=(*plan.notes, note))
            if self._on_existing_tag == "error":
                raise PolicyRefused(
                    f"{name} points to another image in the engine, {before.id}",
                    advice="Use --on-existing-tag overwrite to move the name, or skip to keep it.",
                )
            # Said before it happens: whoever stops the run now must not have to find out what the name was.
            self._progress.message(f"{name} points to {before.id}; it will point to {plan.ids[0]}")
            result = replace(result, replaced=str(before.id))
        sending = _Sending(image, plan, counting, before)
        found = again(lambda: self._ensure(sending))
        counting.finish()
        return sending.describe(replace(result, digest=found.id), sum(held.values()))

    def finish(self) -> None:
        """Close the connection; every image is in the engine already."""
        self._client.close()

    def abort(self) -> None:
        """Close the connection; images that were put stay."""
        self._client.close()

    def _ensure(self, sending: _Sending) -> EngineImage:
        """Look, and do what is still to do: nothing, give the name, or load."""
        plan, now = sending.plan, self._look.named(sending.plan)
        present = now if plan.is_met_by(now) else self._look.find(plan)
        if present is None or not self._look.has_all(plan, present):
            return self._load(sending)
        if present is now or plan.archive.name is None:
            return present
        sending.changed = True
        self._client.tag(present.id, Reference.parse(plan.archive.name))
        return self._look.confirm(plan)

    def _load(self, sending: _Sending) -> EngineImage:
        plan = sending.plan
        archive = plan.archive if plan.registry_form else self._fit(sending)
        sending.begin(archive)
        try:
            chunks = _chunks(archive, DockerArchiveWriter(plan.registry_form, sending.add), sending.counting)
            self._client.load(self._watched(chunks), f"loading {sending.image.reference}")
            return self._look.confirm(plan)
        except AirbundleError as error:
            # A lost engine may still complete the load: what it made of the name is looked at when it is back.
            if not self._patience.may_pass(error):
                self._restore(sending)
            raise

    def _watched(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from chunks
        except AirbundleError as error:
            self._patience.blame_source(error)
            raise

    def _fit(self, sending: _Sending) -> ArchiveImage:
        """Plan the layers for a classic store."""
        info = self._client.info
        present = self._client.present_chains() if info.completes_layers else frozenset()
        sizes, reader = sending.image.uncompressed_sizes, sending.counting.reader
        layers = choose_layers(
            sending.plan, info, present, lambda blob: sizes.get(blob.digest) or measure_plain(blob, reader)
        )
        return replace(sending.plan.archive, layers=layers)

    def _restore(self, sending: _Sending) -> None:
        """Let the name point to what it pointed to; some engines move it although they fail."""
        name, before = sending.plan.archive.name, sending.before
        if name is None:
            return
        # The first error is the one to tell.
        with suppress(AirbundleError):
            now = self._client.inspect(name)
            if before is None and now is not None:
                self._client.untag(name)
            elif before is not None and (now is None or now.id != before.id):
                self._client.tag(before.id, Reference.parse(name))


@dataclass
class _Sending:
    """One image on its way, through as many tries as it takes.

    Attributes:
        before: what its name pointed to at the beginning.
        archive: what was sent last.
        sent: bytes of blobs that were sent, in all tries.
        in_vain: how many of them in tries before the last.
        changed: whether the engine was told to do anything.
    """

    image: OutgoingImage
    plan: LoadPlan
    counting: CountingReader
    before: EngineImage | None
    archive: ArchiveImage | None = None
    sent: int = 0
    in_vain: int = 0
    changed: bool = False

    def begin(self, archive: ArchiveImage) -> None:
        """Begin a try."""
        self.archive, self.in_vain, self.changed = archive, self.sent, True

    def add(self, count: int) -> None:
        """Count bytes of a blob."""
        self.sent += count

    def describe(self, result: PutResult, total: int) -> PutResult:
        """Return the result with what happened; the image has ``total`` bytes of blobs."""
        came = len(self.archive.referrers) if self.archive is not None else 0
        left, details = len(self.image.referrers) - came, result.details
        if left and self.plan.registry_form:
            details = (*details, "the engine had the image; whether it has its referrers cannot be asked")
        return replace(
            result,
            referrers=ReferrerCounts(put=came, left_out=left),
            details=details,
            status="loaded" if self.changed else "skipped",
            bytes_sent=self.sent,
            bytes_sent_again=self.in_vain,
            bytes_skipped=total if self.archive is None else _left_out(self.archive),
        )


def _left_out(archive: ArchiveImage) -> int:
    """Return the bytes of the layers that the engine has and was not sent."""
    left_out = {layer.blob.digest: layer.blob.size for layer in archive.layers if layer.form == "omitted"}
    for layer in archive.layers:
        if layer.form != "omitted":
            left_out.pop(layer.blob.digest, None)
    return sum(left_out.values())


def _chunks(archive: ArchiveImage, writer: DockerArchiveWriter, counting: CountingReader) -> Iterator[bytes]:
    counting.task.describe("sending to the engine")
    yield from writer.add(archive, counting)
    yield from writer.end()
    # The engine unpacks only now; it says nothing until it is done.
    counting.task.describe("the engine is unpacking the image")
