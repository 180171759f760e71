"""The coefficients of the code, and those by which missing blocks follow from the ones that are present."""

from __future__ import annotations

from collections.abc import Sequence

from bundler.coding.field import added, divide, multiply, scaled

#: The element that stands for parity block 0. Parity block i has 255 - i, data block j has j.
_FIRST_PARITY = 255


def coefficient(parity: int, data: int) -> int:
    """Return by what a data block is multiplied in a parity block, both counted from 0 (docs/format.md, §A).

    A Cauchy matrix, scaled so that its first row and column are all ones: parity block 0 is the plain XOR of the
    data blocks. An element depends on its place only, not on how many rows and columns there are.
    """
    x = _FIRST_PARITY - parity
    return divide(multiply(_FIRST_PARITY ^ data, x), multiply(x ^ data, _FIRST_PARITY))


def parity_row(parity: int, data_blocks: int) -> bytes:
    """Return the coefficients of a parity block for all data blocks."""
    return bytes(coefficient(parity, data) for data in range(data_blocks))


def coefficients(data_blocks: int, sources: Sequence[int], targets: Sequence[int]) -> list[bytes]:
    """Return, for each target, by what each source is multiplied; the sum of these products is the target.

    Args:
        data_blocks: Number of data blocks, k. Indexes below it are data, from it on parity.
        sources: Indexes of exactly k blocks, ascending.
        targets: Indexes of other blocks.
    """
    data = _data_from(data_blocks, sources)
    rows = []
    for target in targets:
        if target < data_blocks:
            rows.append(data[target])
            continue
        row = bytes(data_blocks)
        for factor, part in zip(parity_row(target - data_blocks, data_blocks), data, strict=True):
            row = added(row, scaled(part, factor))
        rows.append(row)
    return rows


def _data_from(data_blocks: int, sources: Sequence[int]) -> list[bytes]:
    """Return the coefficients of each data block for the sources."""
    given = {source: _unit(data_blocks, place) for place, source in enumerate(sources)}
    lost = [index for index in range(data_blocks) if index not in given]
    # Each parity block among the sources is one equation: what the lost blocks add to it is what is left when the
    # present ones are taken away.
    equations = []
    for parity in sources[data_blocks - len(lost) :]:
        factors = parity_row(parity - data_blocks, data_blocks)
        rest = given[parity]
        for index in sources[: data_blocks - len(lost)]:
            rest = added(rest, scaled(given[index], factors[index]))
        equations.append(bytes(factors[index] for index in lost) + rest)
    for index, row in zip(lost, _solved(equations), strict=True):
        given[index] = row
    return [given[index] for index in range(data_blocks)]


def _solved(equations: list[bytes]) -> list[bytes]:
    """Bring the left, square side to the identity and return the right one (Gauss and Jordan).

    Nothing is exchanged: every square part of a Cauchy matrix can be inverted, so no pivot is ever 0.
    """
    rows = list(equations)
    for pivot in range(len(rows)):
        rows[pivot] = scaled(rows[pivot], divide(1, rows[pivot][pivot]))
        for other in range(len(rows)):
            if other != pivot:
                rows[other] = added(rows[other], scaled(rows[pivot], rows[other][pivot]))
    return [row[len(rows) :] for row in rows]


def _unit(size: int, place: int) -> bytes:
    return bytes(place) + b"\x01" + bytes(size - place - 1)
