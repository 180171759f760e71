"""Writes one archive of a bundle: a tar whose blobs may have a size that is known only when they end."""

from __future__ import annotations

from pathlib import Path

from bundler.bundle.manifest import Archive
from bundler.content.tar import BLOCK_BYTES, END_OF_ARCHIVE, file_header, padding
from bundler.errors import DiskError
from bundler.model.digest import Digest
from bundler.packing.writing.archive_start import FROM_THE_START, ArchiveStart
from bundler.packing.writing.cut_file import CutFile
from bundler.packing.writing.part_sealer import PartSealer
from bundler.packing.writing.recorder import NO_RECORDER, Recorder


def blob_path(digest: Digest) -> str:
    """Return where a blob lies in an OCI image layout (image-layout.md, "Blobs")."""
    return f"blobs/sha256/{digest.hex}"


class ArchiveWriter:
    """An archive that is being written: an ``ArchiveSink``."""

    def __init__(
        self,
        directory: Path,
        name: str,
        part_bytes: int,
        block_bytes: int,
        start: ArchiveStart = FROM_THE_START,
        recorder: Recorder = NO_RECORDER,
    ) -> None:
        """Begin an archive, whose first file appears with its first byte, or go on with one that was cut.

        ``recorder`` is told of each part that is whole, and of the archive when it is.
        """
        self.name = name
        self._recorder = recorder
        self._cut = CutFile(directory, name, part_bytes, start.position)
        self._sealer = PartSealer(directory, name, part_bytes, block_bytes, self._cut, start, recorder)
        self._header_at = 0
        self._proven = start.position
        self._size_known = False

    def begin_blob(self, digest: Digest | None = None, size: int = 0) -> int:
        """Begin a blob; return the offset of its first byte in the archive.

        Args:
            digest: Its digest; ``None`` if that and the size are known only at its end.
            size: Its exact size in bytes, where the digest is given.
        """
        self._header_at = self._cut.position
        self._size_known = digest is not None
        self._cut.write(file_header(blob_path(digest), size) if digest else bytes(BLOCK_BYTES))
        return self._cut.position

    def append(self, data: bytes | memoryview) -> None:
        """Write the next bytes of the blob."""
        self._cut.write(data)
        if self._size_known:
            self._sealer.settle(self._cut.position)

    def end_blob(self, digest: Digest) -> int:
        """End the blob, which has its digest; write its header if that is still owed. Return its size in bytes."""
        size = self._cut.position - self._header_at - BLOCK_BYTES
        if not self._size_known:
            self._cut.patch(self._header_at, file_header(blob_path(digest), size))
        self._cut.write(bytes(padding(size)))
        self._end_entry()
        return size

    def add_file(self, name: str, data: bytes) -> None:
        """Write a small file that is no blob."""
        self._cut.write(file_header(name, len(data)))
        self._cut.write(data + bytes(padding(len(data))))
        self._end_entry()

    def finish(self, *, with_end_marker: bool) -> Archive:
        """Complete the archive; its parts are whole, durable and under their final names afterwards.

        Args:
            with_end_marker: False for the archive that others are appended to: readers stop at it.
        """
        if with_end_marker:
            self._cut.write(END_OF_ARCHIVE)
        self._cut.close()
        self._end_entry()
        archive = Archive(name=self.name, size=self._cut.position, parts=self._sealer.finish())
        self._recorder.archive(self.name, archive.size)
        return archive

    def abandon(self) -> None:
        """Stop writing; what was written stays, and only whole parts have final names. Safe after any error."""
        try:
            self._cut.close()
        except DiskError:
            pass  # nobody wants these bytes any more
        finally:
            self._sealer.abandon(self._proven)

    def _end_entry(self) -> None:
        self._proven = self._cut.position
        self._sealer.settle(self._proven)
