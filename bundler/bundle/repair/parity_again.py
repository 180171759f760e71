"""Makes parity again whose table is lost, when all else of a bundle is whole."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bundler.bundle.findings import Finding
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.names import PARITY_JSON
from bundler.bundle.parity.check import is_of_parity_table
from bundler.bundle.parity.making import make_parity_again
from bundler.bundle.reader import Bundle
from bundler.bundle.repair.aside import set_aside
from bundler.errors import AirbundleError
from bundler.model.limits import Limits
from bundler.progress import Progress


def is_parity_lost(findings: Iterable[Finding]) -> bool:
    """Tell whether there is parity without a table that can be used; one of another version is not made anew."""
    return any(is_of_parity_table(found) and found.code != "other-version" for found in findings)


def make_lost_parity(directory: Path, manifest: BundleManifest, limits: Limits, progress: Progress) -> bool:
    """Make as much parity as there was; tell whether that could be done.

    The bundle is whole without it, so what hinders this is told and raises nothing.

    Args:
        directory: Holds the whole bundle; the caller has locked it.
        manifest: Its table of contents.
        limits: Bounds on what is read.
        progress: Is told the bytes of parts that were read, and what hinders.
    """
    try:
        set_aside(directory / PARITY_JSON)
        make_parity_again(Bundle(directory, manifest, limits=limits), progress)
    except AirbundleError as error:
        progress.message(f"the parity was not made again: {error}")
        return False
    return True
