"""How much room a directory on a medium has. Values: ``medium`` beside it measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bundler.bundle.manifest import Part


@dataclass(frozen=True)
class Volume:
    """A file system.

    Attributes:
        device: its identity; directories on one device share its free bytes.
        total, free: bytes; ``free`` is what this user may still write.
        cluster: every file takes a multiple of so many bytes; 1 or more.
        largest_file: bytes of the largest file that it can hold; ``None`` where no part comes near.
    """

    device: int
    total: int
    free: int
    cluster: int = 1
    largest_file: int | None = None

    def taken(self, size: int) -> int:
        """Return the bytes that a file of so many bytes takes."""
        return -(-size // self.cluster) * self.cluster


@dataclass(frozen=True)
class Room:
    """A directory on a medium, as it is before the copy.

    Attributes:
        held: for each part that lies there, whole or unfinished, the bytes of it that are on the volume already.
        tables: bytes that everything but the parts will take there.
    """

    directory: Path
    volume: Volume
    held: Mapping[str, int]
    tables: int = 0

    def rest_of(self, part: Part) -> int:
        """Return the bytes that the volume still has to give for a part."""
        taken = self.volume.taken
        return taken(part.size) - taken(min(self.held.get(part.file, 0), part.size))

    def may_hold(self, part: Part) -> bool:
        """Tell whether a file of the part's size can lie there, were there any number of free bytes."""
        return self.volume.largest_file is None or part.size <= self.volume.largest_file
