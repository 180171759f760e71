"""A Docker engine as an image source."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing

from bundler.content.hashing import Sha256
from bundler.content.images import Content, EngineForm, FoundImage, Place, RegistryForm
from bundler.content.streams import BUFFER_BYTES, ByteStream, read_all, read_exactly
from bundler.content.tar import TarEntry, TarReader
from bundler.errors import DamagedContent, MalformedDocument, NotFound
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.model.platform_choice import EVERY_PLATFORM, PlatformChoice
from bundler.model.reference import Reference
from bundler.progress import SILENT, Progress, Task
from bundler.sources.engine_halves import in_halves
from bundler.sources.index_referrers import IndexReferrers
from bundler.transports.engine import EngineClient
from bundler.transports.engine.exports import Exports
from bundler.transports.engine.save_names import SaveNames
from bundler.transports.engine.save_places import save_places
from bundler.transports.saved_index import INDEX, blob_digest, index_entries, named_roots, saved_tree

_Identify = Callable[[TarEntry, TarReader], "Digest | None"]


class EngineSource:
    """An ``ImageSource`` over an engine: a classic store gives engine form, a containerd store registry form.

    A classic store writes all that is asked of it to its disk before it sends the first byte; what is expected it
    prepares beside what is read.

    The engine is asked once to save images for all their contents, from a containerd store twice: its manifests
    come last in what it saves, and nothing else would give them.
    """

    kind = "docker"

    def __init__(
        self,
        client: EngineClient,
        progress: Progress = SILENT,
        limits: Limits = DEFAULT_LIMITS,
        *,
        referrers: bool = True,
    ) -> None:
        """Read from the engine that the client is connected to; the source closes it.

        ``progress`` is told when ``resolve`` has to read a whole image to find its manifests. With ``referrers``
        what a containerd store saves with an image since it refers to it is taken too.
        """
        self._client = client
        self._exports = Exports(client.save)
        self._progress = progress
        self._limits = limits
        self._with_referrers = referrers

    def resolve(self, name: str, platforms: PlatformChoice = EVERY_PLATFORM) -> tuple[FoundImage, ...]:
        """Find one image by its reference, see :meth:`ImageSource.resolve`.

        Raises:
            InvalidReference: the name is no reference; an engine is never taken whole.
            NotFound: the engine has no such image.
            NoSuchPlatform: what it has of an index has nothing for one of the platforms.
            DamagedContent, MalformedDocument: a containerd store gives documents that are not what they should be.
            Unreachable, Refused: the engine.
        """
        reference = Reference.parse(name)
        image = self._client.inspect(str(reference))
        if image is None:
            raise NotFound(
                f"the engine has no image {reference.familiar}", advice="`docker image ls` shows what it has."
            )
        if self._client.info.store == "containerd":
            return (self._registry_form(reference, platforms),)
        return (EngineForm(reference, image.id, image.diff_ids, image.platform, image.size),)

    def contents(self, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task) -> Iterator[Content]:
        """Yield contents in the order in which the engine saves them, see :meth:`ImageSource.contents`.

        What is complete is known from what the engine said of the images, not from the end of what it saves.
        """
        asked = _asked(images, wanted)
        left = set(wanted).intersection(digest for image in asked for digest in image.digests)
        forms = [image for image in asked if isinstance(image, EngineForm)]
        if forms:
            yield from self._engine_contents(forms, left, task)
        elif asked:
            (image,) = asked
            with closing(self._open(str(image.reference), task)) as stream:
                yield from self._met(stream, _by_blob_name, left, task)
        if left:
            names = ", ".join(str(image.reference) for image in asked)
            raise DamagedContent(
                f"the engine did not save {len(left)} of the contents of {names}",
                advice="If the image was changed or removed meanwhile, run the command again.",
            )

    def expect(self, images: Sequence[FoundImage], wanted: Collection[Digest]) -> None:
        """Let a classic store prepare images, see :class:`AnticipatingSource`; no other has to."""
        forms = [image for image in _asked(images, wanted) if isinstance(image, EngineForm)]
        if forms:
            self._exports.begin(_ids(forms))

    def places(self, images: Sequence[FoundImage], configs: Mapping[Digest, bytes]) -> Mapping[Digest, Place]:
        """Return the places that follow from what the engine is, see :meth:`ImageSource.places`."""
        return save_places(self._client.info, images, configs)

    def close(self) -> None:
        """Close the connections to the engine."""
        self._exports.close()
        self._client.close()

    def _engine_contents(self, forms: list[EngineForm], left: set[Digest], task: Task) -> Iterator[Content]:
        layers = {form.config_digest: form.diff_ids for form in forms}
        names = SaveNames(layers, self._limits)
        learned = False

        def identify(entry: TarEntry, reader: TarReader) -> Digest | None:
            nonlocal learned
            digest = names.identify(entry, reader)
            if digest is None and entry.name.endswith(".tar") and entry.size:
                # A layout that nobody knows: find out by hashing, and save once more to hand it over.
                found = _hash(reader)
                if found in left:
                    names.learn(entry.name, found)
                    learned = True
            return digest

        yield from self._saved(forms, identify, left, task)
        if left and learned:
            yield from self._saved(forms, names.identify, left, task)

    def _saved(
        self, forms: Sequence[EngineForm], identify: _Identify, left: set[Digest], task: Task
    ) -> Iterator[Content]:
        """Yield what of ``left`` is met in saved images, by place, and take it from ``left``."""
        with ExitStack() as stack:
            streams = self._opened(forms, task)
            for stream in streams:
                stack.callback(stream.close)
            met = [self._met(stream, identify, left, task) for stream in streams]
            yield from heapq.merge(*met, key=lambda content: content.place)

    def _opened(self, forms: Sequence[EngineForm], task: Task) -> list[ByteStream]:
        """Have images saved, in two requests if nothing else is prepared: one keeps one core of the engine busy.

        What they share is prepared and sent twice then, but each file has the same name and place in both.
        """
        task.describe(_preparing(len(forms)))
        if self._exports.is_idle and self._client.is_near and len(forms) > 1:
            streams = self._exports.open_beside([_ids(half) for half in in_halves(forms)])
            if streams:
                return streams
        return [self._exports.open(_ids(forms))]

    def _open(self, name: str, task: Task) -> ByteStream:
        task.describe(_preparing(1))
        return self._exports.open([name])

    def _met(self, stream: ByteStream, identify: _Identify, left: set[Digest], task: Task) -> Iterator[Content]:
        """Yield what of ``left`` is met in one stream, and take it from ``left``."""
        for entry, reader in self._walk(stream, task):
            digest = identify(entry, reader)
            if digest is not None and digest in left:
                left.discard(digest)
                task.describe(f"reading {digest.short} from the engine")
                yield Content(digest, entry.size, reader, tuple(entry.name.split("/")))
            if not left:
                return

    def _walk(self, stream: ByteStream, task: Task) -> Iterator[tuple[TarEntry, TarReader]]:
        """Yield the regular files of a tar."""
        reader = TarReader(stream, limits=self._limits)
        entry = reader.next()
        task.describe("reading from the engine")
        while entry is not None:
            if entry.is_file:
                yield entry, reader
            entry = reader.next()

    def _registry_form(self, reference: Reference, platforms: PlatformChoice) -> RegistryForm:
        documents: dict[Digest, bytes] = {}
        present: set[Digest] = set()
        index, collected = None, 0
        with (
            self._progress.task(f"manifests of {reference.familiar}") as task,
            closing(self._open(str(reference), task)) as stream,
        ):
            for entry, reader in self._walk(stream, task):
                if entry.name == INDEX:
                    index = read_all(reader, self._limits.table_bytes, INDEX)
                elif (digest := blob_digest(entry.name)) is not None:
                    present.add(digest)
                    if document := _read_json(entry, reader, self._limits):
                        documents[digest] = document
                    collected += len(document)
                    if collected > self._limits.archive_document_bytes:
                        limit = self._limits.archive_document_bytes
                        raise beyond(limit, f"the documents of {reference} are too large together")
        if index is None:
            raise MalformedDocument(f"the engine saved {reference} without {INDEX}")
        root = _choose(reference, named_roots(index, self._limits))

        def fetch(wanted: Descriptor) -> bytes | None:
            return documents.get(wanted.digest)

        tree, selection = saved_tree(root, fetch, present.__contains__, self._limits, platforms)
        if not self._with_referrers:
            return RegistryForm(reference, tree, selection=selection)
        entries = index_entries(index, self._limits)
        referrers = IndexReferrers(entries, fetch, lambda blob: blob.digest in present, self._limits).of(tree)
        return RegistryForm(reference, tree, referrers.found, referrers.left_out, selection=selection)


def _asked(images: Sequence[FoundImage], wanted: Collection[Digest]) -> list[FoundImage]:
    """Leave out images of which nothing is wanted: they would be prepared for nothing."""
    return [image for image in images if not image.digests.isdisjoint(wanted)]


def _ids(forms: Sequence[EngineForm]) -> list[str]:
    """Name images by ID: a name may be moved to another image meanwhile."""
    return list(dict.fromkeys(form.config_digest for form in forms))


def _preparing(count: int) -> str:
    return f"the engine is preparing {'the image' if count == 1 else f'{count} images'}"


def _choose(reference: Reference, roots: Sequence[tuple[Reference | None, Descriptor]]) -> Descriptor:
    if reference.digest is not None:
        # The engine writes no name for an image that was asked for by digest.
        fitting = [root for _, root in roots if root.digest == reference.digest]
    else:
        fitting = [root for name, root in roots if name == reference]
    if not fitting:
        raise MalformedDocument(f"{reference} is not in the {INDEX} that the engine saved for it")
    return fitting[0]


def _by_blob_name(entry: TarEntry, reader: TarReader) -> Digest | None:
    return blob_digest(entry.name)


def _read_json(entry: TarEntry, reader: TarReader, limits: Limits) -> bytes:
    """Read a blob that may be a document; ``b""`` for what cannot be one."""
    first = memoryview(bytearray(1))
    if entry.size > limits.document_bytes or not read_exactly(reader, first) or first[0] != ord("{"):
        return b""
    return b"{" + read_all(reader, limits.document_bytes, entry.name)


def _hash(reader: TarReader) -> Digest:
    hashed, buffer = Sha256(), memoryview(bytearray(BUFFER_BYTES))
    while count := reader.readinto(buffer):
        hashed.update(buffer[:count])
    return hashed.digest
