"""Blocks made again from stripes: in columns, with both engines, and from sources that fail meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler.bundle.manifest import Part
from bundler.bundle.parity.table import ParityTable
from bundler.bundle.repair import stripe_maker
from bundler.bundle.repair.stripe_maker import StripeMaker
from bundler.bundle.repair.stripe_map import StripeMap
from bundler.bundle.repair.whereabouts import Whereabouts
from bundler.coding.engines import Engine
from bundler.coding.integers import Integers
from bundler.coding.vectors import Vectors
from bundler.errors import DamagedBundle
from tests.builders import flip, no_thread_is_left
from tests.copies import BLOCK, make_bundle
from tests.parities import write_parity


@pytest.fixture
def table(tmp_path: Path) -> ParityTable:
    """Parts that end within blocks; three stripes of four data and two parity blocks; two parity files."""
    manifest = make_bundle(tmp_path, size=9 * BLOCK + 1000, part_bytes=3 * BLOCK + 40)
    return write_parity(tmp_path, manifest, 4, 2, file_bytes=4 * BLOCK)


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Whereabouts]:
    found = Whereabouts([tmp_path], BLOCK)
    yield found
    found.close()


def made(maker: StripeMaker, part: Part, numbers: list[int]) -> tuple[bytes, int]:
    """Return the bytes that were made, each in its place, and how many that was."""
    content, told = bytearray(part.size), [0]

    def sink(offset: int, data: memoryview) -> None:
        assert len(data) == data.nbytes
        assert not any(content[offset : offset + len(data)])
        content[offset : offset + len(data)] = data

    def advance(count: int) -> None:
        told[0] += count

    with no_thread_is_left():
        try:
            maker.make(part, numbers, sink, advance)
        finally:
            maker.close()
    return bytes(content), told[0]


def wanted(right: bytes, numbers: list[int]) -> bytes:
    """Return a file of which only some blocks are not zero."""
    content = bytearray(len(right))
    for number in numbers:
        content[number * BLOCK : (number + 1) * BLOCK] = right[number * BLOCK : (number + 1) * BLOCK]
    return bytes(content)


@pytest.mark.parametrize("engine", [Integers(), Vectors()], ids=lambda engine: engine.name)
@pytest.mark.parametrize("target_bytes", [8 << 20, 2 * BLOCK, BLOCK, 24 << 10, 3000])
@pytest.mark.parametrize("numbers", [[0], [3], [0, 3], [1, 2]])
def test_every_part(
    tmp_path: Path,
    table: ParityTable,
    where: Whereabouts,
    engine: Engine,
    target_bytes: int,
    numbers: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whole blocks, and columns of any width."""
    monkeypatch.setattr(stripe_maker, "_TARGET_BYTES", target_bytes)
    for part in (*table.manifest.parts, *table.files):
        chosen = [number for number in numbers if number < len(part.blocks)]
        right = (tmp_path / part.file).read_bytes()
        content, told = made(StripeMaker(StripeMap(table), where, engine), part, chosen)
        assert content == wanted(right, chosen)
        assert told == sum(where.length(part, number) for number in chosen)


def test_only_damaged_stripes_are_read(tmp_path: Path, table: ParityTable) -> None:
    read: set[tuple[str, int]] = set()

    class Watching(Whereabouts):
        def has(self, part: Part, number: int) -> bool:
            read.add((part.file, number))
            return super().has(part, number)

    where = Watching([tmp_path], BLOCK)
    part = table.manifest.parts[0]
    made(StripeMaker(StripeMap(table), where), part, [0])
    where.close()
    # Block 0 lies in stripe 0 alone; with three data slices one parity block does.
    stripes = StripeMap(table)
    for file, number in read:
        assert 0 in {block.stripe for block in stripes.touched(stripes.files[file], number)}
    assert sum(file.startswith("parity") for file, _ in read) == 1


def test_a_source_that_fails_meanwhile(tmp_path: Path, table: ParityTable, where: Whereabouts) -> None:
    """It was right when it was looked at; when it cannot be read any more another block takes its place."""
    first, last = table.manifest.parts[0], table.manifest.parts[-1]
    right = (tmp_path / first.file).read_bytes()
    assert where.absent(last) == []
    (tmp_path / last.file).write_bytes(b"")
    content, _ = made(StripeMaker(StripeMap(table), where), first, [0])
    assert content == wanted(right, [0])


def test_too_few_are_left(tmp_path: Path, table: ParityTable, where: Whereabouts) -> None:
    for row in range(2):
        flip(tmp_path / table.files[0].file, table.geometry.parity_offset(0, row))
    first = table.manifest.parts[0]
    with pytest.raises(DamagedBundle, match="stripe 0 of the parity has 3 right blocks, 4 are needed"):
        made(StripeMaker(StripeMap(table), where), first, [0])
