"""Where the writing of an archive begins: at its first byte, or behind what an earlier run left."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.bundle.manifest import Part


@dataclass(frozen=True)
class ArchiveStart:
    """What is there already, and right.

    Attributes:
        position: offset in the archive, in bytes, behind the last one that is there; 0 for a new archive.
        sealed: its first parts, whole and under their final names. What lies between their end and ``position``
            is in files with partial names, which end there.
    """

    position: int = 0
    sealed: tuple[Part, ...] = ()


FROM_THE_START = ArchiveStart()
