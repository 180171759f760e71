"""A pack whose bundle is there already: the last run was cut behind its last step, or is repeated."""

from __future__ import annotations

from pathlib import Path

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.names import BUNDLE_JSON
from bundler.bundle.reader import Bundle, open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.errors import AirbundleError, DamagedBundle, ExitStatus, IncompleteBundle
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan
from bundler.packing.resume.identity import is_the_bundle
from bundler.progress import Progress


def planned_bundle(directory: Path, plan: PackPlan, options: PackOptions) -> Bundle | None:
    """Return the bundle that this pack would make, if it lies there; its parts are not looked at.

    ``None`` where there is no bundle or another one: nothing is judged then.
    """
    if not (directory / BUNDLE_JSON).is_file():
        return None
    try:
        bundle = open_bundle(directory, limits=options.limits)
    except AirbundleError:
        return None
    return bundle if is_the_bundle(bundle.manifest, plan, options) else None


def check_finished(bundle: Bundle, progress: Progress) -> BundleManifest:
    """Check the blocks of a bundle that is there already; return its table of contents.

    Raises:
        IncompleteBundle: parts are missing. DamagedBundle: not all of it is right any more.
        DiskError: it cannot be read.
    """
    progress.message(f"{bundle.directory} holds this bundle already; its parts are checked")
    report = verify_bundle(bundle, "quick", progress=progress)
    if report.ok:
        return bundle.manifest
    first = report.findings[0]
    advice = "`airbundle verify` says more, `airbundle repair` may mend it; --restart packs it anew."
    if report.exit_status is ExitStatus.INCOMPLETE:
        raise IncompleteBundle(f"{bundle.directory} holds this bundle, but not {first.file}", advice=advice)
    raise DamagedBundle(f"{bundle.directory} holds this bundle, but {first.file} is damaged", advice=advice)
