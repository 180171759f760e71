"""Which parts are to be copied, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bundler.bundle.manifest import Application, BundleManifest, Part
from bundler.bundle.names import SHARED
from bundler.errors import NotFound


def needed_parts(manifest: BundleManifest, names: Collection[str] = ()) -> list[Part]:
    """Return the parts that some applications need, or all: in the order in which they should travel.

    What is shared comes first, since nothing is complete without it; then the smallest application, so that as
    many as can be are complete early.

    Raises:
        NotFound: the bundle has no such application.
    """
    chosen = _chosen(manifest, names)
    size = {archive.name: archive.size for archive in manifest.archives}
    archives = sorted((application.name for application in chosen), key=lambda name: (size[name], name))
    if SHARED in size and (not names or _need_shared(manifest, chosen)):
        archives.insert(0, SHARED)
    return [part for name in archives for part in manifest.archive_by_name[name].parts]


def _chosen(manifest: BundleManifest, names: Collection[str]) -> list[Application]:
    known = {application.name: application for application in manifest.applications}
    for name in names:
        if name not in known:
            raise NotFound(
                f"the bundle has no application {name!r}", advice=f"It has: {', '.join(sorted(known))}."
            )
    return [application for name, application in known.items() if not names or name in names]


def _need_shared(manifest: BundleManifest, applications: Iterable[Application]) -> bool:
    digests = {digest for application in applications for image in application.images for digest in image.blobs}
    return any(manifest.blob_by_digest[digest].archive == SHARED for digest in digests)
