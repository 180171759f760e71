"""What can be had of a bundle as far as names and sizes tell: nothing is read."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from bundler.bundle.manifest import Image
from bundler.bundle.reader import Bundle
from bundler.content.files import PARTIAL_SUFFIX


@dataclass(frozen=True)
class Obstacles:
    """Why an image cannot be had; each the files of parts, sorted.

    Attributes:
        waiting_for: that are not there, or unfinished and too short for what the image has in them.
        damaged: that are there under their final name, and too short for it or no regular files.
    """

    waiting_for: tuple[str, ...]
    damaged: tuple[str, ...]


_NONE = Obstacles((), ())


class Presence:
    """Answers for one moment: what it saw of a part it does not look at again."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._reach = cache(self._look)

    def obstacles(self, image: Image) -> Obstacles:
        """Return what keeps an image from being read; blocks that are damaged only reading finds."""
        if self._is_whole:
            return _NONE
        needed: dict[str, int] = {}
        for digest in image.blobs:
            blob = self._bundle.manifest.blob_by_digest[digest]
            for part, end in self._bundle.parts_of(blob.archive).pieces(blob.offset, blob.offset + blob.size):
                needed[part.file] = max(end, needed.get(part.file, 0))
        waiting: list[str] = []
        damaged: list[str] = []
        for file in sorted(needed):
            whole, unfinished = self._reach(file)
            if max(whole, unfinished) < needed[file]:
                (waiting if whole < 0 or unfinished >= 0 else damaged).append(file)
        return Obstacles(tuple(waiting), tuple(damaged))

    def missing_parts(self) -> tuple[str, ...]:
        """Return the parts that no directory has under their final name, in the order of the archives."""
        return tuple(part.file for part in self._bundle.manifest.parts if self._reach(part.file)[0] < 0)

    @cached_property
    def _is_whole(self) -> bool:
        """Whether every part is there in its full length: then no image needs to be looked at."""
        return all(self._reach(part.file)[0] >= part.size for part in self._bundle.manifest.parts)

    def _look(self, file: str) -> tuple[int, int]:
        """Return the bytes of the longest whole and of the longest unfinished file of a part; -1 for none."""
        whole = unfinished = -1
        for path in self._bundle.locations.candidates(file):
            if path.suffix == PARTIAL_SUFFIX:
                unfinished = max(unfinished, _size(path))
            else:
                whole = max(whole, _size(path))
        return whole, unfinished


def _size(path: Path) -> int:
    """Return the bytes of a file; 0 if it is no regular one, -1 if it is not there."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return -1
    except OSError:
        # It cannot be told; whoever reads it learns why.
        return sys.maxsize
    return found.st_size if stat.S_ISREG(found.st_mode) else 0
