"""The parity code: systematic Cauchy Reed-Solomon over GF(2^8), by XORs of sub-blocks (docs/format.md, §A)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from bundler.coding.combination import Block, Combination
from bundler.coding.engines import Engine, best_engine
from bundler.coding.geometry import check_geometry
from bundler.coding.matrix import coefficients
from bundler.coding.steps import Steps, steps
from bundler.errors import DamagedContent, UsageError


class Codec:
    """Makes the parity blocks of stripes, and what is missing from any k blocks that are left.

    The blocks of a stripe have indexes: 0 to k - 1 the data, k to k + m - 1 the parity. All have one size, a
    multiple of 8 bytes. Parity blocks do not depend on m: more of them can be made later (``combination``).

    Whole stripes in memory: ``encode``, ``reconstruct``. Blocks that are read one after the other:
    ``combination(…).start(…)``. Blocks too large for that: columns of them (``geometry.column_runs``).

    It never changes: threads may share one.
    """

    def __init__(self, data_blocks: int, parity_blocks: int, *, engine: Engine | None = None) -> None:
        """Set up stripes of k data and m parity blocks.

        Args:
            data_blocks: k, from 1 on.
            parity_blocks: m, from 1 on; k + m is at most 255.
            engine: What does the XORs; default: the fastest there is.

        Raises:
            UsageError: there is no code of this geometry.
        """
        check_geometry(data_blocks, parity_blocks)
        self.data_blocks = data_blocks
        self.parity_blocks = parity_blocks
        self.engine = engine or best_engine()

    def encode(self, data: Sequence[Block | None], parity: Sequence[Block]) -> None:
        """Fill all parity blocks.

        Args:
            data: The k data blocks in their order; ``None`` is a block of zeros.
            parity: m writable buffers, none of which overlaps another or a data block.

        Raises:
            UsageError: there are more or fewer blocks, or their sizes differ or are no multiple of 8.
        """
        if (len(data), len(parity)) != (self.data_blocks, self.parity_blocks):
            raise UsageError(
                f"{len(data)} data and {len(parity)} parity blocks for a stripe of "
                f"{self.data_blocks} and {self.parity_blocks}"
            )
        first = self.data_blocks
        every = self.combination(range(first), range(first, first + self.parity_blocks))
        every.apply(dict(enumerate(data)), dict(enumerate(parity, first)))

    def reconstruct(self, present: Mapping[int, Block | None], missing: Mapping[int, Block]) -> None:
        """Fill missing blocks from those that are present.

        Whether the present ones are right is the caller's to know: a wrong one gives wrong blocks.

        Args:
            present: Blocks by index; ``None`` is a block of zeros. Only k of them are used; see ``combination``.
            missing: A writable buffer for each block to make, by index; see ``Combination.apply``.

        Raises:
            DamagedContent: fewer than k blocks are present.
            UsageError: an index or a buffer does not fit.
        """
        if missing:
            self.combination(present, missing).apply(present, missing)

    def combination(self, present: Iterable[int], missing: Iterable[int]) -> Combination:
        """Return how missing blocks follow from present ones: its ``sources`` are those that must be read.

        They are k: all data blocks that are present, which are cheapest, then parity blocks from the first on.

        Args:
            present: Indexes of the blocks that can be had.
            missing: Indexes of the blocks to make, one at least; not every block that is not present need be asked
                for. With all data blocks as ``present`` these may be any parity blocks, such as further ones.

        Raises:
            DamagedContent: fewer than k blocks are present.
            UsageError: an index is not of this stripe, stands on both sides, or none is asked for.
        """
        have, want = sorted(set(present)), tuple(sorted(set(missing)))
        self._check_indexes(have, want)
        if len(have) < self.data_blocks:
            raise DamagedContent(
                f"of a stripe {len(have)} blocks are left, {self.data_blocks} are needed to make the others",
                advice="Bring more intact blocks of it, from another copy or as the answer to a request.",
            )
        sources = tuple(have[: self.data_blocks])
        return Combination(sources, want, _all_steps(self.data_blocks, sources, want), self.engine)

    def _check_indexes(self, have: Sequence[int], want: Sequence[int]) -> None:
        blocks = self.data_blocks + self.parity_blocks
        strange = [index for index in (*have, *want) if not 0 <= index < blocks]
        if strange:
            raise UsageError(f"block {strange[0]} of a stripe whose blocks are 0 to {blocks - 1}")
        both = set(have) & set(want)
        if both:
            raise UsageError(f"block {min(both)} cannot be both present and missing")
        if not want:
            raise UsageError("no block is asked for")


# Stripes that one burst or one lost part damaged are damaged alike. The largest entry has some 400 KB.
@lru_cache(maxsize=32)
def _all_steps(data_blocks: int, sources: tuple[int, ...], targets: tuple[int, ...]) -> tuple[Steps, ...]:
    rows = coefficients(data_blocks, sources, targets)
    return tuple(steps(bytes(factors)) for factors in zip(*rows, strict=True))
