"""What the pipeline puts blobs into: an archive that is written, or one that is only compared."""

from __future__ import annotations

from typing import Protocol

from bundler.bundle.manifest import Archive
from bundler.model.digest import Digest


class ArchiveSink(Protocol):
    """Takes the entries of one archive, front to back, from one thread at a time."""

    name: str

    def begin_blob(self, digest: Digest | None = None, size: int = 0) -> int:
        """Begin a blob; return the offset of its first byte in the archive.

        Args:
            digest: Its digest; ``None`` if that and the size are known only at its end.
            size: Its exact size in bytes, where the digest is given.
        """

    def append(self, data: bytes | memoryview) -> None:
        """Take the next bytes of the blob."""

    def end_blob(self, digest: Digest) -> int:
        """End the blob; return its size in bytes."""

    def add_file(self, name: str, data: bytes) -> None:
        """Take a small file that is no blob."""

    def finish(self, *, with_end_marker: bool) -> Archive:
        """Complete the archive and return its row of bundle.json.

        Args:
            with_end_marker: False for the archive that others are appended to: readers stop at it.
        """

    def abandon(self) -> None:
        """Stop; safe after any error."""
