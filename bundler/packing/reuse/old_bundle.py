"""An older bundle as a store of blobs; it may be incomplete or damaged."""

from __future__ import annotations

from bundler.bundle.reader import Bundle
from bundler.content.compression import Encoder
from bundler.content.streams import ByteStream
from bundler.model.digest import Digest
from bundler.packing.reuse.stores import Held


class OldBundle:
    """A ``LayerStore`` over a bundle. Nothing is written to it."""

    def __init__(self, bundle: Bundle) -> None:
        self.name = f"the bundle in {bundle.directory}"
        self._bundle = bundle
        self._made = {
            (blob.diff_id, blob.encoder): blob
            for blob in bundle.manifest.blobs
            if blob.diff_id is not None and blob.encoder is not None
        }

    def made_of(self, diff_id: Digest, encoder: Encoder) -> Held | None:
        """Find the blob that exactly this recipe made of a layer."""
        blob = self._made.get((diff_id, encoder))
        return Held(self, blob.digest, blob.size) if blob is not None else None

    def blob(self, digest: Digest) -> Held | None:
        """Find a blob by its digest."""
        blob = self._bundle.manifest.blob_by_digest.get(digest)
        return Held(self, blob.digest, blob.size) if blob is not None else None

    def open(self, held: Held) -> ByteStream:
        """Open a blob; every block is checked before its bytes are given.

        Raises:
            IncompleteBundle, DamagedBundle, DiskError: when it is read.
        """
        return self._bundle.open_blob(self._bundle.manifest.blob_by_digest[held.digest].descriptor)

    def reject(self, held: Held) -> None:
        """Leave it where it is: whoever verifies the bundle shall see it."""
