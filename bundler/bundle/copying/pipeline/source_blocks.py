"""Blocks from the sources, until these are gone: a stick that was pulled out must not cost hours of errors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bundler.bundle.block_reader import BlockFailure, BlockReader, PartLocations
from bundler.bundle.copying.holdings import is_like_ours
from bundler.bundle.copying.pinned_directory import identity
from bundler.bundle.copying.pipeline.tally import Key
from bundler.bundle.manifest import Part
from bundler.content.read_back import MediumReader
from bundler.errors import DamagedContent, DiskError, NotFound

#: So many blocks that cannot be read, one after another, are a reason to ask whether anything can.
_SUSPICIOUS = 16
#: Files that are tried for the answer, and the bytes of each.
_PROBED_FILES, _PROBED_BYTES = 8, 4096
#: A medium that gives wrong bytes is there.
_GIVEN = ("damaged-block", "too-short")
#: One that is not there any more gives none.
_NOT_GIVEN = ("missing", "unreadable")


class SourceBlocks:
    """Reads blocks, checked, each from the first directory where it is right. Used by one thread.

    Attributes:
        lost: blocks whose failures only meant that the sources were gone already; filled when that is noticed.
        gone: directories that went away, or were exchanged for other ones, while blocks were read from them.
    """

    def __init__(self, directories: Sequence[Path], block_bytes: int, tries: int) -> None:
        """Read from these directories, at least one; what is refused or wrong is asked for ``tries`` times."""
        self._directories = tuple(directories)
        self._reader = BlockReader(PartLocations(self._directories), block_bytes, tries=tries)
        self._identities = {directory: identity(directory) for directory in self._directories}
        self.gone: list[Path] = []
        self._unreadable: list[Key] = []
        self._gone: BlockFailure | None = None
        self.lost: list[Key] = []

    def read(self, part: Part, number: int, buffer: memoryview) -> BlockFailure | None:
        """Fill the beginning of the buffer with a block; as :meth:`BlockReader.read`.

        When no directory gives anything any more, every further block is ``missing`` at once.
        """
        if self._gone is not None:
            return self._gone
        failure = self._reader.read(part, number, buffer)
        if failure is not None and failure.code in _NOT_GIVEN:
            failure = self._looked_after(failure)
        if failure is None or failure.code in _GIVEN:
            self._unreadable = []
        if failure is None or failure.code != "unreadable":
            return failure
        self._unreadable.append((part.file, number))
        if len(self._unreadable) % _SUSPICIOUS == 0 and not any(map(_gives_anything, self._directories)):
            self._gone = BlockFailure("missing", failure.path, "nothing can be read any more")
            self.lost = self._unreadable
            return self._gone
        return failure

    def close(self) -> None:
        """Close all files."""
        self._reader.close()

    def _looked_after(self, failure: BlockFailure) -> BlockFailure:
        """Return why a block is not there: where its directory is gone nothing was wrong with it."""
        for directory, was in self._identities.items():
            if was is not None and directory not in self.gone and identity(directory) != was:
                self.gone.append(directory)
        lost = failure.path.parent
        if failure.code == "missing" and self.gone:
            lost = self.gone[0]
        return (
            BlockFailure("missing", failure.path, f"the source {lost} is gone") if lost in self.gone else failure
        )


def _gives_anything(directory: Path) -> bool:
    """Tell whether at least one byte of a bundle can still be read from the medium."""
    try:
        files = sorted(path for path in directory.iterdir() if is_like_ours(path.name))
    except OSError:
        return False
    medium = MediumReader(_PROBED_BYTES)
    try:
        return any(_gives_a_byte(medium, file) for file in files[:_PROBED_FILES])
    finally:
        medium.close()


def _gives_a_byte(medium: MediumReader, path: Path) -> bool:
    try:
        medium.open(path)
        return len(medium.read(0, _PROBED_BYTES)) > 0
    except (NotFound, DamagedContent, DiskError):
        return False
