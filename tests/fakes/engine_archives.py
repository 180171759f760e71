"""Tars, names and digests as engines handle them; written apart from the code that they test."""

from __future__ import annotations

import hashlib
import io
import json
import posixpath
import tarfile
from typing import Any

OCI = "application/vnd.oci.image."


class LoadFailed(Exception):
    """What the engine would report in the answer to a load."""


def sha(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def full_name(name: str) -> str:
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif not ("." in first or ":" in first or first == "localhost"):
        name = f"docker.io/{name}"
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


def short_name(name: str) -> str:
    return name.removeprefix("docker.io/library/").removeprefix("docker.io/")


def tar(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """Pack files and symbolic links, sorted as an engine sorts them: directory by directory."""
    out, links = io.BytesIO(), links or {}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted({*files, *links}, key=lambda name: name.split("/")):
            entry = tarfile.TarInfo(name)
            if name in links:
                entry.type, entry.linkname = tarfile.SYMTYPE, links[name]
                archive.addfile(entry)
            else:
                entry.size = len(files[name])
                archive.addfile(entry, io.BytesIO(files[name]))
    return out.getvalue()


def untar(body: bytes) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(body), mode="r:") as archive:
            for entry in archive:
                if entry.issym():
                    links[entry.name] = posixpath.normpath(
                        posixpath.join(posixpath.dirname(entry.name), entry.linkname)
                    )
                elif entry.isfile():
                    files[entry.name] = archive.extractfile(entry).read()  # type: ignore[union-attr]
    except tarfile.TarError as error:
        raise LoadFailed(f"Error processing tar file: {error}") from error
    return {**files, **{name: files[target] for name, target in links.items() if target in files}}


def chain_ids(diff_ids: list[str]) -> list[str]:
    chains: list[str] = []
    for diff_id in diff_ids:
        chains.append(sha(f"{chains[-1]} {diff_id}".encode()) if chains else diff_id)
    return chains


def descriptor_of(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": sha(data), "size": len(data)}


def manifest_of(config: dict[str, Any], layers: list[dict[str, Any]]) -> bytes:
    media_type = OCI + "manifest.v1+json"
    document = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers}
    return json.dumps(document).encode()
