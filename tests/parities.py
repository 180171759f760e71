"""Parity of any layout, made with the codec alone; and how much damage a layout takes, counted byte by byte."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from bundler.bundle.manifest import BundleManifest, Part
from bundler.bundle.names import PARITY_JSON, parity_files
from bundler.bundle.parity.geometry import Geometry
from bundler.bundle.parity.table import ParityTable, write_parity_table
from bundler.coding.codec import Codec
from bundler.content.hashing import PartSums

#: A block of a part or of a parity file: the file's name and the block's number in it.
Block = tuple[str, int]


def write_parity(directory: Path, manifest: BundleManifest, k: int, m: int, *, file_bytes: int = 0) -> ParityTable:
    """Write parity files of at most ``file_bytes`` (0: one file), and parity.json."""
    size = sum(part.size for part in manifest.parts)
    geometry = Geometry(size, manifest.block_bytes, k, m)
    data = b"".join((directory / part.file).read_bytes() for part in manifest.parts)
    slice_bytes = geometry.stripes * geometry.block_bytes
    data = data.ljust(k * slice_bytes, b"\0")
    rows = [bytearray() for _ in range(m)]
    codec = Codec(k, m)
    for stripe in range(geometry.stripes):
        starts = [number * slice_bytes + stripe * geometry.block_bytes for number in range(k)]
        made = [bytearray(geometry.block_bytes) for _ in range(m)]
        codec.encode([data[start : start + geometry.block_bytes] for start in starts], made)
        for row, block in zip(rows, made, strict=True):
            row += block
    joined = b"".join(rows)
    cut = file_bytes or len(joined)
    pieces = [joined[start : start + cut] for start in range(0, len(joined), cut)]
    files = [
        _write(directory / name, piece, manifest.block_bytes)
        for name, piece in zip(parity_files(len(pieces)), pieces, strict=True)
    ]
    table = write_parity_table(manifest, geometry, files)
    (directory / PARITY_JSON).write_bytes(table.raw)
    return table


def _write(path: Path, data: bytes, block_bytes: int) -> Part:
    path.write_bytes(data)
    sums = PartSums(block_bytes)
    sums.update(memoryview(data))
    return Part(file=path.name, size=len(data), sha256=sums.sha256, xxh3_128=sums.xxh3_128, blocks=sums.blocks)


class Ledger:
    """Counts how many blocks each stripe lost, the slow way: from the places of bytes."""

    def __init__(self, table: ParityTable) -> None:
        self._geometry = table.geometry
        self.blocks: list[Block] = []
        self._cells: dict[Block, set[tuple[int, int]]] = {}
        self._lost: dict[int, set[tuple[int, int]]] = defaultdict(set)
        for files, first in ((table.manifest.parts, 0), (table.files, table.geometry.k)):
            start = 0
            for file in files:
                for number in range(len(file.blocks)):
                    begin = start + number * self._geometry.block_bytes
                    end = min(begin + self._geometry.block_bytes, start + file.size)
                    self.blocks.append((file.file, number))
                    self._cells[file.file, number] = set(self._places(begin, end, first))
                start += file.size

    def lose(self, block: Block) -> None:
        """Count a block as lost."""
        for stripe, index in self._cells[block]:
            self._lost[stripe].add((stripe, index))

    def takes(self, *blocks: Block) -> bool:
        """Tell whether all could still be made again if these were lost too."""
        cells = set().union(*(self._cells[block] for block in blocks))
        counts: dict[int, set[tuple[int, int]]] = defaultdict(set)
        for stripe, index in cells:
            counts[stripe].add((stripe, index))
        return all(len(self._lost[stripe] | more) <= self._geometry.m for stripe, more in counts.items())

    def is_lost(self, block: Block) -> bool:
        """Tell whether a block that was lost lies in a stripe that lost too many."""
        return any(len(self._lost[stripe]) > self._geometry.m for stripe, _ in self._cells[block])

    def _places(self, begin: int, end: int, first: int) -> Iterator[tuple[int, int]]:
        slice_bytes = self._geometry.stripes * self._geometry.block_bytes
        for cell in {place // self._geometry.block_bytes for place in (*range(begin, end, 64), end - 1)}:
            place = cell * self._geometry.block_bytes
            yield place % slice_bytes // self._geometry.block_bytes, first + place // slice_bytes
