"""Checks 7 and 8: digests of blobs and DiffIDs of layers, while their archive passes by from front to back."""

from __future__ import annotations

from collections.abc import Callable

from bundler.bundle.manifest import Blob
from bundler.content.hashing import Sha256
from bundler.content.probe import LayerProbe
from bundler.errors import DamagedContent
from bundler.model.limits import Limits
from bundler.model.media_types import layer_compression

#: Called with the blob, the number of the check, what was expected, and what was found.
Report = Callable[[Blob, int, str, str], None]


class BlobCheck:
    """Is fed the bytes of one archive in order, with gaps where it cannot be read; reports each wrong blob.

    A blob with a gap in it is not judged here: whoever found the gap has said whom it hits.
    """

    def __init__(self, blobs: list[Blob], limits: Limits, report: Report) -> None:
        """Check ``blobs``, which are in the order of their offsets."""
        self._blobs = blobs
        self._limits = limits
        self._report = report
        self._next = 0
        self._position = 0
        self._current: Blob | None = None
        self._hash = Sha256()
        self._probe: LayerProbe | None = None

    def feed(self, offset: int, data: memoryview) -> None:
        """Take the bytes that lie at ``offset`` of the archive."""
        if offset != self._position:
            self._drop()
            self._position = offset
        while len(data):
            taken = self._feed_blob(data) if self._current is not None else self._find_blob(len(data))
            self._position += taken
            data = data[taken:]
        self._close_if_complete()

    def close(self) -> None:
        """End the archive."""
        if self._current is None:
            self._find_blob(0)  # one without bytes may lie at the very end
        self._close_if_complete()
        self._drop()

    def _find_blob(self, available: int) -> int:
        """Skip to the next blob that begins here or further on; return how many bytes lie before it."""
        while self._next < len(self._blobs) and self._blobs[self._next].offset < self._position:
            self._next += 1
        if self._next == len(self._blobs):
            return available
        blob = self._blobs[self._next]
        distance = blob.offset - self._position
        if distance > available:
            return available
        if distance == 0:
            self._next += 1
            self._begin(blob)
        return distance

    def _begin(self, blob: Blob) -> None:
        self._current = blob
        self._hash = Sha256()
        compression = layer_compression(blob.media_type)
        if compression is not None and blob.diff_id is not None:
            self._probe = LayerProbe(compression, self._limits)

    def _feed_blob(self, data: memoryview) -> int:
        assert self._current is not None
        end = self._current.offset + self._current.size
        piece = data[: end - self._position]
        if not len(piece):
            self._end(self._current)
            return 0
        self._hash.update(piece)
        if self._probe is not None:
            self._probe.feed(piece)
        return len(piece)

    def _close_if_complete(self) -> None:
        blob = self._current
        if blob is not None and self._position >= blob.offset + blob.size:
            self._end(blob)

    def _end(self, blob: Blob) -> None:
        probe, self._probe, self._current = self._probe, None, None
        if self._hash.digest != blob.digest:
            self._report(blob, 7, blob.digest, self._hash.digest)
        if probe is None:
            return
        try:
            diff_id, size = probe.finish()
        except DamagedContent as error:
            self._report(blob, 8, str(blob.diff_id), str(error))
            return
        if diff_id != blob.diff_id:
            self._report(blob, 8, str(blob.diff_id), diff_id)
        elif blob.uncompressed_size is not None and size != blob.uncompressed_size:
            self._report(blob, 8, f"{blob.uncompressed_size} bytes", f"{size} bytes")

    def _drop(self) -> None:
        if self._probe is not None:
            self._probe.abandon()
        self._probe = self._current = None
