"""An archive that is made again and not written: its bytes go by in order, its parts get their sums.

A part is hashed from front to back, but the header of a blob that is compressed here is known only at its end.
So every blob's place, digest and size are told beforehand, from an earlier pack; at the blob's end it turns out
whether that was right.
"""

from __future__ import annotations

from collections.abc import Callable

from bundler.bundle.manifest import Archive, BundleManifest, Part
from bundler.bundle.names import part_files
from bundler.content.hashing import PartSums
from bundler.content.tar import BLOCK_BYTES, END_OF_ARCHIVE, file_header, padding
from bundler.errors import NotReproducible
from bundler.model.digest import Digest
from bundler.packing.writing.archive_writer import blob_path

#: Is given an offset in the archive and the bytes from there on, without gaps from 0 on.
Witness = Callable[[int, memoryview], None]


class ArchiveRehearsal:
    """An ``ArchiveSink`` that makes the sums of every part; stops at the first blob that differs from before."""

    def __init__(self, name: str, manifest: BundleManifest, witness: Witness | None = None) -> None:
        """Expect the blobs of the archive that ``manifest`` describes.

        Args:
            name: The archive's.
            manifest: Of an earlier pack; of its archives only the names and the sizes of parts count here.
            witness: Sees all bytes.

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
        self._witness = witness
        self._made: list[PartSums] = []
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
            NotReproducible: a part that they complete is not what it should be.
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
            NotReproducible: the last part is not what it should be, or the first pack made more.
        """
        if with_end_marker:
            self._write(END_OF_ARCHIVE)
        self._end_part()
        if len(self._made) != len(self._expected):
            raise self._differs("it ends earlier")
        files = part_files(self.name, len(self._made))
        parts = tuple(_row(file, sums) for file, sums in zip(files, self._made, strict=True))
        return Archive(name=self.name, size=self._position, parts=parts)

    def abandon(self) -> None:
        """Nothing was kept."""

    def _write(self, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        while rest:
            if self._part_bytes and self._sums.size == self._part_bytes:
                self._end_part()
            room = self._part_bytes - self._sums.size if self._part_bytes else len(rest)
            piece = rest[:room]
            self._sums.update(piece)
            if self._witness is not None:
                self._witness(self._position, piece)
            self._position += len(piece)
            rest = rest[room:]

    def _end_part(self) -> None:
        """Compare the part that ends here as far as it can be, and begin the next one."""
        sums, self._sums = self._sums, PartSums(self._block_bytes)
        index = len(self._made)
        if index >= len(self._expected) or not self._agrees(self._expected[index], sums):
            raise self._differs(f"its sha256 becomes {sums.sha256}", at=self._position - sums.size)
        self._made.append(sums)

    def _agrees(self, expected: Part, sums: PartSums) -> bool:
        """Tell whether a part is what it should be."""
        return expected.size == sums.size

    def _differs(self, how: str, at: int | None = None) -> NotReproducible:
        place = self._position if at is None else at
        index = min(place // self._part_bytes, len(self._expected) - 1) if self._part_bytes else 0
        return NotReproducible(f"{self._expected[index].file} is the first part that a second pack changes: {how}")


def _row(file: str, sums: PartSums) -> Part:
    return Part(file=file, size=sums.size, sha256=sums.sha256, xxh3_128=sums.xxh3_128, blocks=sums.blocks)
