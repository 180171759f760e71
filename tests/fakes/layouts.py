"""Writes OCI layouts the plain way, so that tests do not prove the code by itself."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bundler.content.images import RegistryForm
from bundler.model.json_documents import canonical_json
from tests.fakes.memory import MemorySource

REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"


def entry(image: RegistryForm, ref_name: str | None = None, containerd: str | None = None) -> dict[str, object]:
    """Return a descriptor for ``index.json`` with the names that are given."""
    root = image.tree.root
    names = {REF_NAME: ref_name, CONTAINERD_NAME: containerd}
    given = {key: name for key, name in names.items() if name is not None}
    value = {"mediaType": root.media_type, "digest": str(root.digest), "size": root.size}
    return {**value, **({"annotations": given} if given else {})}


def layout_files(source: MemorySource, entries: Sequence[Mapping[str, object]]) -> dict[str, bytes]:
    """Return the files of a layout that holds all blobs of the source and lists these entries."""
    return {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": canonical_json({"schemaVersion": 2, "manifests": list(entries)}),
        **{f"blobs/sha256/{digest.hex}": data for digest, data in source.blobs.items()},
    }


def write_directory(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def write_archive(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def listed(path: Path) -> list[dict[str, object]]:
    """Return the entries of a layout's ``index.json``."""
    manifests: list[dict[str, object]] = json.loads((path / "index.json").read_bytes())["manifests"]
    return manifests
