"""A Docker engine as an image destination."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from bundler.content.images import BlobReader, OnExistingTag, OutgoingImage, PutResult
from bundler.destinations.counting import CountingReader
from bundler.destinations.engine_plan import LoadPlan, choose_layers, plan_load
from bundler.errors import AirbundleError, PolicyRefused, Refused
from bundler.model.reference import Reference
from bundler.progress import SILENT, Progress, Task
from bundler.transports.docker_archive_writer import ArchiveImage, DockerArchiveWriter, measure_plain
from bundler.transports.engine import EngineClient, EngineImage


class EngineDestination:
    """An ``ImageDestination`` that loads one image at a time and believes only what inspecting it says.

    A classic store is sent the layers that it lacks, in a form that it reads; a containerd store is sent
    everything, because it reports success also for what it got in part.
    """

    is_one_file = False

    def __init__(
        self,
        client: EngineClient,
        on_existing_tag: OnExistingTag = "overwrite",
        progress: Progress = SILENT,
    ) -> None:
        """Load into the engine that the client is connected to; the destination closes it.

        Args:
            client: A connection to the engine.
            on_existing_tag: What is done when a name points to another image: move it, keep it, or give up.
            progress: Is told what a name pointed to before it is moved.
        """
        self._progress = progress
        self._client = client
        self._on_existing_tag = on_existing_tag

    def put(self, image: OutgoingImage, reader: BlobReader, task: Task) -> PutResult:
        """Load an image and give it its name, see :meth:`ImageDestination.put`.

        Raises:
            PolicyRefused: the name points to another image, and ``on_existing_tag`` is ``error``.
            DamagedContent: a blob turned out damaged; the engine kept nothing.
            NotFound, UsageError: the image has nothing that this engine can hold.
            NoSpace, Refused, Unreachable: the engine, in its own words.
        """
        plan = plan_load(image, self._client.info)
        name = plan.archive.name
        held = {blob.digest: blob.size for blob in image.tree.blobs()}
        counting = CountingReader(reader, task, sum(held.values()))
        before = self._client.inspect(name) if name else None
        result = PutResult(str(image.reference), name or plan.ids[0], plan.ids[0], "skipped", notes=plan.notes)
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
        present = before if before and not result.replaced else self._find(plan)
        if present is not None and self._has_all(plan, present):
            skipped = sum(held.values())
            result = replace(result, digest=present.id, bytes_skipped=skipped)
            if name and present is not before:
                self._client.tag(present.id, Reference.parse(name))
                result = replace(result, status="loaded", digest=self._confirm(plan).id)
        else:
            result = self._load(image, plan, counting, before, result)
        counting.finish()
        return result

    def finish(self) -> None:
        """Close the connection; every image is in the engine already."""
        self._client.close()

    def abort(self) -> None:
        """Close the connection; images that were put stay."""
        self._client.close()

    def _find(self, plan: LoadPlan) -> EngineImage | None:
        """Return the image under whatever name the engine has it."""
        found = self._client.inspect(plan.ids[0])
        return found if plan.is_met_by(found) else None

    def _load(
        self,
        image: OutgoingImage,
        plan: LoadPlan,
        counting: CountingReader,
        before: EngineImage | None,
        result: PutResult,
    ) -> PutResult:
        archive = plan.archive if plan.registry_form else self._fit(image, plan, counting)
        sent = _Sum()
        try:
            self._client.load(
                _chunks(archive, DockerArchiveWriter(plan.registry_form, sent.add), counting),
                f"loading {image.reference}",
            )
            found = self._confirm(plan)
        except AirbundleError:
            self._restore(plan, before)
            raise
        left_out = {layer.blob.digest: layer.blob.size for layer in archive.layers if layer.form == "omitted"}
        for layer in archive.layers:
            if layer.form != "omitted":
                left_out.pop(layer.blob.digest, None)
        return replace(
            result,
            digest=found.id,
            status="loaded",
            bytes_sent=sent.total,
            bytes_skipped=sum(left_out.values()),
        )

    def _fit(self, image: OutgoingImage, plan: LoadPlan, counting: CountingReader) -> ArchiveImage:
        """Plan the layers for a classic store."""
        info = self._client.info
        present = self._client.present_chains() if info.completes_layers else frozenset()
        layers = choose_layers(
            plan,
            info,
            present,
            lambda blob: image.uncompressed_sizes.get(blob.digest) or measure_plain(blob, counting.reader),
        )
        return replace(plan.archive, layers=layers)

    def _has_all(self, plan: LoadPlan, found: EngineImage) -> bool:
        """Tell whether nothing of the image needs to be sent."""
        if not plan.registry_form:
            return True
        available = self._client.available_manifests(found.id)
        if available is not None:
            return plan.manifests <= available
        # An engine that cannot tell which platforms it has whole is sent several of them again.
        return len(plan.manifests) == 1 and self._client.is_listed(found.id)

    def _confirm(self, plan: LoadPlan) -> EngineImage:
        """Return what the engine now has.

        Raises:
            Refused: it is not the image, or not whole, or has not got its name.
        """
        name = plan.archive.name
        found = self._client.inspect(name or plan.ids[0])
        doubt = ""
        if found is None:
            doubt = "there is no such image now"
        elif not plan.is_met_by(found):
            doubt = f"it has another image there, {found.id}"
        elif name and Reference.parse(name) not in found.repo_tags:
            doubt = "the image has not got its name"
        elif plan.registry_form and not self._is_usable(plan, found):
            doubt = "it does not have all of the image"
        if found is None or doubt:
            raise Refused(
                f"the engine took {name or plan.ids[0]} without an error, but {doubt}",
                advice="See the engine's own log; its store may be damaged or full.",
            )
        return found

    def _is_usable(self, plan: LoadPlan, found: EngineImage) -> bool:
        available = self._client.available_manifests(found.id)
        return self._client.is_listed(found.id) if available is None else plan.manifests <= available

    def _restore(self, plan: LoadPlan, before: EngineImage | None) -> None:
        """Let the name point to what it pointed to; some engines move it although they fail."""
        name = plan.archive.name
        if name is None:
            return
        # The first error is the one to tell.
        with suppress(AirbundleError):
            now = self._client.inspect(name)
            if before is None and now is not None:
                self._client.untag(name)
            elif before is not None and (now is None or now.id != before.id):
                self._client.tag(before.id, Reference.parse(name))


class _Sum:
    def __init__(self) -> None:
        self.total = 0

    def add(self, count: int) -> None:
        self.total += count


def _chunks(archive: ArchiveImage, writer: DockerArchiveWriter, counting: CountingReader) -> Iterator[bytes]:
    counting.task.describe("sending to the engine")
    yield from writer.add(archive, counting)
    yield from writer.end()
    # The engine unpacks only now; it says nothing until it is done.
    counting.task.describe("the engine is unpacking the image")
