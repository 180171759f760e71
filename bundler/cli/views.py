"""How a bundle's table of contents is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from bundler.bundle.manifest import Blob, BundleManifest, Image
from bundler.bundle.names import SHARED
from bundler.cli.console import Console
from bundler.model.reference import Reference
from bundler.model.sizes import format_size

_MOST_RULES = 3


def bundle_summary(manifest: BundleManifest) -> dict[str, object]:
    """Return what ``pack`` and ``inspect`` print as JSON."""
    shared = manifest.archive_by_name.get(SHARED)
    return {
        "id": manifest.id,
        "name": manifest.name,
        "version": manifest.version,
        "size": sum(archive.size for archive in manifest.archives),
        "shared_size": shared.size if shared else 0,
        "applications": [
            {
                "name": application.name,
                "size": manifest.archive_by_name[application.name].size,
                "images": [_image(manifest, image) for image in application.images],
            }
            for application in manifest.applications
        ],
        **({"rename": [msgspec.to_builtins(rule) for rule in manifest.rename]} if manifest.rename else {}),
        "parts": [{"file": part.file, "size": part.size, "sha256": part.sha256} for part in manifest.parts],
    }


def show_images(console: Console, manifest: BundleManifest) -> None:
    """Print a table of the images."""
    rows = [("APPLICATION", "IMAGE", "PLATFORMS", "SIZE", "SHARED", "DIGEST", "KEPT")]
    for application in manifest.applications:
        for image in application.images:
            rows.append(
                (
                    application.name,
                    Reference.parse(image.reference).familiar,
                    (",".join(image.platforms) or "-") + (" of more" if image.left_out else ""),
                    format_size(_size(manifest, image)),
                    format_size(_shared_size(manifest, image)),
                    image.descriptor.digest.short,
                    "digest" if image.digest_preserved else "image ID",
                )
            )
    show_table(console, rows)
    console.line()


def show_summary(console: Console, manifest: BundleManifest) -> None:
    """Print what the bundle is and how large, in a few lines."""
    total = sum(archive.size for archive in manifest.archives)
    shared = manifest.archive_by_name.get(SHARED)
    console.line(f"bundle   {manifest.name} {manifest.version}")
    console.line(f"id       {manifest.id}")
    images = [image for application in manifest.applications for image in application.images]
    console.line(
        f"holds    {len(manifest.applications)} applications, {len(images)} images, {len(manifest.blobs)} blobs"
    )
    if referrers := {row.descriptor.digest for image in images for row in image.referrers}:
        console.line(f"with     {len(referrers)} referrers of images: signatures, attestations, SBOMs")
    note = f", of which {format_size(shared.size)} shared by applications" if shared else ""
    console.line(f"size     {format_size(total)} in {len(manifest.parts)} parts{note}")
    if manifest.rename:
        rules = "; ".join(map(str, manifest.rename[:_MOST_RULES]))
        more = f"; and {len(manifest.rename) - _MOST_RULES} more" if len(manifest.rename) > _MOST_RULES else ""
        console.line(f"names    in registries: {rules}{more}")


def show_table(console: Console, rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns as wide as they must be; the last column has no padding."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        console.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _image(manifest: BundleManifest, image: Image) -> dict[str, object]:
    return {
        "reference": image.reference,
        "source": image.source,
        "digest": image.descriptor.digest,
        "media_type": image.descriptor.media_type,
        "digest_preserved": image.digest_preserved,
        **({"smoke": list(image.smoke)} if image.smoke else {}),
        "platforms": list(image.platforms),
        "image_ids": list(image.image_ids),
        "left_out": list(image.left_out),
        "size": _size(manifest, image),
        "shared_size": _shared_size(manifest, image),
        "referrers": [
            {"digest": row.descriptor.digest, "subject": row.subject, "tag": row.tag or None}
            for row in image.referrers
        ],
    }


def _size(manifest: BundleManifest, image: Image) -> int:
    return sum(blob.size for blob in _blobs(manifest, image))


def _shared_size(manifest: BundleManifest, image: Image) -> int:
    return sum(blob.size for blob in _blobs(manifest, image) if blob.archive == SHARED)


def _blobs(manifest: BundleManifest, image: Image) -> Iterable[Blob]:
    return (manifest.blob_by_digest[digest] for digest in image.blobs)
