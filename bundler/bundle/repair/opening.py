"""Opens a bundle that is to be mended, and what it is to be mended from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.bundle.block_reader import PartLocations
from bundler.bundle.findings import Finding
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.names import BUNDLE_JSON, BUNDLE_JSON_COPY, PARITY_JSON, parity_files
from bundler.bundle.opening import open_manifests, refuse_other_sums
from bundler.bundle.repair.report import UnusedSource
from bundler.bundle.requests.answers.reader import AnswerReader, is_answer
from bundler.content.files import disk_errors
from bundler.errors import (
    DamagedBundle,
    DamagedContent,
    DiskError,
    IncompleteBundle,
    NotABundle,
    NotFound,
    UndecidedTable,
    UsageError,
)
from bundler.model.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True)
class Patient:
    """A bundle, and where it may be mended from.

    Attributes:
        directory: where it lies.
        manifest: its table of contents, wherever it was found.
        findings: what is wrong with the files that hold the table in this directory.
        others: directories that may hold blocks of it.
        answers: answers to requests among them.
        unused: those of them that nothing can be taken from.
    """

    directory: Path
    manifest: BundleManifest
    findings: tuple[Finding, ...]
    others: tuple[Path, ...]
    answers: tuple[AnswerReader, ...]
    unused: tuple[UnusedSource, ...] = ()


def open_patient(directory: Path, others: Sequence[Path], limits: Limits = DEFAULT_LIMITS) -> Patient:
    """Read the table of contents of a bundle, from itself if possible, else from others.

    Others that have no table that can be read may hold blocks all the same: every block proves itself. One that
    cannot be used is told of and keeps nothing from being mended.

    Args:
        directory: The bundle.
        others: Other copies of it, whole or not, and answers to requests.
        limits: Bounds on what is accepted from them.

    Raises:
        NotFound: a directory is not there.
        UsageError: another one holds another bundle, or is the bundle itself.
        NotABundle, UnsupportedVersion, IncompleteBundle, DamagedBundle: there is no table of contents.
        UndecidedTable: there are some, and nobody can say which is right.
    """
    _check_places(directory, others)
    copies = [other for other in others if not is_answer(other) and _has_table(other, limits)]
    manifest, findings = _open(directory, copies, limits)
    answers: list[AnswerReader] = []
    unused: list[UnusedSource] = []
    for other in others:
        try:
            if is_answer(other):
                answers.append(AnswerReader(other, manifest, limits))
            elif other not in copies and not _holds_files(other, manifest):
                unused.append(UnusedSource(other, "it holds no file of this bundle"))
        except (UsageError, DamagedContent, NotABundle, IncompleteBundle, DiskError) as error:
            unused.append(UnusedSource(other, str(error)))
    return Patient(directory, manifest, findings, tuple(others), tuple(answers), tuple(unused))


def _holds_files(directory: Path, manifest: BundleManifest) -> bool:
    locations = PartLocations([directory])
    names = (PARITY_JSON, *(part.file for part in manifest.parts), *parity_files(1))
    return any(locations.candidates(name) for name in names)


def _check_places(directory: Path, others: Sequence[Path]) -> None:
    for place in (directory, *others):
        with disk_errors(place):
            if not place.is_dir():
                raise NotFound(f"{place}: there is no such directory")
    for other in others:
        with disk_errors(other):
            if directory.samefile(other):
                raise UsageError(f"{other} is the bundle itself")


def _has_table(directory: Path, limits: Limits) -> bool:
    try:
        open_manifests([directory], limits)
    except (NotABundle, DamagedContent, IncompleteBundle, DiskError):
        return False
    return True


def _open(directory: Path, copies: Sequence[Path], limits: Limits) -> tuple[BundleManifest, tuple[Finding, ...]]:
    try:
        manifest, findings = open_manifests([directory, *copies], limits)
    except UndecidedTable:
        # It has tables of its own: another one that agrees with none of them may be of another bundle.
        raise
    except (NotABundle, DamagedBundle):
        if not copies:
            raise
        manifest, _ = open_manifests(copies, limits)
        locations = PartLocations([directory])
        if not any(locations.candidates(part.file) for part in manifest.parts):
            raise
        refuse_other_sums(directory, manifest, limits)
        return manifest, tuple(_lost(file) for file in (BUNDLE_JSON, BUNDLE_JSON_COPY))
    own = [found for found in findings if found.directory in (None, str(directory))]
    return manifest, tuple(replace(found, directory=None) for found in own)


def _lost(file: str) -> Finding:
    return Finding(1, "missing", file, expected="the table that is held elsewhere", found="nothing", mendable=True)
