"""Any damage up to the redundancy is mended to the byte; one block more in a stripe, and nothing is changed."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bundler import open_bundle, repair, verify
from bundler.bundle.findings import Finding
from bundler.errors import ExitStatus
from tests.builders import contents_of
from tests.copies import BLOCK, make_bundle
from tests.parities import Block, Ledger, write_parity


@dataclass(frozen=True)
class Layout:
    """A bundle and its parity; sizes in bytes."""

    size: int
    part_bytes: int
    k: int
    m: int
    parity_file_bytes: int


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Draw layouts whose parts end anywhere in a block, and whose parity files may hold pieces of blocks."""
    size = draw(st.integers(1, 24)) * BLOCK + draw(st.sampled_from([-1, 0, 1, 777]))
    part_bytes = draw(st.sampled_from([BLOCK, 3 * BLOCK, 4 * BLOCK + 100, 7 * BLOCK - 1, 100 * BLOCK]))
    blocks = -(-size // BLOCK)
    k = draw(st.integers(1, min(blocks, 12)))
    m = draw(st.integers(1, 5))
    return Layout(size, part_bytes, k, m, draw(st.sampled_from([0, BLOCK, 2 * BLOCK, 3 * BLOCK])))


def harm(directory: Path, block: Block, chance: st.DataObject) -> None:
    """Flip one byte of a block."""
    file, number = block
    path = directory / file
    data = bytearray(path.read_bytes())
    last = min((number + 1) * BLOCK, len(data)) - 1
    place = chance.draw(st.sampled_from([number * BLOCK, last, (number * BLOCK + last) // 2]), "place")
    data[place] ^= chance.draw(st.integers(1, 255), "bits")
    path.write_bytes(data)


@settings(max_examples=60)
@given(layouts(), st.data())
def test_any_damage_up_to_the_redundancy_and_one_block_more(layout: Layout, chance: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "bundle"
        manifest = make_bundle(place, size=layout.size, part_bytes=layout.part_bytes)
        table = write_parity(place, manifest, layout.k, layout.m, file_bytes=layout.parity_file_bytes)
        right = contents_of(place)
        ledger = Ledger(table)
        order = chance.draw(st.permutations(ledger.blocks), "order")
        wanted = chance.draw(st.integers(1, len(order)), "at most")
        more: Block | None = None
        harmed: list[Block] = []
        for block in order:
            if ledger.takes(block) and len(harmed) < wanted:
                ledger.lose(block)
                harm(place, block, chance)
                harmed.append(block)
            elif not ledger.takes(block):
                more = block
        before = contents_of(place)
        assert verify(open_bundle(place), "quick").exit_status == ExitStatus.MENDABLE
        report = repair(place)
        assert report.ok, report.left
        assert {one.file for one in report.mended} == {file for file, _ in harmed}
        assert contents_of(place) == right
        if more is None:
            return
        for file, data in before.items():
            (place / file).write_bytes(data)
        harm(place, more, chance)
        before = contents_of(place)
        verdict = verify(open_bundle(place), "quick")
        assert verdict.exit_status == ExitStatus.DAMAGED
        report = repair(place)
        assert report.exit_status == ExitStatus.DAMAGED
        assert report.blocks_needed >= 1
        assert not report.changed
        assert contents_of(place) == before
        ledger.lose(more)
        said = {(found.file, number) for found in report.left if not found.mendable for number in blocks_in(found)}
        assert said == {block for block in (*harmed, more) if ledger.is_lost(block)}


def blocks_in(finding: Finding) -> range:
    """Return the numbers of the blocks of a range that is lost."""
    assert finding.offset is not None
    assert finding.length is not None
    return range(finding.offset // BLOCK, -(-(finding.offset + finding.length) // BLOCK))


@settings(max_examples=40)
@given(layouts(), st.data())
def test_lost_files(layout: Layout, chance: st.DataObject) -> None:
    """Whole files gone or cut, as many as the parity takes; tables too."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "bundle"
        manifest = make_bundle(place, size=layout.size, part_bytes=layout.part_bytes)
        table = write_parity(place, manifest, layout.k, layout.m, file_bytes=layout.parity_file_bytes)
        right = contents_of(place)
        ledger = Ledger(table)
        files = chance.draw(st.permutations([*manifest.parts, *table.files]), "files")
        for file in files:
            blocks = [(file.file, number) for number in range(len(file.blocks))]
            if not ledger.takes(*blocks):
                continue
            for block in blocks:
                ledger.lose(block)
            if chance.draw(st.booleans(), "removed"):
                (place / file.file).unlink()
            else:
                (place / file.file).write_bytes(right[file.file][: chance.draw(st.integers(0, file.size - 1))])
        for file_name in chance.draw(st.sets(st.sampled_from(["bundle.json", "bundle.json.bak", "SHA256SUMS"]))):
            (place / file_name).unlink()
        report = repair(place)
        assert report.ok, report.left
        assert contents_of(place) == right
        assert repair(place).changed is False
