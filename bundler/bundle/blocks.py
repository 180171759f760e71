"""Random access to an archive through its parts; no byte is handed on before its block's sum was found right."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from bundler.bundle.block_reader import BlockFailure, BlockReader, PartLocations
from bundler.bundle.manifest import Archive, Part
from bundler.content.files import PARTIAL_SUFFIX
from bundler.errors import AirbundleError, DamagedBundle, IncompleteBundle, NotReadable

_DAMAGE = {
    "too-short": "{file} is too short in block {number}, at byte {start}",
    "damaged-block": "{file} is damaged in block {number}, at byte {start}",
    "unreadable": "{file} cannot be read in block {number}, at byte {start}: {found}",
    "not-regular": "{found}",
}


class ArchiveParts:
    """Where each byte of an archive lies. A value: safe to share between threads."""

    def __init__(self, locations: PartLocations, archive: Archive, block_bytes: int) -> None:
        self.locations = locations
        self.archive = archive
        self.block_bytes = block_bytes
        self._starts = [0, *accumulate(part.size for part in archive.parts)]

    def locate(self, offset: int) -> tuple[int, int]:
        """Return the index of the part that holds a byte of the archive, and the byte's place in it.

        The end of the archive, where a blob without bytes may lie, is the end of its last part.
        """
        index = min(bisect_right(self._starts, offset), len(self.archive.parts)) - 1
        return index, offset - self._starts[index]

    def pieces(self, start: int, end: int) -> Iterator[tuple[Part, int]]:
        """Yield the parts that hold the bytes ``start`` to ``end``, each with the end of these bytes in it."""
        while start < end:
            index, inside = self.locate(start)
            part = self.archive.parts[index]
            stop = min(part.size, inside + end - start)
            yield part, stop
            start += stop - inside

    def start_of(self, index: int) -> int:
        """Return the offset in the archive at which a part begins."""
        return self._starts[index]


class ArchiveStream:
    """A byte stream over a range of an archive. Holds one block, and the files of one part open."""

    def __init__(self, parts: ArchiveParts, offset: int, length: int) -> None:
        """Read ``length`` bytes from ``offset`` on; nothing is opened before the first read."""
        self._parts = parts
        self._position = offset
        self._end = offset + length
        self._reader = BlockReader(parts.locations, parts.block_bytes)
        # Made once: fresh memory for each block would cost as much as its sum.
        self._buffer = memoryview(bytearray(0))
        self._block = self._buffer
        self._block_at: tuple[int, int] | None = None

    def readinto(self, buffer: memoryview) -> int:
        """Read on, across blocks and parts; each block from the first directory where it is right.

        Raises:
            IncompleteBundle: a part is not there, or unfinished and without this block.
            DamagedBundle: a block is damaged or cannot be read, or a part too short or no regular file.
            NotReadable: this user may not read a part.
        """
        if self._position >= self._end or not len(buffer):
            return 0
        index, inside = self._parts.locate(self._position)
        number, within = divmod(inside, self._parts.block_bytes)
        if self._block_at != (index, number):
            self._load(index, number)
        count = min(len(buffer), len(self._block) - within, self._end - self._position)
        buffer[:count] = self._block[within : within + count]
        self._position += count
        return count

    def close(self) -> None:
        """Close the part that is open."""
        self._reader.close()

    def _load(self, index: int, number: int) -> None:
        part = self._parts.archive.parts[index]
        length = self._reader.length(part, number)
        if len(self._buffer) < length:
            self._buffer = memoryview(bytearray(length))
        block = self._buffer[:length]
        self._block_at = None
        failure = self._reader.read(part, number, block)
        if failure is not None:
            # A file that was not there a moment ago may be there when somebody asks again.
            self._reader.close()
            raise _error(failure, part, number, number * self._parts.block_bytes)
        self._block, self._block_at = block, (index, number)


def _error(failure: BlockFailure, part: Part, number: int, start: int) -> AirbundleError:
    if failure.code == "missing":
        return IncompleteBundle(f"the part {part.file} is not there", parts=(part.file,))
    if failure.code == "denied":
        return NotReadable(failure.found)
    if failure.path.suffix == PARTIAL_SUFFIX:
        return IncompleteBundle(
            f"the part {part.file} is unfinished: block {number}, at byte {start}, has not arrived",
            parts=(part.file,),
        )
    said = _DAMAGE[failure.code].format(file=part.file, number=number, start=start, found=failure.found)
    return DamagedBundle(said)
