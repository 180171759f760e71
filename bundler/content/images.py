"""The protocols through which sources, bundles and destinations meet.

A source is anything that images are read from: an engine, an archive, a registry, a bundle. A destination is
anything that they are put into. Whoever copies between the two knows these types and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol, runtime_checkable

from bundler.content.stopping import Stopping
from bundler.content.streams import ByteStream
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.platform_choice import EVERY_PLATFORM, NOTHING_CHOSEN, PlatformChoice, PlatformSelection
from bundler.model.platforms import Platform
from bundler.model.reference import Reference
from bundler.model.referrers import Referrer
from bundler.progress import Task


def distinct_blobs(trees: Sequence[ImageTree]) -> Iterator[Descriptor]:
    """Yield every content of some trees once, in their order."""
    if len(trees) == 1:
        return trees[0].blobs()
    found: dict[Digest, Descriptor] = {}
    for tree in trees:
        for blob in tree.blobs():
            found.setdefault(blob.digest, blob)
    return iter(found.values())


@dataclass(frozen=True)
class RegistryForm:
    """An image that has manifests and digests already: they are kept to the byte.

    Attributes:
        reference: the name that the image will carry.
        tree: its documents; everything else is read by descriptor.
        found_at: the repository that it is read from, where that is another one than its name says: a mirror.
        referrers: what refers to it and is taken with it; those of these too, behind them.
        left_out: why other referrers of it cannot be taken, for the user.
        selection: which of its platforms were taken, where some were chosen.
    """

    reference: Reference
    tree: ImageTree
    referrers: tuple[Referrer, ...] = ()
    left_out: tuple[str, ...] = ()
    found_at: str = field(default="", compare=False)
    selection: PlatformSelection = NOTHING_CHOSEN

    @property
    def trees(self) -> tuple[ImageTree, ...]:
        """The image's own documents, and those of each referrer."""
        return (self.tree, *(referrer.tree for referrer in self.referrers))

    @cached_property
    def documents(self) -> Mapping[Digest, bytes]:
        """All documents, those of referrers too, by digest."""
        return {digest: raw for tree in self.trees for digest, raw in tree.documents.items()}

    def blobs(self) -> Iterator[Descriptor]:
        """Yield every content once: those of the image in the order of its tree, then those of its referrers."""
        return distinct_blobs(self.trees)

    @property
    def digests(self) -> frozenset[Digest]:
        """Of everything that the image and its referrers consist of, documents too."""
        return frozenset(descriptor.digest for descriptor in self.blobs())


def referring_to(tree: ImageTree, referrers: Iterable[Referrer]) -> tuple[Referrer, ...]:
    """Return those referrers whose subject is in a tree, or is one of them; each comes behind its subject."""
    there = {descriptor.digest for descriptor, _ in tree.nodes()}
    found = []
    for referrer in referrers:
        if referrer.subject in there:
            found.append(referrer)
            there.update(descriptor.digest for descriptor, _ in referrer.tree.nodes())
    return tuple(found)


@dataclass(frozen=True)
class EngineForm:
    """An image that has no manifest yet: a config and uncompressed layers, as a graph-driver store keeps it.

    Attributes:
        reference: the name that the image will carry.
        config_digest: digest of the config, which is the image ID of such stores.
        diff_ids: digests of the uncompressed layers, bottom first; one may occur twice.
        platform: what the image runs on.
        size: about as many bytes as all layers have uncompressed, as far as known; an engine counts files
            without what a tar adds to each.
    """

    reference: Reference
    config_digest: Digest
    diff_ids: tuple[Digest, ...]
    platform: Platform
    size: int | None = None

    @property
    def digests(self) -> frozenset[Digest]:
        """Of everything that the image consists of: its config, and its layers uncompressed."""
        return frozenset((self.config_digest, *self.diff_ids))


FoundImage = RegistryForm | EngineForm


#: Where a content comes among others: compared field by field.
Place = tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """Some content on its way out of a source.

    Attributes:
        digest: of the blob, or the DiffID of an uncompressed layer.
        size: exact number of bytes that the stream will give.
        stream: the bytes, *not yet verified*; valid until the next content is asked for.
        place: contents come in the order of their places, also if their images come from several sources. Of an
            image in engine form it is the name in what an engine saves, field by field.
    """

    digest: Digest
    size: int
    stream: ByteStream
    place: Place = ()


class BlobReader(Protocol):
    """Random access to blobs by descriptor. Safe to use from several threads."""

    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
        """Open a blob at an offset in bytes, 0 ≤ offset ≤ size; the caller closes the stream.

        A stream from offset 0 is verified: it raises ``DamagedContent`` before it ends on other bytes.

        Raises:
            NotFound: the blob is not there.
        """


class ImageSource(Protocol):
    """Where images are read from. Used by one thread."""

    #: ``docker``, ``oci``, ``registry`` or ``bundle``: recorded in the bundle as where an image came from.
    kind: str

    def resolve(self, name: str, platforms: PlatformChoice = EVERY_PLATFORM) -> tuple[FoundImage, ...]:
        """Find what a name stands for, without reading any layer.

        Args:
            name: What was written behind the transport and the path of the source: a reference, or ``""``
                for everything that an archive or layout holds, one result for each name there.
            platforms: What is taken of an image that has an index; one without is taken whatever it is for.

        Raises:
            NotFound: there is no such image.
            NoSuchPlatform: the index has nothing for one of the platforms.
            MalformedDocument: its documents break their specification.
            Unreachable: the source does not answer.
        """

    def contents(self, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task) -> Iterator[Content]:
        """Yield those contents of resolved images that are wanted, each once.

        The order is the source's own, but the same whenever the same images are read, whatever else of them is
        wanted: it decides the bytes of an archive. Of several images that holds if every layer that is wanted
        lies on the same layers in all of them, and a top layer is in one of them only; else an engine may give
        another order each time. The consumer reads a stream to its end, or not at all, before it asks for the
        next one.

        Args:
            images: What ``resolve`` returned: one image, or several in engine form.
            wanted: Digests of blobs, or for an :class:`EngineForm` its config digest and DiffIDs.
            task: Is told what the source is busy with; bytes are counted by the consumer.

        Raises:
            DamagedContent: the source ended before all that is wanted was given.
            Unreachable: the source broke off.
        """

    def places(self, images: Sequence[FoundImage], configs: Mapping[Digest, bytes]) -> Mapping[Digest, Place]:
        """Return the ``place`` that ``contents`` would give each content, as far as that is certain.

        Nothing is read for it. So whoever has a content from elsewhere can put it where it belongs. What is left
        out has no place that is known before it is read; a wrong place would change the bytes of an archive.

        Args:
            images: As ``contents`` would get them.
            configs: Bytes of image configs that are known already, by digest; of other images too.
        """

    def close(self) -> None:
        """Release connections and files; may be called more than once."""


@runtime_checkable
class AnticipatingSource(Protocol):
    """An ``ImageSource`` that takes long before it gives the first byte, and can begin while another is read."""

    def expect(self, images: Sequence[FoundImage], wanted: Collection[Digest]) -> None:
        """Begin to prepare what ``contents`` will be asked for with the same arguments, and return at once.

        A wrong guess costs time only. What goes wrong meanwhile shows when ``contents`` is asked.
        """


@runtime_checkable
class TellingSource(Protocol):
    """An ``ImageSource`` that has something to say of where it asked."""

    def notes(self) -> tuple[str, ...]:
        """Return what users should know, a sentence each, as far as it is known by now."""


def tree_places(image: RegistryForm) -> dict[Digest, Place]:
    """Return the places of a source that gives the contents of an image in the order of ``image.blobs()``."""
    return {descriptor.digest: (f"{number:012}",) for number, descriptor in enumerate(image.blobs())}


@dataclass(frozen=True)
class OutgoingImage:
    """An image on its way into a destination.

    Attributes:
        reference: the name that it carries.
        tree: its documents.
        uncompressed_sizes: bytes of layers when uncompressed, by blob digest, as far as known.
        referrers: what refers to it; each behind its subject.
    """

    reference: Reference
    tree: ImageTree
    uncompressed_sizes: Mapping[Digest, int] = field(default_factory=dict)
    referrers: tuple[Referrer, ...] = ()

    @property
    def trees(self) -> tuple[ImageTree, ...]:
        """The image's own documents, and those of each referrer."""
        return (self.tree, *(referrer.tree for referrer in self.referrers))


#: What is done with a name at the destination that points to another image: moved, left, or an error.
OnExistingTag = Literal["overwrite", "skip", "error"]

Status = Literal["pushed", "loaded", "extracted", "skipped", "failed", "planned", "refused"]


@dataclass(frozen=True)
class ReferrerCounts:
    """What became of the referrers of one image at a destination.

    Attributes:
        put: brought there now.
        there: were there already, and found by whoever asks for them.
        left_out: are not there: notes or details of the result say why.
    """

    put: int = 0
    there: int = 0
    left_out: int = 0


@dataclass(frozen=True)
class PutResult:
    """What became of one image at a destination.

    Attributes:
        reference: the name in the bundle.
        target: the name at the destination.
        digest: what the destination knows it by: manifest digest, or image ID in an engine.
        status: ``skipped`` means that it was there already, complete. ``planned`` and ``refused`` say what would
            be done.
        bytes_sent: bytes of blobs that crossed to the destination, each as often as it did.
        bytes_sent_again: how many of these had crossed before, in vain.
        bytes_skipped: bytes of blobs that were there already.
        replaced: what the name pointed to before, if that was something else.
        original: what the bundle knows the image by, where a registry could not be given just that.
        notes: warnings for the user.
        referrers: what became of the image's referrers.
        details: what only those want to know who ask for more.
    """

    reference: str
    target: str
    digest: Digest
    status: Status
    bytes_sent: int = 0
    bytes_sent_again: int = 0
    bytes_skipped: int = 0
    replaced: str | None = None
    original: Digest | None = None
    notes: tuple[str, ...] = ()
    referrers: ReferrerCounts = field(default_factory=ReferrerCounts)
    details: tuple[str, ...] = ()


class ImageDestination(Protocol):
    """Where images are put. Used by one thread, unless it is a :class:`ConcurrentDestination`.

    Attributes:
        is_one_file: whether it is a single file, which must hold all images that were asked for or not exist.
    """

    is_one_file: bool

    def put(self, image: OutgoingImage, reader: BlobReader, task: Task) -> PutResult:
        """Make the image complete at the destination, and only then give it its name.

        Putting it again is cheap and changes nothing. After an error the name points to what it pointed to,
        unless it is one of the referrers, which come behind the name.

        Args:
            image: What to put; its tree may be sparse.
            reader: Gives every blob of the tree, verified.
            task: Is advanced by the bytes of blobs, sent or skipped.

        Raises:
            DamagedContent: a blob turned out damaged; nothing of this image can be seen at the destination.
            PolicyRefused: the name exists, points elsewhere, and must not be moved.
            Unreachable, Refused: the destination.
        """

    def finish(self) -> None:
        """Complete what can only be written when all images are there, and close."""

    def abort(self) -> None:
        """Close after an error; leave nothing half-written under a final name."""


@runtime_checkable
class ConcurrentDestination(Protocol):
    """An ``ImageDestination`` into which several threads may put images at once.

    Attributes:
        images_at_once: how many images it gains by.
        stopping: whoever asks it for an end stops every ``put`` that runs.
    """

    images_at_once: int
    stopping: Stopping

    def announce(self, image: OutgoingImage) -> None:
        """Say which image is put next: what several share is brought by the one that was announced first.

        Each image that was announced is put, by whichever thread, and as the same object.
        """
