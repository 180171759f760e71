"""Very many very small images, in the forms in which a pack finds them."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bundler.bundle.checksums import write_checksums
from bundler.bundle.manifest import (
    SMALLEST_BLOCK,
    Application,
    Archive,
    Blob,
    Image,
    Part,
    write_bundle_manifest,
)
from bundler.bundle.names import BUNDLE_JSON, BUNDLE_JSON_COPY, CHECKSUMS
from bundler.content.hashing import PartSums
from bundler.model.digest import Digest
from tests.e2e.layouts import CONFIG, MANIFEST, descriptor, sha256

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_LAYER_BYTES = 512
_GROUPS = 20


@dataclass(frozen=True)
class ManyImages:
    """``images`` images, each of ``layers`` layers of its own: ``images`` times (``layers`` + 2) blobs."""

    images: int
    layers: int = 8

    @property
    def blobs(self) -> int:
        """Manifests, configs and layers together."""
        return self.images * (self.layers + 2)

    def name(self, number: int) -> str:
        """Return the full name of an image."""
        return f"many.test/group{number % _GROUPS}/image{number}:1"

    def write_layout(self, directory: Path) -> Path:
        """Write an OCI layout; return its directory."""
        folder = directory / "blobs" / "sha256"
        folder.mkdir(parents=True)
        roots = []
        for number in range(self.images):
            layers, config = self._content(number)
            stored = [{"mediaType": _LAYER, "digest": sha256(data), "size": len(data)} for data in layers]
            manifest = json.dumps(
                {
                    "schemaVersion": 2,
                    "mediaType": MANIFEST,
                    "config": descriptor(CONFIG, config),
                    "layers": stored,
                }
            ).encode()
            for data in (*layers, config, manifest):
                (folder / sha256(data).removeprefix("sha256:")).write_bytes(data)
            root = descriptor(MANIFEST, manifest)
            roots.append({**root, "annotations": {"org.opencontainers.image.ref.name": self.name(number)}})
        (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": roots}))
        return directory

    def write_docker_archive(self, path: Path) -> Path:
        """Write what ``docker save`` of an older engine writes; return the path."""
        table = []
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for number in range(self.images):
                layers, config = self._content(number)
                names = [f"{sha256(data).removeprefix('sha256:')}/layer.tar" for data in layers]
                config_name = sha256(config).removeprefix("sha256:") + ".json"
                for name, data in zip((*names, config_name), (*layers, config), strict=True):
                    _add(tar, name, data)
                table.append({"Config": config_name, "RepoTags": [self.name(number)], "Layers": names})
            _add(tar, "manifest.json", json.dumps(table).encode())
        return path

    def write_bundle(self, directory: Path) -> Path:
        """Write a bundle as far as ``inspect`` and ``verify --level quick`` look: its parts are holes."""
        directory.mkdir()
        groups = {f"group{group}": range(group, self.images, _GROUPS) for group in range(_GROUPS)}
        blobs: list[Blob] = []
        applications, archives = [], []
        for group, numbers in groups.items():
            size = len(numbers) * (self.layers + 2) * 2 * _LAYER_BYTES
            sums = PartSums(SMALLEST_BLOCK)
            sums.update(memoryview(bytes(size)))
            part = Part(
                file=f"{group}.oci.tar", size=size, sha256=sums.sha256, xxh3_128=sums.xxh3_128, blocks=sums.blocks
            )
            (directory / part.file).touch()
            os.truncate(directory / part.file, size)
            archives.append(Archive(name=group, size=size, parts=(part,)))
            images: list[Image] = []
            for number in numbers:
                rows = self._rows(number, group, len(images) * (self.layers + 2))
                blobs += rows
                images.append(self._image(number, rows))
            applications.append(Application(name=group, images=tuple(images)))
        manifest = write_bundle_manifest(
            name="many",
            version="1",
            part_bytes=0,
            block_bytes=SMALLEST_BLOCK,
            applications=tuple(applications),
            archives=tuple(archives),
            blobs=tuple(blobs),
        )
        for name in (BUNDLE_JSON, BUNDLE_JSON_COPY):
            (directory / name).write_bytes(manifest.raw)
        (directory / CHECKSUMS).write_bytes(write_checksums(manifest))
        return directory

    def _rows(self, number: int, archive: str, before: int) -> list[Blob]:
        """Return the rows of an image's manifest, config and layers, which lie behind ``before`` other blobs."""
        types = [MANIFEST, CONFIG, *[_LAYER] * self.layers]
        rows = []
        for place, media_type in enumerate(types):
            digest = Digest(sha256(f"blob {place} of image {number}".encode()))
            is_layer = media_type == _LAYER
            rows.append(
                Blob(
                    digest=digest,
                    size=_LAYER_BYTES,
                    media_type=media_type,
                    archive=archive,
                    offset=((before + place) * 2 + 1) * _LAYER_BYTES,
                    diff_id=digest if is_layer else None,
                    uncompressed_size=_LAYER_BYTES if is_layer else None,
                )
            )
        return rows

    def _image(self, number: int, rows: list[Blob]) -> Image:
        return Image(
            reference=self.name(number),
            source="oci",
            descriptor=rows[0].descriptor,
            platforms=("linux/amd64",),
            image_ids=(rows[1].digest,),
            blobs=tuple(row.digest for row in rows),
            digest_preserved=True,
        )

    def _content(self, number: int) -> tuple[list[bytes], bytes]:
        """Return the layers and the config of an image."""
        layers = list(self._layers(number))
        config: dict[str, Any] = {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [sha256(data) for data in layers]},
        }
        return layers, json.dumps(config).encode()

    def _layers(self, number: int) -> Iterator[bytes]:
        for layer in range(self.layers):
            yield f"layer {layer} of image {number}".encode().ljust(_LAYER_BYTES, b"\0")


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
