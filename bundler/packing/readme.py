"""README.txt: how to check and import this very bundle by hand, without airbundle."""

from __future__ import annotations

from bundler.bundle.manifest import Application, BundleManifest
from bundler.bundle.names import BUNDLE_JSON, CHECKSUMS, SHARED, archive_file
from bundler.model.media_types import layer_compression
from bundler.model.reference import Reference
from bundler.model.sizes import format_size


def make_readme(manifest: BundleManifest) -> str:
    """Write the text; it depends on the bundle's table of contents and on nothing else."""
    total = sum(archive.size for archive in manifest.archives)
    lines = [
        f"Bundle {manifest.name} {manifest.version}",
        f"id {manifest.id}",
        f"{len(manifest.parts)} parts, {format_size(total)}",
        "",
        "CHECK",
        "  With airbundle:     airbundle verify .",
        f"  Without:            sha256sum -c {CHECKSUMS}",
        f"  Each line names one file. {BUNDLE_JSON} lists what is in which part.",
        "",
        "IMPORT WITH AIRBUNDLE",
        "  airbundle load .                          into a Docker engine",
        "  airbundle push . registry.example:5000    to a registry",
        "",
        "IMPORT BY HAND (sh, in this directory)",
    ]
    for application in manifest.applications:
        lines += ["", *_application(manifest, application)]
    if _has_zstd(manifest):
        lines += [
            "",
            "Layers are compressed with zstd. Docker engines before version 23 cannot read them from a",
            "joined file; `airbundle load` sends such an engine what it can read.",
        ]
    return "\n".join(lines) + "\n"


def _application(manifest: BundleManifest, application: Application) -> list[str]:
    joined = f"{application.name}.tar"
    glob = f"{archive_file(application.name)}*"
    if SHARED in manifest.archive_by_name:
        glob = f"{archive_file(SHARED)}* {glob}"
    lines = [
        f"  Application {application.name}",
        f"    cat {glob} | docker load",
        "    or, keeping every digest, image by image:",
        f"    cat {glob} > /tmp/{joined}",
    ]
    for image in application.images:
        reference = Reference.parse(image.reference)
        target = f"registry.example:5000/{reference.repository}" + (f":{reference.tag}" if reference.tag else "")
        lines.append(
            f"    skopeo copy --all --preserve-digests oci-archive:/tmp/{joined}:{image.reference} docker://{target}"
        )
    return lines


def _has_zstd(manifest: BundleManifest) -> bool:
    return any(layer_compression(blob.media_type) == "zstd" for blob in manifest.blobs)
