"""What a classic store saves in answer to one request: images that share layers, each layer once."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from tests.fakes.engine_archives import OCI, chain_ids, descriptor_of, manifest_of, sha, short_name, tar

_CONFIGS = ("container_config", "config")
#: What an engine writes of a container that nothing was said of, in this order.
_NOTHING: dict[str, Any] = {
    "Hostname": "", "Domainname": "", "User": "",
    "AttachStdin": False, "AttachStdout": False, "AttachStderr": False,
    "Tty": False, "OpenStdin": False, "StdinOnce": False,
    "Env": None, "Cmd": None, "Image": "", "Volumes": None, "WorkingDir": "",
    "Entrypoint": None, "OnBuild": None, "Labels": None,
}  # fmt: skip


class SavedImages:
    """The files of one request: each layer is a file where the first image has it, and a link elsewhere."""

    def __init__(self, oci: bool, nameless: bool) -> None:
        self._oci, self._nameless = oci, nameless
        self._files: dict[str, bytes] = {}
        self._links: dict[str, str] = {}
        self._paths: dict[str, str] = {}
        self._table: list[dict[str, Any]] = []
        self._roots: list[dict[str, Any]] = []

    def add(self, config: bytes, layers: dict[str, bytes], name: str | None) -> None:
        image_id = sha(config)[7:]
        config_path = f"blobs/sha256/{image_id}" if self._oci else f"{image_id}.json"
        self._files[config_path] = config
        paths = self._add_layers(json.loads(config), layers)
        tags = [short_name(name)] if name else None
        self._table.append({"Config": config_path, "RepoTags": tags, "Layers": paths})
        if self._oci:
            blobs = [descriptor_of(OCI + "layer.v1.tar", self._files[path]) for path in paths]
            manifest = manifest_of(descriptor_of(OCI + "config.v1+json", config), blobs)
            self._files[f"blobs/sha256/{sha(manifest)[7:]}"] = manifest
            self._roots.append(descriptor_of(OCI + "manifest.v1+json", manifest))
            if name:
                self._roots[-1]["annotations"] = {
                    "io.containerd.image.name": name,
                    "org.opencontainers.image.ref.name": name.rpartition(":")[2],
                }

    def tar(self) -> bytes:
        files = dict(self._files)
        files["manifest.json"] = json.dumps(self._table).encode()
        if self._oci:
            files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": self._roots}).encode()
            files["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
        if any(row["RepoTags"] for row in self._table):
            files["repositories"] = b"{}\n"
        return tar(files, self._links)

    def _add_layers(self, config: dict[str, Any], layers: dict[str, bytes]) -> list[str]:
        diff_ids = config["rootfs"]["diff_ids"]
        result, parent = [], ""
        for place, (diff_id, chain) in enumerate(zip(diff_ids, chain_ids(diff_ids), strict=True)):
            document: dict[str, Any] = {"container_config": _NOTHING, "created": "1970-01-01T00:00:00Z"}
            if place == len(diff_ids) - 1:
                document = {key: value for key, value in config.items() if key not in ("rootfs", "history")}
                document = {"container_config": {}, "created": "0001-01-01T00:00:00Z"} | document
                document |= {key: _NOTHING | document[key] for key in _CONFIGS if key in document}
            hashed = document | {"layer_id": chain} | ({"parent": f"sha256:{parent}"} if parent else {})
            raw = json.dumps(dict(sorted(hashed.items())), separators=(",", ":"))
            v1_id = hashlib.sha256(raw.encode()).hexdigest()
            path = f"{v1_id}/layer.tar"
            if self._oci:
                path = f"blobs/sha256/{diff_id[7:]}"
            elif self._nameless:
                path = f"layer-{chain[7:]}.tar"
            else:
                said = {"id": v1_id, **({"parent": parent} if parent else {}), **document, "os": config["os"]}
                self._files[f"{v1_id}/json"] = json.dumps(said, separators=(",", ":")).encode()
                self._files[f"{v1_id}/VERSION"] = b"1.0"
            known = self._paths.setdefault(diff_id, path)
            if path == known:
                self._files[path] = layers[chain]
            else:
                self._links[path] = f"../{known}" if "/" in path else known
            result.append(path)
            parent = v1_id
        return result
