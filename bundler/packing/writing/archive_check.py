"""Compares an archive with the one that a second pack makes, without writing that down."""

from __future__ import annotations

from bundler.bundle.manifest import Part
from bundler.content.hashing import PartSums
from bundler.packing.writing.rehearsal import ArchiveRehearsal


class ArchiveCheck(ArchiveRehearsal):
    """A rehearsal of an archive whose parts are known: it stops at the first that has another sum."""

    def _agrees(self, expected: Part, sums: PartSums) -> bool:
        made = (sums.size, sums.sha256, sums.xxh3_128, sums.blocks)
        return made == (expected.size, expected.sha256, expected.xxh3_128, expected.blocks)
