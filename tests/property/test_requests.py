"""Whatever is damaged: asked for and answered is what is missing, or what parity needs of it to make the rest."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.parity.making import make_parity
from bundler.bundle.parity.wish import ParityWish
from bundler.bundle.reader import open_bundle
from bundler.bundle.requests.answering import answer_from
from bundler.bundle.requests.answers.destination import AnswerDestination
from bundler.bundle.requests.answers.reader import AnswerReader
from bundler.bundle.requests.asking import find_lack, make_request
from bundler.bundle.requests.block_ranges import BlockAt
from bundler.bundle.requests.request_file import parse_request, write_request
from tests.bad_blocks import all_blocks, block_bytes_of, spoil
from tests.copies import BLOCK, make_bundle

#: Sizes of parts: whole blocks, whole blocks and a rest, one and a half, and everything in one.
_PART_BYTES = (2 * BLOCK, 3 * BLOCK + 777, BLOCK + BLOCK // 2, 0)
_SIZE = 12 * BLOCK + 5000


class Sample:
    """A bundle, whole, with parity beside it that some examples leave out."""

    def __init__(self, directory: Path, part_bytes: int) -> None:
        self.place = directory / "bundle"
        self.manifest: BundleManifest = make_bundle(self.place, size=_SIZE, part_bytes=part_bytes or _SIZE)
        make_parity(open_bundle(self.place), ParityWish(redundancy=Fraction(1, 4)))
        self.blocks = {
            block: block_bytes_of(self.place, self.manifest, block) for block in all_blocks(self.manifest)
        }

    def damaged(self, place: Path, bad: set[BlockAt], lost: set[int], *, parity: bool) -> set[BlockAt]:
        """Copy it and damage the copy; return the blocks that are missing then."""
        shutil.copytree(self.place, place)
        if not parity:
            for path in place.glob("parity.*"):
                path.unlink()
        spoil(place, self.manifest, bad)
        for part in lost:
            (place / self.manifest.parts[part].file).unlink()
        return bad | {block for block in self.blocks if block[0] in lost}


@pytest.fixture(scope="module", params=_PART_BYTES, ids=lambda size: f"parts of {size}")
def sample(request: pytest.FixtureRequest) -> Iterator[Sample]:
    with tempfile.TemporaryDirectory() as directory:
        yield Sample(Path(directory), request.param)


def test_requests_are_answered(sample: Sample) -> None:
    parts = range(len(sample.manifest.parts))

    @settings(max_examples=25)
    @given(
        bad=st.sets(st.sampled_from(sorted(sample.blocks))),
        lost=st.sets(st.sampled_from(parts), max_size=2),
        parity=st.booleans(),
        everything=st.booleans(),
    )
    def holds(bad: set[BlockAt], lost: set[int], parity: bool, everything: bool) -> None:
        with tempfile.TemporaryDirectory() as directory:
            place, output = Path(directory) / "far", Path(directory) / "answer"
            missing = sample.damaged(place, bad, lost, parity=parity)
            bundle = open_bundle(place)
            lack = find_lack(bundle)
            assert set(lack.missing) == missing
            assert lack.needed == lack.missing or parity
            assert set(lack.needed) <= missing
            request = make_request(bundle, lack, everything=everything)
            if request is None:
                return
            carried = parse_request(write_request(request))
            assert carried == request
            report = answer_from(open_bundle(sample.place), AnswerDestination(output, carried))
            assert report.written == report.blocks == request.blocks.count
            check_answer(sample, output, set(missing if everything else lack.needed))

    holds()


def check_answer(sample: Sample, output: Path, wanted: set[BlockAt]) -> None:
    """The answer gives these blocks, each right, and no other."""
    reader = AnswerReader(output, sample.manifest)
    buffer = memoryview(bytearray(BLOCK))
    given = {}
    for block in sample.blocks:
        part = sample.manifest.parts[block[0]]
        if reader.read(part, block[1], buffer) is None:
            given[block] = bytes(buffer[: reader.length(part, block[1])])
    reader.close()
    assert given == {block: sample.blocks[block] for block in wanted}
