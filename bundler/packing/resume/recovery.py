"""Looks at what an unfinished pack left, and keeps what is right: everything else is cut off.

The journal says what was done; the files decide. Sealed parts are compared with their block sums; behind them
every blob is read and compared with its digest, and with it the headers that lie between. An archive is a
sequence: it is kept up to the first byte that is not proven.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bundler.bundle.block_reader import BlockReader, PartLocations
from bundler.bundle.manifest import Archive, Blob, Part
from bundler.bundle.names import SHARED, archive_file, part_number
from bundler.content.tar import file_header, padding
from bundler.model.digest import Digest
from bundler.packing.documents import tables
from bundler.packing.resume.journal import Records
from bundler.packing.resume.leftovers import ArchiveLeftovers
from bundler.packing.writing.archive_start import ArchiveStart
from bundler.packing.writing.archive_writer import blob_path
from bundler.progress import Task


@dataclass
class Kept:
    """What is there and right.

    Attributes:
        blobs: rows of the blob table.
        starts: by name, where the writing of each unfinished archive goes on.
        archives: archives that are complete.
        configs: bytes of image configs that were read already, by digest; they hash to it.
    """

    blobs: list[Blob] = field(default_factory=list)
    starts: dict[str, ArchiveStart] = field(default_factory=dict)
    archives: dict[str, Archive] = field(default_factory=dict)
    configs: dict[Digest, bytes] = field(default_factory=dict)

    @property
    def bytes_on_disk(self) -> int:
        """How much of the bundle is there."""
        return sum(start.position for start in self.starts.values()) + sum(
            archive.size for archive in self.archives.values()
        )

    @property
    def bytes_read(self) -> int:
        """How much of the sources need not be read any more."""
        return sum(blob.uncompressed_size or 0 if blob.encoder else blob.size for blob in self.blobs)


def recover(
    directory: Path, records: Records, archives: Iterable[str], part_bytes: int, block_bytes: int, task: Task
) -> Kept:
    """Keep what is right of an unfinished pack, and remove the rest of its parts.

    Args:
        directory: Where it lies; nobody else changes it.
        records: What its journal says.
        archives: The names of all archives that this pack makes.
        part_bytes: Size of its parts, 0 if they are not cut.
        block_bytes: Size of its blocks.
        task: Is told what is being looked at.

    Raises:
        DiskError: the disk refused.
    """
    kept = Kept(configs=dict(records.configs))
    for name in archives:
        task.describe(f"checking what is there of {name}")
        rows = sorted((row for row in records.blobs.values() if row.archive == name), key=lambda blob: blob.offset)
        recovery = _ArchiveRecovery(ArchiveLeftovers(directory, name, part_bytes), rows, block_bytes)
        complete = recovery.complete(records)
        if complete is not None:
            kept.archives[name] = complete
            kept.blobs += rows
            continue
        start, blobs = recovery.cut(records)
        if start.position:
            kept.starts[name] = start
        kept.blobs += blobs
    return kept


class _ArchiveRecovery:
    """One archive; its blobs in the order of their offsets."""

    def __init__(self, files: ArchiveLeftovers, blobs: list[Blob], block_bytes: int) -> None:
        self._files = files
        self._blobs = blobs
        self._block_bytes = block_bytes

    def complete(self, records: Records) -> Archive | None:
        """Return the archive if all of it is there."""
        name = self._files.archive
        size = records.archives.get(name)
        if size is None:
            return None
        sealed = self._sealed(records, may_be_only=True)
        if sum(part.size for part in sealed) != size:
            return None
        self._files.remove_beyond(len(sealed))
        return Archive(name=name, size=size, parts=tuple(sealed))

    def cut(self, records: Records) -> tuple[ArchiveStart, list[Blob]]:
        """Cut the archive behind its last right blob; return what is there then."""
        sealed = self._sealed(records, may_be_only=False)
        self._files.keep_sealed(sealed)
        right: list[Blob] = []
        end, proven = 0, sum(part.size for part in sealed)
        for blob in self._blobs:
            behind = blob.offset + blob.size + padding(blob.size)
            if behind > proven and not self._is_right(blob, end):
                break
            right.append(blob)
            end = behind
        whole = [part for number, part in enumerate(sealed, 1) if self._files.end_of(number) <= end]
        self._files.keep_sealed(whole)
        self._files.cut(end)
        return ArchiveStart(end, tuple(whole)), right

    def _is_right(self, blob: Blob, previous_end: int) -> bool:
        before = file_header(blob_path(blob.digest), blob.size)
        if previous_end == 0 and self._files.archive != SHARED:
            before = tables.layout_entry() + before
        start = blob.offset - len(before)
        return start == previous_end and self._files.holds(start, before, blob)

    def _sealed(self, records: Records, *, may_be_only: bool) -> list[Part]:
        """Return the first parts that have their final names and the right bytes, up to the first that has not."""
        result: list[Part] = []
        reader = BlockReader(PartLocations([self._files.directory]), self._block_bytes)
        buffer = memoryview(bytearray(self._block_bytes))
        try:
            while part := records.parts.get((self._files.archive, len(result) + 1)):
                is_named = part_number(part.file, self._files.archive) == len(result) + 1
                is_named &= may_be_only or part.file != archive_file(self._files.archive)
                if not is_named or not self._files.has_sealed(part):
                    break
                if any(reader.read(part, block, buffer) for block in range(len(part.blocks))):
                    break
                result.append(part)
        finally:
            reader.close()
        return result
