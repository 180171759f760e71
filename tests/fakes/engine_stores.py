"""The two kinds of image stores of the fake engine, as real engines were seen to keep and save images."""

from __future__ import annotations

import gzip
import io
import json
import random
from typing import Any, Protocol

import zstandard

from tests.fakes.engine_archives import (
    LoadFailed,
    chain_ids,
    full_name,
    sha,
    short_name,
    tar,
    untar,
)
from tests.fakes.engine_saves import SavedImages


class Store(Protocol):
    """What the server asks of a store; names are complete, such as ``docker.io/library/busybox:1``."""

    names: dict[str, str]
    driver_status: list[list[str]]

    def find(self, name: str) -> str | None: ...
    def inspect(self, name: str) -> dict[str, Any] | None: ...
    def listing(self, with_manifests: bool) -> list[dict[str, Any]]: ...
    def remove(self, name: str) -> None: ...
    def unpack(self, body: bytes) -> dict[str, bytes]: ...
    def load(self, files: dict[str, bytes]) -> list[str]: ...
    def save(self, names: list[str], nameless: bool) -> bytes: ...


class _Named:
    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.images: dict[str, bytes] = {}

    def find(self, name: str) -> str | None:
        if name in self.images:
            return name
        if "@" in name:
            digest = name.partition("@")[2]
            return digest if digest in self.images else None
        return self.names.get(full_name(name))

    def remove(self, name: str) -> None:
        found = self.find(name)
        self.names.pop(full_name(name), None)
        if found not in self.names.values():
            self.images.pop(found or "", None)

    def unpack(self, body: bytes) -> dict[str, bytes]:
        return untar(body)

    def tags(self, image_id: str) -> list[str]:
        return [short_name(name) for name, target in self.names.items() if target == image_id]


class ClassicStore(_Named):
    """Configs by image ID, uncompressed layers by ChainID; what else came with an image is lost."""

    def __init__(self, reads_zstd: bool, saves_oci: bool) -> None:
        super().__init__()
        self.driver_status = [["Backing Filesystem", "extfs"]]
        self._reads_zstd, self._saves_oci = reads_zstd, saves_oci
        self.layers: dict[str, bytes] = {}

    def inspect(self, name: str) -> dict[str, Any] | None:
        image_id = self.find(name)
        if image_id is None:
            return None
        config = json.loads(self.images[image_id])
        diff_ids = config["rootfs"]["diff_ids"]
        return {
            "Id": image_id,
            "RepoTags": self.tags(image_id),
            "RepoDigests": [],
            "Os": config["os"],
            "Architecture": config["architecture"],
            "Variant": config.get("variant", ""),
            "Size": sum(len(self.layers[chain]) for chain in chain_ids(diff_ids)),
            "RootFS": {"Type": "layers", "Layers": diff_ids},
        }

    def listing(self, with_manifests: bool) -> list[dict[str, Any]]:
        return [{"Id": image_id, "RepoTags": self.tags(image_id)} for image_id in self.images]

    def load(self, files: dict[str, bytes]) -> list[str]:
        lines = []
        for entry in json.loads(files.get("manifest.json", b"[]")):
            config = files[entry["Config"]]
            diff_ids = json.loads(config)["rootfs"]["diff_ids"]
            fresh = {}
            for path, diff_id, chain in zip(entry["Layers"], diff_ids, chain_ids(diff_ids), strict=True):
                if chain in self.layers:
                    continue
                if path not in files:
                    raise LoadFailed(f"open /var/lib/docker/tmp/{path}: no such file or directory")
                fresh[chain] = self._unpacked(files[path])
                if sha(fresh[chain]) != diff_id:
                    raise LoadFailed(f"invalid diffID: expected {diff_id}, got {sha(fresh[chain])}")
            self.layers.update(fresh)
            self.images[sha(config)] = config
            for name in entry["RepoTags"] or []:
                if "@" in name:
                    raise LoadFailed(f'invalid tag "{name}"')
                self.names[full_name(name)] = sha(config)
                lines.append(f"Loaded image: {short_name(name)}")
        return lines

    def save(self, names: list[str], nameless: bool) -> bytes:
        saved = SavedImages(self._saves_oci, nameless)
        # As with real ones: which image comes first, and so has the file of a shared layer, is left to chance.
        for name in random.sample(names, len(names)):
            image_id = self.find(name)
            assert image_id is not None
            saved.add(self.images[image_id], self.layers, None if name in self.images else full_name(name))
        return saved.tar()

    def _unpacked(self, data: bytes) -> bytes:
        if data[:2] == b"\x1f\x8b":
            return gzip.decompress(data)
        if data[:4] == b"\x28\xb5\x2f\xfd":
            if not self._reads_zstd:
                raise LoadFailed("Error processing tar file(exit status 1): archive/tar: invalid tar header")
            return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read()
        return data


class ContainerdStore(_Named):
    """Blobs by digest, and an image as the descriptor of its root; whether all is there is nobody's business."""

    def __init__(self) -> None:
        super().__init__()
        self.driver_status = [["driver-type", "io.containerd.snapshotter.v1"]]
        self.blobs: dict[str, bytes] = {}

    def inspect(self, name: str) -> dict[str, Any] | None:
        image_id = self.find(name)
        if image_id is None:
            return None
        described: dict[str, Any] = {"Id": image_id, "RepoTags": self.tags(image_id), "RepoDigests": []}
        manifests = self._manifests(image_id)
        configs = [json.loads(self.blobs.get(manifest["config"]["digest"], b"{}")) for manifest in manifests]
        # The platform of the engine before all others, as with real ones.
        for config in sorted(configs, key=lambda config: config.get("architecture") != "amd64"):
            if "rootfs" in config:
                described |= {"Os": config["os"], "Architecture": config["architecture"], "Size": 1}
                described["RootFS"] = {"Type": "layers", "Layers": config["rootfs"]["diff_ids"]}
                break
        return described

    def listing(self, with_manifests: bool) -> list[dict[str, Any]]:
        result = []
        for image_id in self.images:
            manifests = [
                {"Descriptor": {"digest": digest}, "Available": self._is_whole(digest)}
                for digest in self._reachable(image_id)
                if "config" in _object(self.blobs.get(digest, b""))
            ]
            if not any(manifest["Available"] for manifest in manifests):
                continue
            result.append(
                {
                    "Id": image_id,
                    "RepoTags": self.tags(image_id),
                    "Manifests": manifests if with_manifests else None,
                }
            )
        return result

    def load(self, files: dict[str, bytes]) -> list[str]:
        self.blobs.update({sha(data): data for path, data in files.items() if path[-64:] == sha(data)[7:]})
        lines = []
        for root in json.loads(files.get("index.json", b'{"manifests": []}'))["manifests"]:
            self.images[root["digest"]] = json.dumps(
                {key: root[key] for key in ("mediaType", "digest", "size")}
            ).encode()
            if name := root.get("annotations", {}).get("io.containerd.image.name"):
                before = self.names.get(name)
                self.names[name] = root["digest"]
                if before is not None and before not in self.names.values():
                    # What loses its last name is dropped; only from 29 on it stays without one.
                    del self.images[before]
                lines.append(f"Loaded image: {name}")
        return lines

    def save(self, names: list[str], nameless: bool) -> bytes:
        (name,) = names  # nobody asks this kind for more
        image_id = self.find(name)
        assert image_id is not None
        root = json.loads(self.images[image_id])
        if "@" not in name and name not in self.images:
            root["annotations"] = {
                "io.containerd.image.name": full_name(name),
                "org.opencontainers.image.ref.name": full_name(name).rpartition(":")[2],
            }
        files = {
            f"blobs/sha256/{digest[7:]}": self.blobs[digest]
            for digest in self._reachable(image_id)
            if digest in self.blobs
        }
        table = [
            {
                "Config": f"blobs/sha256/{manifest['config']['digest'][7:]}",
                "RepoTags": [short_name(full_name(name))] if "annotations" in root else None,
                "Layers": [f"blobs/sha256/{layer['digest'][7:]}" for layer in manifest["layers"]],
            }
            for manifest in self._manifests(image_id)[:1]
        ]
        files["manifest.json"] = json.dumps(table).encode()
        files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [root]}).encode()
        files["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
        return tar(files)

    def _reachable(self, digest: str) -> list[str]:
        node = _object(self.blobs.get(digest, b""))
        children = [*node.get("manifests", []), *([node["config"]] if "config" in node else [])]
        children += node.get("layers", [])
        return [digest, *(found for child in children for found in self._reachable(child["digest"]))]

    def _manifests(self, image_id: str) -> list[dict[str, Any]]:
        nodes = [_object(self.blobs.get(digest, b"")) for digest in self._reachable(image_id)]
        return [node for node in nodes if "layers" in node]

    def _is_whole(self, digest: str) -> bool:
        return all(reached in self.blobs for reached in self._reachable(digest))


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        return {}
    # Configs have keys of the same names with another meaning.
    return value if isinstance(value, dict) and "schemaVersion" in value else {}
