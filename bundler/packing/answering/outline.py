"""What a bundle would be, but for its sums: where each blob lies, and how large each part is."""

from __future__ import annotations

from bundler.bundle.manifest import Archive, Part
from bundler.bundle.names import part_files
from bundler.content.tar import BLOCK_BYTES, END_OF_ARCHIVE, padding
from bundler.model.digest import Digest


class ArchiveOutline:
    """An ``ArchiveSink`` that only counts. The sums of its parts are zeros: they stand for what is not known."""

    def __init__(self, name: str, part_bytes: int, block_bytes: int) -> None:
        """Count an archive whose parts have at most ``part_bytes`` each; 0: it is not cut."""
        self.name = name
        self._part_bytes = part_bytes
        self._block_bytes = block_bytes
        self._position = 0
        self._begin = 0

    def begin_blob(self, digest: Digest | None = None, size: int = 0) -> int:
        """Begin a blob; return the offset of its first byte in the archive."""
        self._position += BLOCK_BYTES
        self._begin = self._position
        return self._begin

    def append(self, data: bytes | memoryview) -> None:
        """Count the next bytes of the blob."""
        self._position += len(data)

    def end_blob(self, digest: Digest) -> int:
        """End the blob; return its size in bytes."""
        size = self._position - self._begin
        self._position += padding(size)
        return size

    def add_file(self, name: str, data: bytes) -> None:
        """Count a small file that is no blob."""
        self._position += BLOCK_BYTES + len(data) + padding(len(data))

    def finish(self, *, with_end_marker: bool) -> Archive:
        """Return the archive's row with the right names and sizes."""
        self._position += len(END_OF_ARCHIVE) if with_end_marker else 0
        step = self._part_bytes or self._position
        sizes = [min(step, self._position - start) for start in range(0, self._position, step)]
        files = part_files(self.name, len(sizes))
        parts = tuple(self._part(file, size) for file, size in zip(files, sizes, strict=True))
        return Archive(name=self.name, size=self._position, parts=parts)

    def abandon(self) -> None:
        """Nothing was kept."""

    def _part(self, file: str, size: int) -> Part:
        blocks = ("0" * 16,) * -(-size // self._block_bytes)
        return Part(file=file, size=size, sha256="0" * 64, xxh3_128="0" * 32, blocks=blocks)
