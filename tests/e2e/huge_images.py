"""Images whose layers are files with a hole: however large, they take no disk and next to no time to make."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.layouts import CONFIG, MANIFEST, blob_path, descriptor

_MIB, _GIB = 1 << 20, 1 << 30
_LAYER = "application/vnd.oci.image.layer.v1.tar"


def _header(name: str, size: int) -> bytes:
    """Return a tar header as GNU tar writes it, with base-256 sizes; tarfile would want the bytes too."""
    header = bytearray(512)
    header[: len(name)] = name.encode()
    octal = b"%011o\0" % size if size < 8 * _GIB else b"\x80" + size.to_bytes(11, "big")
    header[100:148] = b"0000644\x000000000\x000000000\x00" + octal + b"00000000000\0"
    header[148:157] = b" " * 8 + b"0"
    header[257:265] = b"ustar\x0000"
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@dataclass(frozen=True)
class HugeLayer:
    """A layer with one file of zeros; only its first 512 bytes are anything else."""

    head: bytes
    size: int
    digest: str

    @classmethod
    def of(cls, file_bytes: int, name: str = "srv/huge") -> HugeLayer:
        """Make a layer with a file of so many bytes, whole MiB; hashing it takes a second for 2 GiB."""
        head = _header(name, file_bytes)
        result = hashlib.sha256(head)
        zeros = bytes(_MIB)
        for _ in range(file_bytes // _MIB):
            result.update(zeros)
        result.update(bytes(1024))
        return cls(head, len(head) + file_bytes + 1024, f"sha256:{result.hexdigest()}")


class HugeImage:
    """An image of such layers."""

    def __init__(self, name: str, layers: Sequence[HugeLayer]) -> None:
        self.name = name
        self.layers = tuple(layers)
        self.size = sum(layer.size for layer in layers)
        config: dict[str, Any] = {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        }
        self.config = json.dumps(config).encode()

    def write_layout(self, directory: Path) -> Path:
        """Write an OCI layout that keeps the layers plain."""
        (directory / "blobs/sha256").mkdir(parents=True)
        for layer in self.layers:
            with blob_path(directory, layer.digest).open("wb") as file:
                file.write(layer.head)
                file.truncate(layer.size)
        rows = [{"mediaType": _LAYER, "digest": layer.digest, "size": layer.size} for layer in self.layers]
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": descriptor(CONFIG, self.config),
                "layers": rows,
            }
        ).encode()
        root = descriptor(MANIFEST, manifest)
        for document in (self.config, manifest):
            blob_path(directory, descriptor("", document)["digest"]).write_bytes(document)
        root["annotations"] = {"org.opencontainers.image.ref.name": self.name}
        (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [root]}))
        return directory

    def write_docker_archive(self, path: Path) -> Path:
        """Write what ``docker save`` writes."""
        names = [f"{number}/layer.tar" for number in range(len(self.layers))]
        table = json.dumps([{"Config": "config.json", "RepoTags": [self.name], "Layers": names}]).encode()
        with path.open("wb") as file:
            for name, layer in zip(names, self.layers, strict=True):
                start = file.tell()
                file.write(_header(name, layer.size) + layer.head)
                # Layers are whole blocks of a tar: nothing pads them.
                file.truncate(start + 512 + layer.size)
                file.seek(start + 512 + layer.size)
            for name, data in (("config.json", self.config), ("manifest.json", table)):
                file.write(_header(name, len(data)) + data + bytes(-len(data) % 512))
            file.write(bytes(1024))
        return path
