"""Mending a bundle, with everything that is known about bundles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bundler.bundle.choice import ALL_FILES, Choice
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.repair.report import RepairReport
from bundler.bundle.repair.run import repair_bundle
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.packing.documents.readme import make_readme
from bundler.progress import SILENT, Progress


def repair(
    directory: Path | str,
    others: Sequence[Path | str] = (),
    *,
    output: Path | str | None = None,
    partial: bool = False,
    choice: Choice = ALL_FILES,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress = SILENT,
) -> RepairReport:
    """Mend a bundle: every bad block from another copy that has it right, or from parity.

    Files that are not whole are made beside, one after the other, and take their names when their sha256 is
    proven. If a file lost blocks that cannot be had nothing is changed, unless ``partial``.

    Args:
        directory: The bundle; it may be a copy that was cut.
        others: Directories to take blocks from: copies, whole or not, and answers to requests.
        output: Write mended files and the tables there, and nothing into the bundle: the two together are whole.
        partial: Mend what can be mended, though something is lost.
        choice: ``Choice(applications=("shop",))`` or ``Choice(is_present=True)``: only these files, as on a stick
            that was never meant to hold all. What it leaves out is neither made nor missed.
        limits: Bounds on what is read.
        progress: Is told what goes on.

    Returns:
        What was wrong, what was done, and what is left: look at ``ok``.

    Raises:
        NotFound: a directory is not there.
        UsageError: directories that contradict each other, or hold different bundles.
        NotABundle, UnsupportedVersion, IncompleteBundle, DamagedBundle: there is no table of contents.
        OutputExists: another run is writing there, or the output holds something else.
        NoSpace, NotWritable, DiskError: the disk refused. What is finished stays, and the same repair goes on.
    """
    return repair_bundle(
        Path(directory),
        [Path(other) for other in others],
        make_readme=_readme,
        output=None if output is None else Path(output),
        partial=partial,
        choice=choice,
        limits=limits,
        progress=progress,
    )


def _readme(manifest: BundleManifest) -> bytes:
    return make_readme(manifest).encode("utf-8")
