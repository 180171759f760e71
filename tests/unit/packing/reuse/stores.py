"""A store in memory, and images whose sources fail when they are asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.reader import open_bundle
from bundler.content.compression import Encoder
from bundler.content.images import Content, FoundImage
from bundler.content.streams import ByteStream, MemoryStream, VerifiedStream, read_all
from bundler.errors import NotFound, Unreachable
from bundler.model.digest import Digest
from bundler.packing.reuse.stores import Held
from bundler.progress import Task
from tests.fakes.memory import MemorySource

__all__ = ["MemoryStore", "SilentSource", "store_of"]


@dataclass
class MemoryStore:
    """A ``LayerStore`` that keeps everything in memory.

    Attributes:
        blobs: by digest; a test damages one by changing it.
        made: digests by DiffID and recipe.
        sizes: what it says, where that is not the size of the blob.
        rejected: digests that turned out wrong.
        opened: digests of blobs that were opened.
    """

    name: str = "the store"
    blobs: dict[Digest, bytes] = field(default_factory=dict)
    made: dict[tuple[Digest, Encoder], Digest] = field(default_factory=dict)
    sizes: dict[Digest, int] = field(default_factory=dict)
    rejected: list[Digest] = field(default_factory=list)
    opened: list[Digest] = field(default_factory=list)

    def made_of(self, diff_id: Digest, encoder: Encoder) -> Held | None:
        digest = self.made.get((diff_id, encoder))
        return self.blob(digest) if digest is not None else None

    def blob(self, digest: Digest) -> Held | None:
        if digest not in self.blobs:
            return None
        return Held(self, digest, self.sizes.get(digest, len(self.blobs[digest])))

    def open(self, held: Held) -> ByteStream:
        self.opened.append(held.digest)
        if held.digest not in self.blobs:
            raise NotFound(f"{held.digest} is gone")
        return VerifiedStream(MemoryStream(self.blobs[held.digest]), held.size, held.digest)

    def reject(self, held: Held) -> None:
        self.rejected.append(held.digest)


def store_of(directory: object, manifest: BundleManifest) -> MemoryStore:
    """Return all blobs of a bundle."""
    bundle, store = open_bundle(str(directory)), MemoryStore()
    for row in manifest.blobs:
        store.blobs[row.digest] = read_all(bundle.open_blob(row.descriptor), row.size)
        if row.diff_id is not None and row.encoder is not None:
            store.made[row.diff_id, row.encoder] = row.digest
    return store


class SilentSource(MemorySource):
    """Finds images, and gives nothing of them."""

    def contents(self, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task) -> Iterator[Content]:
        if wanted:
            raise Unreachable("this source does not answer")
        yield from ()
