"""What a repair found, what it did, and what it could not do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bundler.bundle.findings import Finding, worst
from bundler.bundle.parity.check import is_of_parity_table
from bundler.errors import ExitStatus
from bundler.model.digest import Digest


@dataclass(frozen=True)
class MendedFile:
    """A part or a parity file that was written.

    Attributes:
        file: its name.
        directory: where it lies now.
        bytes_from_copies: that were taken from other copies.
        bytes_from_parity: that were made from parity.
        is_whole: it has its name, and its sha256 is proven; otherwise it is ``*.partial`` and has these bytes.
    """

    file: str
    directory: Path
    bytes_from_copies: int
    bytes_from_parity: int
    is_whole: bool


@dataclass(frozen=True)
class UnusedSource:
    """A directory that blocks were to be taken from, and why that could not be."""

    directory: Path
    reason: str


@dataclass(frozen=True)
class RepairReport:
    """The outcome of a repair.

    Attributes:
        id: of the bundle.
        found: everything that was wrong; ``mendable`` is whether it could be put right with what was given.
        mended: files that were written, in their order.
        tables: small files that were put right, such as bundle.json.
        left: what is still wrong: for lost bytes their ranges, with whom they hit. A parity.json that could not be
            made again is named too.
        blocks_needed: how many more right blocks would do, if they were well chosen.
        left_out: files that were not asked for; nothing is said of them.
        absent: files that were asked for and of which nothing lay where the bundle does.
        unused: directories that nothing could be taken from.
    """

    id: Digest
    found: tuple[Finding, ...]
    mended: tuple[MendedFile, ...] = ()
    tables: tuple[str, ...] = ()
    left: tuple[Finding, ...] = ()
    blocks_needed: int = 0
    left_out: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    unused: tuple[UnusedSource, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the bundle is right now; parity that could not be made again is no part of it."""
        return self.exit_status is ExitStatus.DONE

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        return bool(self.mended or self.tables)

    @property
    def exit_status(self) -> ExitStatus:
        """What the command says: 0 if the bundle is right now."""
        return worst(one for one in self.left if not is_of_parity_table(one))
