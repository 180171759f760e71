"""How much parity somebody wants, before the bundle's sizes are known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from bundler.bundle.parity.geometry import Geometry, choose_geometry, survive_parts
from bundler.errors import UsageError

DEFAULT_REDUNDANCY = Fraction(1, 10)
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%", re.ASCII)


@dataclass(frozen=True)
class ParityWish:
    """Either a share of the data or a number of parts; neither means 10 %.

    Attributes:
        redundancy: parity bytes as a share of the data, above 0 and at most 1.
        survive_parts: so many lost parts must be mendable, 1 or more, with as little parity as that takes.
    """

    redundancy: Fraction | None = None
    survive_parts: int | None = None

    def __post_init__(self) -> None:
        if self.redundancy is not None and self.survive_parts is not None:
            raise UsageError(
                "a share of parity and a number of parts to survive are two different wishes: name one"
            )
        if self.redundancy is not None and not 0 < self.redundancy <= 1:
            raise UsageError("parity is more than 0% and at most 100% of the data")
        if self.survive_parts is not None and self.survive_parts < 1:
            raise UsageError("the number of parts to survive is at least 1")

    @property
    def is_open(self) -> bool:
        """Whether nothing was wished for, so that any parity will do."""
        return self.redundancy is None and self.survive_parts is None

    def geometry(self, size: int, block_bytes: int, largest: int, parts: int | None = None) -> Geometry:
        """Choose the layout for a bundle.

        Args:
            size: Bytes of all its parts.
            block_bytes: Bytes of its blocks.
            largest: Bytes of its largest part.
            parts: How many it has; ``None`` if nobody knows yet.

        Raises:
            UsageError: there is none: the bundle is empty, its blocks are no multiple of 8, or too much of it
                should be survived.
        """
        if not size or block_bytes % 8:
            raise UsageError(f"there is no parity for {size} bytes in blocks of {block_bytes}")
        if self.survive_parts is not None:
            if parts is not None and self.survive_parts > parts:
                raise UsageError(
                    f"{self.survive_parts} lost parts cannot be survived: the bundle has {parts}",
                    advice="Name a smaller number of parts.",
                )
            return survive_parts(size, block_bytes, largest, self.survive_parts)
        return choose_geometry(size, block_bytes, self.redundancy or DEFAULT_REDUNDANCY)


def parse_redundancy(text: str) -> Fraction:
    """Read a share such as ``10%`` or ``12.5 %``.

    Raises:
        UsageError: it is none, 0 %, or more than 100 %.
    """
    match = _PERCENT.fullmatch(text.strip())
    share = Fraction(match[1]) / 100 if match else Fraction(0)
    if not 0 < share <= 1:
        raise UsageError(
            f"not a share of the data: {text!r:.50}", advice="Write it as 10%: above 0% and up to 100%."
        )
    return share
