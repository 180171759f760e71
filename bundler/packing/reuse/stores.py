"""Where blobs lie that an earlier pack made or fetched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from bundler.content.compression import Encoder
from bundler.content.streams import ByteStream
from bundler.errors import DamagedContent, DiskError, IncompleteBundle, NotFound
from bundler.model.digest import Digest

#: What a store may raise for a blob that it cannot give: then the blob comes from its source.
UNUSABLE = (DamagedContent, IncompleteBundle, DiskError, NotFound)


@dataclass(frozen=True)
class Held:
    """A blob that a store says it has. What it says is not proven.

    Attributes:
        store: that has it.
        digest: of the blob.
        size: of the blob in bytes.
    """

    store: LayerStore = field(repr=False, compare=False)
    digest: Digest
    size: int


class LayerStore(Protocol):
    """Blobs of earlier packs. Its methods may be called from any thread.

    Attributes:
        name: what users know it by, with an article: it begins errors.
    """

    name: str

    def made_of(self, diff_id: Digest, encoder: Encoder) -> Held | None:
        """Find the blob that exactly this recipe made of a layer."""

    def blob(self, digest: Digest) -> Held | None:
        """Find a blob by its digest."""

    def open(self, held: Held) -> ByteStream:
        """Open a blob; the stream raises before its end if the bytes have another digest or size.

        Raises:
            DamagedContent, IncompleteBundle, DiskError, NotFound: it cannot be had.
        """

    def reject(self, held: Held) -> None:
        """Hear that a blob is not what the store says."""
