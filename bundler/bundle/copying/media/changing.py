"""One mount point and many media: asks for the next one, and recognises by what it holds whether it will do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bundler.bundle.copying.holdings import examine
from bundler.bundle.copying.media.medium import Measure, held_parts, mount_point, room_at
from bundler.bundle.copying.media.placement import Share, place
from bundler.bundle.manifest import BundleManifest, Part
from bundler.bundle.opening import open_manifest
from bundler.errors import (
    AirbundleError,
    DamagedBundle,
    IncompleteBundle,
    NotABundle,
    NotFound,
    UnsupportedVersion,
)
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.sizes import format_size


@dataclass(frozen=True)
class MediumRequest:
    """Asks for another medium.

    Attributes:
        role: ``source``: one that has some of ``parts``; ``destination``: one with room for some of them.
        directories: where it should be found; one of these.
        parts: that wait for it.
        size: their bytes.
        problem: why the medium that is there now does not do; ``None`` when nobody has changed it yet.
    """

    role: Literal["source", "destination"]
    directories: tuple[Path, ...]
    parts: tuple[str, ...]
    size: int
    problem: str | None = None


#: Returns when another medium is there, or says ``False`` where none will come.
ChangeMedium = Callable[[MediumRequest], bool]


class MediaChanger:
    """Media that follow one another at the same places during one copy."""

    def __init__(
        self,
        change: ChangeMedium,
        manifest: BundleManifest,
        parts: Sequence[Part],
        directories: Iterable[Path],
        *,
        measure: Measure,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Remember where the file systems of these directories are mounted: after a change one must be again."""
        self._change = change
        self._manifest = manifest
        self._parts = parts
        self._mounts = {directory: mount_point(directory) for directory in directories}
        self._limits = limits
        self._measure = measure
        self._written: list[frozenset[str]] = []

    def remember(self, parts: Iterable[Part]) -> None:
        """Note what was written to a medium, to know it again."""
        self._written.append(frozenset(part.file for part in parts))

    def next_source(self, directories: Sequence[Path], missing: Sequence[Part]) -> tuple[Path, ...]:
        """Return those of the directories that have some of the missing parts now; ``()`` if nobody brings any."""
        problem = None
        while self._change(_request("source", directories, missing, problem)):
            problems = {directory: self._why_no_source(directory, missing) for directory in directories}
            if found := tuple(directory for directory, why in problems.items() if why is None):
                return found
            problem = "; ".join(f"{directory}: {why}" for directory, why in problems.items() if why)
        return ()

    def next_destination(
        self, directory: Path, waiting: Sequence[Part], tables: Sequence[tuple[str, int]]
    ) -> Share | None:
        """Return what of the waiting parts goes onto the medium that is there now; ``None`` if none is brought."""
        problem: str | None = None
        while self._change(_request("destination", (directory,), waiting, problem)):
            try:
                found = self._share_of(directory, waiting, tables)
            except AirbundleError as error:
                found = str(error)
            if isinstance(found, Share):
                return found
            problem = found
        return None

    def _why_no_source(self, directory: Path, missing: Sequence[Part]) -> str | None:
        """Return why a medium gives nothing that is missing; ``None`` if it does."""
        try:
            self._require_mount(directory)
            if other := self._other_bundle(directory):
                return f"it holds another bundle, {other.name} {other.version} ({other.id.short})"
            held = held_parts(directory, self._parts)
        except AirbundleError as error:
            return str(error)
        if any(part.file in held for part in missing):
            return None
        return "it has none of the parts that are missing" if held else "it has no part of the bundle"

    def _other_bundle(self, directory: Path) -> BundleManifest | None:
        try:
            found, _ = open_manifest(directory, self._limits)
        except UnsupportedVersion:
            raise
        except (NotFound, NotABundle, DamagedBundle, IncompleteBundle):
            return None  # without a table that can be read; what parts lie there, if any, is told by their names
        return None if found.id == self._manifest.id else found

    def _share_of(
        self, directory: Path, waiting: Sequence[Part], tables: Sequence[tuple[str, int]]
    ) -> Share | str:
        """Return what goes onto a medium, or why nothing does.

        Raises:
            OutputExists: it holds something else. DiskError: it cannot be looked at.
        """
        self._require_mount(directory)
        with suppress(NotFound):
            examine(directory, self._manifest)
        room = room_at(directory, self._parts, tables, self._measure)
        if any(files and files <= room.held.keys() for files in self._written):
            return "it was written to in this run already"
        (share,) = place(waiting, [room]).shares
        if share.parts:
            return share
        smallest = min(waiting, key=lambda part: part.size)
        return f"{smallest.file} needs {format_size(smallest.size)}, {format_size(room.volume.free)} are free"

    def _require_mount(self, directory: Path) -> None:
        # Without the medium its directory may still be there, on the disk of the system.
        mounted = self._mounts[directory]
        if mounted is not None and mount_point(directory) != mounted:
            raise NotFound(f"nothing is mounted at {mounted}")


def _request(
    role: Literal["source", "destination"], directories: Sequence[Path], parts: Sequence[Part], problem: str | None
) -> MediumRequest:
    files = tuple(part.file for part in parts)
    return MediumRequest(role, tuple(directories), files, sum(part.size for part in parts), problem)
