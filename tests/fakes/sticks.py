"""USB sticks of a given size, and the one place where they are mounted: directories, and a link to one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bundler.bundle.copying.media.changing import MediumRequest
from bundler.bundle.copying.media.room import Volume

KIB = 1 << 10
#: What a stick of a few parts needs besides them: the tables, and what is kept free.
BESIDES = 300 * KIB


class Sticks:
    """Some sticks. How full one is follows from the files on it."""

    def __init__(self, below: Path) -> None:
        self._below = below
        self._sizes: dict[Path, int] = {}

    def stick(self, name: str, size: int = 1 << 30) -> Path:
        """Make an empty stick of so many bytes."""
        directory = (self._below / name).resolve()
        directory.mkdir()
        self._sizes[directory] = size
        return directory

    def measure(self, directory: Path) -> Volume:
        """Return what a file system of the stick's size would say; of a directory elsewhere there is no end."""
        place = directory.resolve()
        for number, (stick, size) in enumerate(self._sizes.items(), start=1):
            if place == stick or stick in place.parents:
                used = sum(path.stat().st_size for path in stick.rglob("*") if path.is_file())
                return Volume(number, size, size - used)
        return Volume(0, 1 << 40, 1 << 40)


class MountPoint:
    """A place where one stick after another is mounted, as a list says, each time that somebody asks.

    Attributes:
        asked: what was asked, in order.
    """

    def __init__(self, path: Path, sticks: Sequence[Path | Callable[[], None] | None]) -> None:
        """Mount the first one; ``None`` stands for nothing, a function for what is done instead of a change."""
        self.path = path
        self._next: Iterator[Path | Callable[[], None] | None] = iter(sticks)
        self.asked: list[MediumRequest] = []
        self._turn()

    def change(self, request: MediumRequest) -> bool:
        """Bring the next one; with none left nobody answers any more."""
        self.asked.append(request)
        return self._turn()

    @property
    def problems(self) -> list[str | None]:
        """Return what was wrong each time that it asked."""
        return [request.problem for request in self.asked]

    def _turn(self) -> bool:
        try:
            stick = next(self._next)
        except StopIteration:
            return False
        if callable(stick):
            stick()
            return True
        self.path.unlink(missing_ok=True)
        if stick is not None:
            self.path.symlink_to(stick)
        return True
