"""Small OCI layouts made with the standard library alone, so that they check the product, not themselves."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def sha256(data: bytes) -> str:
    """Return the digest of some bytes as OCI writes it."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor(media_type: str, data: bytes) -> dict[str, Any]:
    """Return the descriptor of some bytes."""
    return {"mediaType": media_type, "digest": sha256(data), "size": len(data)}


def layer(name: str, size: int) -> bytes:
    """Return an uncompressed layer with one file of ``size`` bytes that hardly compress."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo(f"srv/{name}")
        member.size, member.mode = size, 0o644
        tar.addfile(member, io.BytesIO(random.Random(name).randbytes(size)))
    return out.getvalue()


@dataclass
class Image:
    """One image as blobs by digest, with its manifest's descriptor."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, *layers: bytes, given: tuple[bytes, ...] | None = None, architecture: str = "amd64") -> Image:
        """Make an image of uncompressed layers, bottom first, stored as gzip.

        With ``given`` the image is a liar: its config names ``layers``, and it stores those instead.
        """
        stored = [gzip.compress(content, compresslevel=1, mtime=0) for content in given or layers]
        config = json.dumps(
            {
                "architecture": architecture,
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [sha256(content) for content in layers]},
            }
        ).encode()
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": descriptor(CONFIG, config),
                "layers": [descriptor(LAYER, content) for content in stored],
            }
        ).encode()
        blobs = {sha256(content): content for content in (*stored, config, manifest)}
        return cls(blobs, descriptor(MANIFEST, manifest))

    @property
    def layer_digests(self) -> list[str]:
        """The digests of the stored layers, bottom first."""
        document = json.loads(self.blobs[self.manifest["digest"]])
        return [stored["digest"] for stored in document["layers"]]


def index_of(images: Mapping[str, Image], attestations: Mapping[str, Image] | None = None) -> Image:
    """Return an index of images for Linux, and of what attests some of them, both by architecture."""
    attesting = attestations or {}
    parts = (*images.values(), *attesting.values())
    blobs = {digest: content for image in parts for digest, content in image.blobs.items()}
    children = [
        {**image.manifest, "platform": {"os": "linux", "architecture": architecture}}
        for architecture, image in images.items()
    ]
    children += [
        {
            **image.manifest,
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {
                "vnd.docker.reference.digest": images[architecture].manifest["digest"],
                "vnd.docker.reference.type": "attestation-manifest",
            },
        }
        for architecture, image in attesting.items()
    ]
    # Not as a program of ours would write it: the bytes must stay, not the meaning.
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": children}, indent=1).encode()
    return Image({**blobs, sha256(index): index}, descriptor(INDEX, index))


def artifact(payload: bytes, subject: dict[str, Any]) -> Image:
    """Return what is no container image, and refers to one."""
    config = b"{}"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": "application/vnd.test.sbom",
            "config": descriptor("application/vnd.oci.empty.v1+json", config),
            "layers": [descriptor("application/vnd.test.sbom", payload)],
            "subject": subject,
        }
    ).encode()
    blobs = {sha256(content): content for content in (config, payload, manifest)}
    return Image(blobs, descriptor(MANIFEST, manifest))


def signature(payload: bytes, signed: str) -> Image:
    """Return what cosign keeps under a tag: what was signed as a layer, and the signature in its annotation."""
    note = {"dev.cosignproject.cosign/signature": signed}
    layer = {**descriptor("application/vnd.dev.cosign.simplesigning.v1+json", payload), "annotations": note}
    rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
    config = json.dumps({"architecture": "", "os": "", "config": {}, "rootfs": rootfs}).encode()
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(CONFIG, config), "layers": [layer]}
    ).encode()
    blobs = {sha256(content): content for content in (config, payload, manifest)}
    return Image(blobs, descriptor(MANIFEST, manifest))


def cosign_tag(subject: Image) -> str:
    """Return the tag under which cosign keeps signatures of an image."""
    return f"{subject.manifest['digest'].replace(':', '-')}.sig"


def blob_path(layout: Path, digest: str) -> Path:
    """Return where a layout keeps a blob."""
    return layout / "blobs" / digest.replace(":", "/")


def write_layout(directory: Path, images: dict[str, Image]) -> Path:
    """Write a layout directory that holds images under full names; return it."""
    (directory / "blobs" / "sha256").mkdir(parents=True)
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    for image in images.values():
        for digest, content in image.blobs.items():
            blob_path(directory, digest).write_bytes(content)
    named = [
        {**image.manifest, "annotations": {"org.opencontainers.image.ref.name": name}}
        for name, image in images.items()
    ]
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": named}))
    return directory


def write_docker_archive(path: Path, name: str, layers: list[bytes]) -> Path:
    """Write what ``docker save`` of an older engine writes, for one image; return the path."""
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [sha256(content) for content in layers]},
        }
    ).encode()
    config_name = sha256(config).removeprefix("sha256:") + ".json"
    names = [f"{sha256(content).removeprefix('sha256:')}/layer.tar" for content in layers]
    table = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": names}]).encode()
    members = [*zip(names, layers, strict=True), (config_name, config), ("manifest.json", table)]
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for member_name, content in members:
            member = tarfile.TarInfo(member_name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path
