"""Where mended files go: into the bundle itself, or into another directory that then completes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from bundler.bundle.copying.copying import refuse_overlap
from bundler.bundle.copying.destination import CopyDestination
from bundler.bundle.findings import Finding
from bundler.bundle.manifest import Part
from bundler.bundle.names import BUNDLE_JSON
from bundler.bundle.repair.opening import Patient
from bundler.bundle.repair.tables import BundleTables
from bundler.content.files import partial
from bundler.content.free_space import free_bytes, taken_bytes
from bundler.errors import NoSpace, NotWritable
from bundler.model.sizes import format_size


class Target(Protocol):
    """A place for mended files. Used by one thread; ``release`` comes last.

    Attributes:
        directory: where they are written.
        is_bundle: whether that is the bundle's own directory.
        own: the directories in which the bundle's files should be.
    """

    is_bundle: bool
    directory: Path
    own: tuple[Path, ...]

    def wrong_tables(self, findings: Sequence[Finding]) -> list[str]:
        """Return the small files that will be written, given what is wrong with them."""

    def begin(self) -> None:
        """Make sure that this run, and no other, may write.

        Raises:
            OutputExists: another run is writing, or the directory holds something else.
            DiskError: the disk refused.
        """

    def check_space(self, parts: Sequence[Part]) -> None:
        """Find out whether files can be made there, one after the other.

        Raises:
            NoSpace: they cannot.
        """

    def put_tables(self, files: Sequence[str]) -> Sequence[str]:
        """Write those of the wrong small files that may be written at once; return them."""

    def finish(self, files: Sequence[str]) -> Sequence[str]:
        """Say that every part is whole, and write the rest of the wrong small files; return them."""

    def release(self) -> None:
        """Let others have the directory."""


class InPlace:
    """The bundle's own directory."""

    is_bundle = True

    def __init__(self, patient: Patient, readme: bytes) -> None:
        """Lock it if this user may; if not nothing is said before something is to be written.

        Raises:
            OutputExists: another run is writing there. DiskError: the disk refused.
        """
        self.directory = patient.directory
        self.own: tuple[Path, ...] = (patient.directory,)
        self._readme = readme
        self._is_unfinished = any(
            found.code == "unfinished" and found.file == BUNDLE_JSON for found in patient.findings
        )
        self._tables: BundleTables | None = None
        self._refusal = ""
        try:
            self._tables = BundleTables(patient.directory, patient.manifest)
        except NotWritable as error:
            self._refusal = error.message

    def wrong_tables(self, findings: Sequence[Finding]) -> list[str]:
        """Return what can be written anew; bundle.json too if its copy was cut."""
        unfinished = [BUNDLE_JSON] if self._is_unfinished else []
        return unfinished or (self._tables.wrong(findings) if self._tables else _mendable(findings))

    def begin(self) -> None:
        """Refuse where this user may not write."""
        if self._tables is None:
            raise NotWritable(
                self._refusal,
                advice="Give --output DIR: the mended files go there, and BUNDLE and DIR together are whole.",
            )

    def check_space(self, parts: Sequence[Part]) -> None:
        """A file needs room beside the one that it replaces, which is free afterwards."""
        free = at_first = free_bytes(self.directory)
        lacking = 0
        for part in parts:
            path = self.directory / part.file
            free -= max(part.size - taken_bytes(partial(path)), 0)
            lacking = max(lacking, -free)
            free += taken_bytes(path)
        _refuse(self.directory, at_first, lacking)

    def put_tables(self, files: Sequence[str]) -> Sequence[str]:
        """Write them, but those of a copy that was cut only when all is whole."""
        if not files or self._is_unfinished or self._tables is None:
            return ()
        self._tables.put_right(files, self._readme)
        return files

    def finish(self, files: Sequence[str]) -> Sequence[str]:
        """Finish a copy that was cut."""
        if not self._is_unfinished or self._tables is None:
            return ()
        self._tables.finish_copy(self._readme)
        return files

    def release(self) -> None:
        """Unlock it."""
        if self._tables is not None:
            self._tables.release()


class Outside:
    """Another directory, which gets the tables and the mended files: like a stick that holds some parts."""

    is_bundle = False

    def __init__(self, patient: Patient, directory: Path, small_files: Callable[[], Mapping[str, bytes]]) -> None:
        """Name it; nothing is touched before ``begin``.

        Raises:
            UsageError: it is the bundle, or one of the other copies, or lies inside one.
        """
        refuse_overlap([patient.directory, *patient.others], directory)
        self.directory = directory
        self.own: tuple[Path, ...] = (patient.directory,)
        if directory.is_dir():
            self.own = (patient.directory, directory)
        self._manifest = patient.manifest
        self._small_files = small_files
        self._destination = CopyDestination(directory)

    def wrong_tables(self, findings: Sequence[Finding]) -> list[str]:
        """Return those that are wrong in the bundle: the other directory has right ones."""
        return _mendable(findings)

    def begin(self) -> None:
        """Create the directory and lock it."""
        self._destination.prepare(self._manifest)

    def check_space(self, parts: Sequence[Part]) -> None:
        """All files lie there together."""
        free = free_bytes(self.directory)
        needed = sum(max(part.size - taken_bytes(partial(self.directory / part.file)), 0) for part in parts)
        _refuse(self.directory, free, needed - free)

    def put_tables(self, files: Sequence[str]) -> Sequence[str]:
        """Write none: they come at the end."""
        return ()

    def finish(self, files: Sequence[str]) -> Sequence[str]:
        """Write all tables, bundle.json last."""
        self._destination.finish(self._small_files())
        return files

    def release(self) -> None:
        """Unlock it."""
        self._destination.release()


def _mendable(findings: Sequence[Finding]) -> list[str]:
    return sorted({found.file for found in findings if found.mendable})


def _refuse(directory: Path, free: int, lacking: int) -> None:
    if lacking > 0:
        raise NoSpace(
            f"{directory}: {format_size(free + lacking)} are needed to make files beside the damaged ones, "
            f"{format_size(free)} are free: {format_size(lacking)} are missing",
            advice="Free some space, or give --output with a directory on another disk; --present makes no "
            "file of which nothing lies here.",
        )
