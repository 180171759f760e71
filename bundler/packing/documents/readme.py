"""README.txt: how to check and import this very bundle by hand, without airbundle.

Whoever reads it stands at a gate with the tools that are there. So it holds whole commands with the names of this
bundle, marked by four spaces, and of each reader it promises only what that one was seen to keep.
"""

from __future__ import annotations

from collections.abc import Sequence

from bundler.bundle.manifest import BundleManifest, Image
from bundler.bundle.names import CHECKSUMS
from bundler.model.media_types import INDEXES
from bundler.model.reference import Reference
from bundler.model.sizes import format_size
from bundler.packing.documents.readme_commands import ApplicationCommands

_REGISTRY = "registry.example:5000"
_POWERSHELL_CHECK = (
    f"Get-Content {CHECKSUMS} | ForEach-Object {{ $sum, $file = $_ -split '  '; "
    'if ((Get-FileHash $file).Hash -eq $sum) { "OK $file" } else { "FAILED $file" } }'
)


def make_readme(manifest: BundleManifest) -> str:
    """Write the text; it depends on the bundle's table of contents and on nothing else."""
    commands = [ApplicationCommands.of(manifest, application) for application in manifest.applications]
    lines = [
        *_head(manifest),
        *_check_and_import(),
        *_by_sh(commands),
        *_by_powershell(commands),
        *_what_stays(commands),
    ]
    return "\n".join(lines) + "\n"


def _head(manifest: BundleManifest) -> list[str]:
    count = len(manifest.parts)
    total = format_size(sum(archive.size for archive in manifest.archives))
    return [
        f"Bundle {manifest.name} {manifest.version}",
        f"id {manifest.id}",
        f"{count} {'part' if count == 1 else 'parts'}, {total}",
        "",
        "Lines that begin with four spaces are commands. Run them in this directory.",
        "",
    ]


def _check_and_import() -> list[str]:
    return [
        "1. CHECK: every line must say OK",
        "",
        "  sh",
        f"    sha256sum -c {CHECKSUMS}",
        "  PowerShell",
        f"    {_POWERSHELL_CHECK}",
        "",
        "  `airbundle verify .` says where a file is damaged, and which images that hits.",
        "",
        "2. IMPORT WITH AIRBUNDLE: sends what is missing, in a form that the receiver reads",
        "",
        "    airbundle load .",
        f"    airbundle push . {_REGISTRY}",
        "",
    ]


def _by_sh(commands: Sequence[ApplicationCommands]) -> list[str]:
    room = 2 * max(one.size for one in commands)
    lines = [
        "3. IMPORT BY HAND, sh: of each application the lines for the tool that you have",
        "",
        f"  First, for skopeo: your registry, and a directory with {format_size(room)} free.",
        f"    REGISTRY={_REGISTRY} WORK=${{WORK:-/var/tmp}}",
        "",
    ]
    for one in commands:
        lines += [f"  {one.name}", *(f"    {command}" for command in one.sh()), ""]
    return lines


def _by_powershell(commands: Sequence[ApplicationCommands]) -> list[str]:
    loaded = [one for one in commands if one.has_containers]
    if not loaded:
        return []
    lines = ["4. IMPORT BY HAND, PowerShell (into a registry: skopeo in WSL, as under 3)", ""]
    if joined := [one.size for one in loaded if one.is_joined]:
        lines += [f"  First: a directory with {format_size(max(joined))} free.", "    $Work = $env:TEMP", ""]
    for one in loaded:
        lines += [f"  {one.name}", *(f"    {command}" for command in one.powershell()), ""]
    return lines


def _what_stays(commands: Sequence[ApplicationCommands]) -> list[str]:
    images = [image for one in commands for image in one.images]
    lines = [
        "5. WHAT STAYS THE SAME",
        "",
        "  Every digest: with airbundle push, skopeo as above and ctr; in a Docker engine that has the containerd",
        "  store (`docker info` names io.containerd.snapshotter.v1).",
        "  Image IDs, layers and names, but no digests: in a Docker engine with another store.",
        *_podman(commands),
        *_special_images(images),
    ]
    if any(one.has_zstd for one in commands):
        lines += [
            "  Layers are compressed with zstd. Docker before 23 takes them from `airbundle load`, or",
            "  converted by skopeo as above; umoci does not read them.",
        ]
    return [*lines, "", "  Tried with Docker 20.10 and 26, podman 4.3, skopeo 1.9 and containerd 1.6."]


def _podman(commands: Sequence[ApplicationCommands]) -> list[str]:
    """Podman reads the OCI tables of an archive only if they hold one image, and of an index one platform."""
    loaded = [one for one in commands if one.has_containers]
    kept = [one.name for one in loaded if len(one.images) == 1 and not _is_index(one.images[0])]
    changed = [one.name for one in loaded if one.name not in kept]
    lines = []
    if kept:
        lines.append(f"  Every digest with podman: {', '.join(kept)}.")
    if changed:
        reason = "several images or platforms"
        lines.append(f"  Image IDs but not all digests with podman, for they have {reason}: {', '.join(changed)}.")
    return lines


def _is_index(image: Image) -> bool:
    return image.descriptor.media_type in INDEXES


def _special_images(images: Sequence[Image]) -> list[str]:
    lines = []
    if any(len(image.platforms) > 1 for image in images):
        lines += [
            "  Of images for several platforms `docker load` without the containerd store takes that for",
            "  linux/amd64, or else the first; `airbundle load` sends that for the engine's platform.",
        ]
    if any(image.platforms and Reference.parse(image.reference).tagged is None for image in images):
        lines.append("  Images without a tag get no name in Docker and podman, and are pushed by their digest.")
    chosen = sorted({f"{image.reference}: {', '.join(image.platforms)}" for image in images if image.left_out})
    if chosen:
        lines += [
            "  Here for some platforms only; skopeo as above pushes one, `airbundle push` all that are here:",
            *(f"  - {text}" for text in chosen),
        ]
    if any(image.referrers for image in images):
        lines += [
            "  Signatures, attestations and SBOMs come with their images by airbundle push, and by airbundle load",
            "  into a Docker engine that has the containerd store; by hand only their images come for sure.",
        ]
    artifacts = sorted({image.reference for image in images if not image.platforms})
    if artifacts:
        lines += [
            "  Nothing for Docker and podman, being no container images:",
            *(f"  - {name}" for name in artifacts),
        ]
    return lines
