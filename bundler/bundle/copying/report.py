"""What a copy did, and what it could not do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BadRange:
    """Consecutive blocks of a part that no source could give right, all for the same reason.

    Attributes:
        file: the part.
        offset: first byte, in the part.
        length: bytes, 1 or more.
        code: as in :class:`~bundler.bundle.block_reader.BlockFailure`.
        found: what the sources hold there, for people; of the first block.
    """

    file: str
    offset: int
    length: int
    code: str
    found: str


@dataclass(frozen=True)
class CopyReport:
    """The outcome for the parts that were to be copied; the three counts add up to their size.

    Attributes:
        bytes_copied: written now, durable, and read back unless that was switched off.
        bytes_mended: of these, what no source had right and was made from parity.
        bytes_kept: lay at the destination already and were right.
        bytes_bad: could not be had, those of ``missing`` included.
        bad: where they lie, in the order of the parts.
        missing: parts of which no source has, or has any more, what the destination lacks, in order; they are
            not in ``bad``.
        gone: sources that went away while it was copied from them; what only they had is in ``missing``.
    """

    bytes_copied: int = 0
    bytes_kept: int = 0
    bytes_bad: int = 0
    bad: tuple[BadRange, ...] = ()
    missing: tuple[str, ...] = ()
    bytes_mended: int = 0
    gone: tuple[Path, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether everything that was asked for is at the destination, and right."""
        return self.bytes_bad == 0

    @property
    def lacking(self) -> set[str]:
        """The files that are not whole."""
        return {*self.missing, *(bad.file for bad in self.bad)}

    def __add__(self, other: CopyReport) -> CopyReport:
        """Join the outcomes of two copies, of other parts or to other destinations."""
        return CopyReport(
            bytes_copied=self.bytes_copied + other.bytes_copied,
            bytes_kept=self.bytes_kept + other.bytes_kept,
            bytes_bad=self.bytes_bad + other.bytes_bad,
            bad=self.bad + other.bad,
            missing=self.missing + other.missing,
            bytes_mended=self.bytes_mended + other.bytes_mended,
            gone=tuple(dict.fromkeys(self.gone + other.gone)),
        )
