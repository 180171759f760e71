"""With parity as few blocks as possible are asked for: compared with every smaller choice."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bundler.bundle.manifest import Part
from bundler.bundle.parity.geometry import Geometry
from bundler.bundle.parity.joined import JoinedParts
from bundler.bundle.parity.table import ParityTable
from bundler.bundle.requests.block_ranges import BlockAt, BlockRanges
from bundler.bundle.requests.fewest import fewest

BLOCK = 8
#: All subsets of more take too long.
_MOST_MISSING = 10


@dataclass
class Case:
    """A bundle of tiny blocks, of which some are missing; its parity, and how much of that each stripe has."""

    parts: list[Part]
    geometry: Geometry
    missing: list[BlockAt]
    spare: Mapping[int, int]

    @property
    def table(self) -> ParityTable:
        # No table of this size can be written: blocks have 64 KiB at least.
        value: Any = SimpleNamespace(
            manifest=SimpleNamespace(parts=self.parts),
            geometry=self.geometry,
            data=JoinedParts(self.parts),
            files=(),
            parity=None,
        )
        return cast(ParityTable, value)

    def is_enough(self, come: Collection[BlockAt]) -> bool:
        """Tell whether parity makes the rest when these have come; worked out byte by byte."""
        joined = bytearray()
        for index, part in enumerate(self.parts):
            for place in range(part.size):
                block = (index, place // BLOCK)
                joined.append(block in self.missing and block not in come)
        lost = Counter(
            self.geometry.place(number)[0]
            for number in range(self.geometry.blocks)
            if any(joined[number * BLOCK : (number + 1) * BLOCK])
        )
        return all(count <= self.spare[stripe] for stripe, count in lost.items())

    def ask(self) -> list[BlockAt]:
        return list(fewest(self.table, BlockRanges.of(self.missing), self.spare.__getitem__))


def case(seed: int, *, aligned: bool) -> Case:
    chance = random.Random(f"{seed} {aligned}")
    sizes = [
        chance.randint(1, 5) * BLOCK if aligned else chance.randint(1, 40) for _ in range(chance.randint(1, 5))
    ]
    parts = [
        Part(file=f"p{index}", size=size, sha256="", xxh3_128="", blocks=("",) * -(-size // BLOCK))
        for index, size in enumerate(sizes)
    ]
    blocks = -(-sum(sizes) // BLOCK)
    geometry = Geometry(sum(sizes), BLOCK, chance.randint(1, blocks), chance.randint(1, 4))
    every = [(index, number) for index, part in enumerate(parts) for number in range(len(part.blocks))]
    share = chance.choice([0.3, 0.7, 1])
    missing = [block for block in every if chance.random() < share][:_MOST_MISSING]
    spare = {stripe: chance.randint(0, geometry.m) for stripe in range(geometry.stripes)}
    return Case(parts, geometry, missing, spare)


def fewest_of_all(given: Case) -> int:
    return next(
        count
        for count in range(len(given.missing) + 1)
        if any(given.is_enough(choice) for choice in itertools.combinations(given.missing, count))
    )


@pytest.mark.parametrize("seed", range(150))
def test_no_choice_is_smaller(seed: int) -> None:
    given = case(seed, aligned=True)
    asked = given.ask()
    assert given.is_enough(asked)
    assert len(asked) == fewest_of_all(given)


def test_hardly_any_is_where_blocks_do_not_begin_together() -> None:
    larger = 0
    for seed in range(200):
        given = case(seed, aligned=False)
        asked = given.ask()
        assert given.is_enough(asked)
        # What is asked for is needed, all of it.
        assert not any(given.is_enough(set(asked) - {block}) for block in asked)
        larger += len(asked) - fewest_of_all(given)
    assert larger <= 12


def test_a_lost_part_is_asked_for_in_few_runs() -> None:
    """Between neighbours that both come no block of a stripe stays bad."""
    part = [Part(file="p", size=41 * BLOCK - 3, sha256="", xxh3_128="", blocks=("",) * 41)]
    before = [Part(file="b", size=3, sha256="", xxh3_128="", blocks=("",))]
    geometry = Geometry(41 * BLOCK, BLOCK, 5, 2)
    given = Case(before + part, geometry, [(1, n) for n in range(41)], dict.fromkeys(range(9), 2))
    asked = given.ask()
    assert given.is_enough(asked)
    # Five slices of nine blocks, two of them mended: three slices must come, and what reaches into them.
    assert 3 * 9 - 4 - 1 <= len(asked) <= 3 * 9 + 1


def test_without_right_parity_all_is_asked_for() -> None:
    given = case(3, aligned=False)
    given.spare = dict.fromkeys(given.spare, 0)
    assert given.ask() == given.missing
