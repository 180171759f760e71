"""Which files of a bundle are asked for, where a directory may be one stick of several.

No file of a bundle says which parts were meant for a directory: the tables are the same on all sticks. So whoever
asks says it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bundler.bundle.block_reader import PartLocations
from bundler.bundle.copying.media.travel_order import needed_parts
from bundler.bundle.manifest import BundleManifest, Part


@dataclass(frozen=True)
class Choice:
    """A value; without anything said it is all files.

    Attributes:
        applications: only what these need, in their own archives and in the shared one; all if there are none.
        is_present: only files that lie in the directories, under their own name or unfinished.
    """

    applications: tuple[str, ...] = ()
    is_present: bool = False

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return not self.applications and not self.is_present

    def of(
        self, manifest: BundleManifest, parity: Collection[Part], locations: PartLocations
    ) -> tuple[Sequence[Part], Sequence[Part]]:
        """Return the files that are asked for, and those that are left out.

        Args:
            manifest: The bundle's table of contents.
            parity: Its parity files. They are of all applications, so with some named only those that lie there
                are asked for.
            locations: The directories.

        Raises:
            NotFound: the bundle has no such application.
        """
        files = (*manifest.parts, *parity)
        there = {file.file for file in files if locations.candidates(file.file)}
        wanted = {part.file for part in needed_parts(manifest, self.applications)}
        names = {file.file for file in parity}
        wanted |= names & there if self.applications else names
        if self.is_present:
            wanted &= there
        chosen = [file for file in files if file.file in wanted]
        left_out = [file for file in files if file.file not in wanted]
        return chosen, left_out


ALL_FILES = Choice()
