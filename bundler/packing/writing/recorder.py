"""Who is told what of a bundle is finished, so that a pack that is cut can go on."""

from __future__ import annotations

from typing import Protocol

from bundler.bundle.manifest import Blob, Part
from bundler.model.digest import Digest


class Recorder(Protocol):
    """Is told what is finished. Its methods may be called from any thread."""

    def blob(self, row: Blob) -> None:
        """A blob is written, with its header."""

    def config(self, digest: Digest, raw: bytes) -> None:
        """The config of an engine's image was read; it is written when all its layers are."""

    def part(self, archive: str, number: int, row: Part) -> None:
        """Part ``number`` (from 1) of an archive is whole and has its name, for now."""

    def archive(self, name: str, size: int) -> None:
        """An archive is complete."""


class NoRecorder:
    """Where nothing is kept of what is done."""

    def blob(self, row: Blob) -> None:
        """Forget it."""

    def config(self, digest: Digest, raw: bytes) -> None:
        """Forget it."""

    def part(self, archive: str, number: int, row: Part) -> None:
        """Forget it."""

    def archive(self, name: str, size: int) -> None:
        """Forget it."""


class Recorders:
    """Tells several, in their order."""

    def __init__(self, *recorders: Recorder) -> None:
        self._recorders = recorders

    def blob(self, row: Blob) -> None:
        """Tell all."""
        for recorder in self._recorders:
            recorder.blob(row)

    def config(self, digest: Digest, raw: bytes) -> None:
        """Tell all."""
        for recorder in self._recorders:
            recorder.config(digest, raw)

    def part(self, archive: str, number: int, row: Part) -> None:
        """Tell all."""
        for recorder in self._recorders:
            recorder.part(archive, number, row)

    def archive(self, name: str, size: int) -> None:
        """Tell all."""
        for recorder in self._recorders:
            recorder.archive(name, size)


NO_RECORDER = NoRecorder()
