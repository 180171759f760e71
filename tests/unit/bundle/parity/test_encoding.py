"""Parity of any layout, made in strips and columns of any size, of any stripes, is that of the code."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.bundle.manifest import Part
from bundler.bundle.parity import strips
from bundler.bundle.parity.encoding import ParityEncoder
from bundler.bundle.parity.files import ParityFiles, cut_sizes
from bundler.bundle.parity.geometry import Geometry
from bundler.bundle.parity.joined import JoinedParts
from bundler.bundle.parity.proven_bytes import PartBytes
from bundler.coding.codec import Codec
from bundler.coding.engines import Engine
from bundler.coding.integers import Integers
from bundler.coding.vectors import Vectors
from bundler.content.hashing import PartSums, block_sum
from bundler.errors import DamagedBundle, IncompleteBundle
from bundler.progress import SILENT

BLOCK = 64
ENGINES: tuple[Engine, ...] = (Integers(), Vectors())


class CountingBytes(PartBytes):
    """Counts how often each byte of a part is read."""

    def __init__(self, directory: Path, parts: Sequence[Part]) -> None:
        super().__init__(directory, JoinedParts(parts), BLOCK)
        self.counts: Counter[tuple[str, int]] = Counter()
        self.order: list[tuple[str, int]] = []

    def read(self, part: Part, offset: int, buffer: memoryview) -> None:
        super().read(part, offset, buffer)
        self.counts.update((part.file, place) for place in range(offset, offset + len(buffer)))
        self.order.append((part.file, offset))


@dataclass
class Case:
    """Parts, a layout, and the bytes that may be held while its parity is made."""

    sizes: list[int]
    k: int
    m: int
    part_bytes: int
    held: int
    parts: list[Part] = field(default_factory=list)

    def write(self, directory: Path) -> Geometry:
        for number, size in enumerate(self.sizes, 1):
            sums, data = PartSums(BLOCK), random.Random(number).randbytes(size)
            sums.update(memoryview(data))
            (directory / f"{number:03d}").write_bytes(data)
            self.parts.append(
                Part(
                    file=f"{number:03d}",
                    size=size,
                    sha256=sums.sha256,
                    xxh3_128=sums.xxh3_128,
                    blocks=sums.blocks,
                )
            )
        return Geometry(sum(self.sizes), BLOCK, self.k, self.m)

    def encode(
        self, directory: Path, geometry: Geometry, source: PartBytes, stripes: Sequence[int], engine: Engine
    ) -> dict[int, Sequence[str]]:
        """Make parity; return what was recorded, also if it fails."""
        told: dict[int, Sequence[str]] = {}
        files = ParityFiles(directory, cut_sizes(geometry, self.part_bytes))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(strips, "HELD_BYTES", self.held)
            patch.setattr(strips, "_READ_BYTES", 3 * BLOCK)
            codec = Codec(self.k, self.m, engine=engine)
            encoder = ParityEncoder(codec, geometry, files, told.__setitem__, SILENT.task(""))
            try:
                encoder.run(source, stripes)
            finally:
                source.close()
                self.told = told
        return told


def slow_parity(data: bytes, geometry: Geometry) -> list[bytes]:
    """Return the parity blocks, row after row."""
    block, stripes = geometry.block_bytes, geometry.stripes
    data += bytes(geometry.k * stripes * block - len(data))
    rows: list[list[bytes]] = [[] for _ in range(geometry.m)]
    for stripe in range(stripes):
        parity = [bytearray(block) for _ in rows]
        sources = [data[(number * stripes + stripe) * block :][:block] for number in range(geometry.k)]
        Codec(geometry.k, geometry.m).encode(sources, parity)
        for row, made in zip(rows, parity, strict=True):
            row.append(bytes(made))
    return [made for row in rows for made in row]


cases = st.builds(
    Case,
    sizes=st.lists(st.integers(1, 1500), min_size=1, max_size=6),
    k=st.integers(1, 9),
    m=st.integers(1, 5),
    part_bytes=st.sampled_from([0, 40, 64, 200, 1000]),
    held=st.integers(200, 6000),
)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: str(engine.name))
def test_any_stripes_of_any_layout(engine: Engine) -> None:
    @settings(max_examples=150, deadline=None)
    @given(cases, st.data())
    def holds(case: Case, data: st.DataObject) -> None:
        case.parts.clear()
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            geometry = case.write(directory)
            stripes = sorted(data.draw(st.sets(st.integers(0, geometry.stripes - 1), min_size=1)))
            told = case.encode(
                directory, geometry, PartBytes(directory, JoinedParts(case.parts), BLOCK), stripes, engine
            )
            raw = b"".join((directory / part.file).read_bytes() for part in case.parts)
            right = slow_parity(raw, geometry)
            assert sorted(told) == stripes
            files = sorted(directory.glob("parity.*"))
            found = b"".join(
                path.read_bytes().ljust(size, b"\0")
                for path, size in zip(files, cut_sizes(geometry, case.part_bytes), strict=False)
            )
            for stripe in stripes:
                for row in range(case.m):
                    block = right[row * geometry.stripes + stripe]
                    assert told[stripe][row] == block_sum(block)
                    if len(stripes) == geometry.stripes:
                        at = geometry.parity_offset(stripe, row)
                        assert found[at : at + BLOCK] == block

    holds()


@settings(max_examples=100, deadline=None)
@given(cases, st.data())
def test_any_wrong_byte_is_found_before_anything_is_relied_on(case: Case, data: st.DataObject) -> None:
    case.parts.clear()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        geometry = case.write(directory)
        place = data.draw(st.integers(0, geometry.size - 1))
        joined = JoinedParts(case.parts)
        piece = next(joined.pieces(place, place + 1))
        path = directory / piece.part.file
        raw = bytearray(path.read_bytes())
        raw[piece.offset] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(raw)
        with pytest.raises(DamagedBundle, match=f"{piece.part.file} is damaged in block {piece.offset // BLOCK},"):
            case.encode(
                directory, geometry, PartBytes(directory, joined, BLOCK), range(geometry.stripes), ENGINES[0]
            )
        # Of a stripe that the wrong byte is in nobody was told that it is right.
        assert geometry.place(place // BLOCK)[0] not in case.told


@settings(max_examples=100, deadline=None)
@given(cases)
def test_parts_are_read_as_they_lie_if_memory_holds_all_parity(case: Case) -> None:
    case.parts.clear()
    case.held = 1 << 20
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        geometry = case.write(directory)
        source = CountingBytes(directory, case.parts)
        case.encode(directory, geometry, source, range(geometry.stripes), ENGINES[0])
        assert set(source.counts.values()) == {1}
        assert len(source.counts) == geometry.size
        assert source.order == sorted(source.order)


def test_otherwise_only_blocks_at_the_ends_of_slices_are_read_twice(tmp_path: Path) -> None:
    case = Case([5000, 3001, 4100], k=4, m=2, part_bytes=0, held=1000)
    geometry = case.write(tmp_path)
    source = CountingBytes(tmp_path, case.parts)
    case.encode(tmp_path, geometry, source, range(geometry.stripes), ENGINES[0])
    again = sum(source.counts.values()) - geometry.size
    assert len(source.counts) == geometry.size
    assert again <= case.k * BLOCK


@pytest.mark.parametrize("how", ["missing", "short", "link"])
def test_a_part_that_cannot_be_read(tmp_path: Path, how: str) -> None:
    case = Case([300, 500], k=3, m=1, part_bytes=0, held=1000)
    geometry = case.write(tmp_path)
    path = tmp_path / "002"
    if how == "short":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.rename(tmp_path / "other")
    if how == "link":
        path.symlink_to("other")
    source = PartBytes(tmp_path, JoinedParts(case.parts), BLOCK)
    with pytest.raises(IncompleteBundle if how == "missing" else DamagedBundle):
        case.encode(tmp_path, geometry, source, range(geometry.stripes), ENGINES[0])


@pytest.mark.parametrize(
    ("block", "k", "m", "stripes", "columns"),
    [
        (4 << 20, 40, 4, 2, 1),
        (1 << 20, 40, 4, 6, 1),
        (64 << 10, 160, 16, 30, 1),
        (4 << 20, 100, 20, 1, 3),
        (64 << 20, 10, 1, 1, 5),
        (64 << 20, 127, 128, 1, 194),
    ],
)
def test_what_is_held(block: int, k: int, m: int, stripes: int, columns: int) -> None:
    for copies in (1, 2):
        shape = strips.shape_of(Geometry(100 << 30, block, k, m), copies)
        held = m * copies * shape.stripes + strips.BUFFERS * shape.at_once
        assert held * shape.unit_bytes <= strips.HELD_BYTES
        cut = list(shape.strips(block, 0, 3))
        assert sum(run.length for strip in cut for run in strip.runs if strip.first == 0) == block
        if copies == 1:
            assert (shape.stripes, shape.columns) == (stripes, columns)
