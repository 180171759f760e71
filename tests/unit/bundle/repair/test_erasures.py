"""What parity takes, and what is one block too much; compared with a count from the places of bytes."""

from __future__ import annotations

from collections import Counter

import pytest

from bundler.bundle.findings import Finding
from bundler.bundle.manifest import Part
from bundler.bundle.parity.table import ParityTable
from bundler.bundle.repair.erasures import Erasures
from bundler.bundle.repair.stripe_map import StripeBlock, StripeMap
from bundler.bundle.repair.verdicts import judged
from tests.copies import BLOCK, make_bundle
from tests.parities import Ledger, write_parity


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> ParityTable:
    directory = tmp_path_factory.mktemp("bundle")
    manifest = make_bundle(directory, size=17 * BLOCK + 1000, part_bytes=5 * BLOCK + 40)
    return write_parity(directory, manifest, 5, 3, file_bytes=5 * BLOCK)


def test_where_blocks_lie(table: ParityTable) -> None:
    """Forth and back: the pieces of what a block touches cover it, once."""
    stripes = StripeMap(table)
    for file in stripes.files.values():
        for number in range(len(file.blocks)):
            covered = 0
            for block in stripes.touched(file, number):
                for piece in stripes.pieces(block):
                    if piece.part.file == file.file:
                        start, end = piece.offset, piece.offset + piece.length
                        covered += max(0, min(end, (number + 1) * BLOCK, file.size) - max(start, number * BLOCK))
            assert covered == min(BLOCK, file.size - number * BLOCK)


def test_padding_has_no_pieces(table: ParityTable) -> None:
    geometry, stripes = table.geometry, StripeMap(table)
    places = [StripeBlock(stripe, index) for stripe in range(geometry.stripes) for index in range(geometry.k)]
    empty = [block for block in places if not list(stripes.pieces(block))]
    assert len(empty) == geometry.k * geometry.stripes - geometry.blocks > 0


def test_one_after_the_other(table: ParityTable) -> None:
    """Lose all blocks in turn; at each moment all lost ones are judged as the ledger judges them."""
    stripes, ledger = StripeMap(table), Ledger(table)
    absent: dict[str, list[int]] = {}
    for file, number in ledger.blocks[::2] + ledger.blocks[1::2]:
        absent.setdefault(file, []).append(number)
        ledger.lose((file, number))
        erasures = Erasures(stripes, absent)
        for name, numbers in absent.items():
            for lost in numbers:
                assert erasures.can_make(stripes.files[name], lost) is not ledger.is_lost((name, lost))
    assert all(map(ledger.is_lost, ledger.blocks))


def test_two_neighbours_that_share_a_block_of_a_stripe_cost_it_once(table: ParityTable) -> None:
    stripes = StripeMap(table)
    sharing = 0
    for part in table.data.parts:
        for number in range(len(part.blocks) - 1):
            cells = [cell for one in (number, number + 1) for cell in stripes.touched(part, one)]
            most = max(Counter(cell.stripe for cell in set(cells)).values())
            erasures = Erasures(stripes, {part.file: [number, number + 1]})
            assert erasures.can_make(part, number) is (most <= table.geometry.m)
            sharing += len(set(cells)) < len(cells)
    assert sharing


def test_verdicts() -> None:
    part = Part(file="shop.oci.tar", size=3 * BLOCK, sha256="", xxh3_128="", blocks=("", "", ""))
    findings = [
        Finding(4, "damaged-block", part.file, 0, BLOCK),
        Finding(4, "damaged-block", part.file, BLOCK, BLOCK),
        Finding(4, "too-short", part.file, BLOCK + 5, 2 * BLOCK - 5),
        Finding(4, "too-long", part.file, 3 * BLOCK, 10),
        Finding(3, "missing", part.file),
        Finding(3, "missing", "bundle.json.bak"),
        Finding(6, "broken-image", part.file, 0, BLOCK),
        Finding(3, "stranger", "web.oci.tar"),
    ]
    said = judged(findings, {part.file: part}, {part.file: [0, 1]}, lambda _, number: number == 0, BLOCK)
    assert [one.mendable for one in said] == [True, False, False, False, False, False, False, False]
    said = judged(findings, {part.file: part}, {part.file: [0, 1]}, lambda _, number: True, BLOCK)
    assert [one.mendable for one in said] == [True, True, True, True, True, False, False, False]
    # What is absent nowhere can be had.
    said = judged(findings, {part.file: part}, {part.file: []}, lambda _, number: False, BLOCK)
    assert [one.mendable for one in said] == [True, True, True, True, True, False, False, False]
