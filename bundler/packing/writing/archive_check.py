"""Compares an archive with the one that a second pack makes, without writing that down."""

from __future__ import annotations

from bundler.bundle.manifest import Archive, BundleManifest, Part
from bundler.content.hashing import PartSums
from bundler.content.tar import BLOCK_BYTES, END_OF_ARCHIVE, file_header, padding
from bundler.errors import NotReproducible
from bundler.model.digest import Digest
from bundler.packing.writing.archive_writer import blob_path


class ArchiveCheck:
    """An ``ArchiveSink`` that makes the sums of every part and stops at the first that differs.

    A part is hashed from front to back, but the header of a blob that is compressed here is known only at its
    end. So the header is taken from the first pack; at the blob's end it turns out whether it was the right one.
    """

    def __init__(self, name: str, manifest: BundleManifest) -> None:
        """Expect the archive that ``manifest`` describes.

        Raises:
            NotReproducible: the first pack made no archive of this name.
        """
        self.name = name
        if name not in manifest.archive_by_name:
            raise NotReproducible(f"the second pack makes an archive {name}, the first one made none")
        self._expected = manifest.archive_by_name[name].parts
        self._by_offset = {blob.offset: blob for blob in manifest.blobs if blob.archive == name}
        self._part_bytes = manifest.part_bytes
        self._block_bytes = manifest.block_bytes
        self._parts: list[Part] = []
        self._sums = PartSums(self._block_bytes)
        self._position = 0
        self._begin = 0
        self._promised: tuple[Digest, int] | None = None

    def begin_blob(self, digest: Digest | None = None, size: int = 0) -> int:
        """Begin a blob; see ``ArchiveSink``.

        Raises:
            NotReproducible: the first pack put something else here.
        """
        blob = self._by_offset.get(self._position + BLOCK_BYTES)
        if blob is None:
            raise self._differs(f"the first pack has no blob at byte {self._position + BLOCK_BYTES}")
        self._promised = blob.digest, blob.size
        if digest is not None and (digest, size) != self._promised:
            raise self._differs(f"blob {digest} lies where the first pack has {blob.digest}")
        self._write(file_header(blob_path(blob.digest), blob.size))
        self._begin = self._position
        return self._position

    def append(self, data: bytes | memoryview) -> None:
        """Hash the next bytes of the blob.

        Raises:
            NotReproducible: a part that they complete has another sha256.
        """
        self._write(data)

    def end_blob(self, digest: Digest) -> int:
        """End the blob; return its size in bytes.

        Raises:
            NotReproducible: it is another one than in the first pack.
        """
        size = self._position - self._begin
        if (digest, size) != self._promised:
            raise self._differs(f"a blob became {digest}", at=self._begin)
        self._write(bytes(padding(size)))
        return size

    def add_file(self, name: str, data: bytes) -> None:
        """Hash a small file that is no blob."""
        self._write(file_header(name, len(data)) + data + bytes(padding(len(data))))

    def finish(self, *, with_end_marker: bool) -> Archive:
        """Complete the archive.

        Raises:
            NotReproducible: the last part is another one, or the first pack made more.
        """
        if with_end_marker:
            self._write(END_OF_ARCHIVE)
        self._end_part()
        if len(self._parts) != len(self._expected):
            raise self._differs("it ends earlier")
        return Archive(name=self.name, size=self._position, parts=tuple(self._parts))

    def abandon(self) -> None:
        """Nothing was kept."""

    def _write(self, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        while rest:
            if self._part_bytes and self._sums.size == self._part_bytes:
                self._end_part()
            room = self._part_bytes - self._sums.size if self._part_bytes else len(rest)
            self._sums.update(rest[:room])
            self._position += len(rest[:room])
            rest = rest[room:]

    def _end_part(self) -> None:
        """Compare the part that ends here; its name is the first pack's, which alone knew how many there are."""
        sums, self._sums = self._sums, PartSums(self._block_bytes)
        index = len(self._parts)
        if index < len(self._expected):
            file = self._expected[index].file
            part = Part(file=file, size=sums.size, sha256=sums.sha256, xxh3_128=sums.xxh3_128, blocks=sums.blocks)
            if part == self._expected[index]:
                self._parts.append(part)
                return
        raise self._differs(f"its sha256 becomes {sums.sha256}", at=self._position - sums.size)

    def _differs(self, how: str, at: int | None = None) -> NotReproducible:
        place = self._position if at is None else at
        index = min(place // self._part_bytes, len(self._expected) - 1) if self._part_bytes else 0
        return NotReproducible(f"{self._expected[index].file} is the first part that a second pack changes: {how}")
