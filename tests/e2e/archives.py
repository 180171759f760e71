"""Archives in every shape that is met, made with the standard library alone."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tests.e2e.layouts import CONFIG, INDEX, MANIFEST, Image, descriptor, sha256

#: Members of a tar: bytes for a file, text for what a symbolic link leads to.
Members = Mapping[str, bytes | str]
PLAIN_LAYER = "application/vnd.oci.image.layer.v1.tar"


def write_tar(path: Path, members: Members, *, backwards: bool = False) -> Path:
    """Write a tar, its members sorted as engines sort them; or the other way round."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name in sorted(members, key=lambda name: name.split("/"), reverse=backwards):
            content, member = members[name], tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def config_of(layers: Sequence[bytes]) -> bytes:
    """Return the image config of uncompressed layers, bottom first."""
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
        }
    ).encode()


def image_of(
    layers: Sequence[tuple[str, bytes]],
    config: bytes,
    config_type: str = CONFIG,
    foreign: Sequence[Mapping[str, Any]] = (),
    **more: Any,
) -> Image:
    """Return an image or artifact whose layers have these types and bytes as they are stored.

    ``foreign`` are descriptors of layers below them that nobody has.
    """
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(config_type, config),
        "layers": [*foreign, *(descriptor(media_type, content) for media_type, content in layers)],
        **more,
    }
    raw = json.dumps(manifest).encode()
    blobs = {sha256(content): content for content in (*(content for _, content in layers), config, raw)}
    return Image(blobs, descriptor(MANIFEST, raw))


def index_of(children: Sequence[Image | Mapping[str, Any]]) -> Image:
    """Return an index that lists images, and descriptors of what nobody need have."""
    listed = [child.manifest if isinstance(child, Image) else dict(child) for child in children]
    raw = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": listed}, indent=1).encode()
    blobs = {
        digest: content
        for child in children
        if isinstance(child, Image)
        for digest, content in child.blobs.items()
    }
    return Image({**blobs, sha256(raw): raw}, descriptor(INDEX, raw))


def old_members(images: Mapping[tuple[str, ...], Sequence[bytes]]) -> Members:
    """Return what ``docker save`` of engines before 25 writes, for images by their tags.

    A layer that was written for an image before is a link, here always to an entry that comes later.
    """
    members: dict[str, bytes | str] = {}
    table, kept = [], dict[bytes, str]()
    for number, (tags, layers) in enumerate(images.items()):
        names = []
        for layer in layers:
            letter = "z" if layer not in kept else "a"
            name = f"{letter}{number}{sha256(layer)[7:40]}/layer.tar"
            members[name] = f"../{kept[layer]}" if layer in kept else layer
            kept.setdefault(layer, name)
            names.append(name)
        config = config_of(layers)
        members[f"{sha256(config)[7:]}.json"] = config
        table.append({"Config": f"{sha256(config)[7:]}.json", "RepoTags": list(tags) or None, "Layers": names})
    repositories: dict[str, object] = {tag.rpartition(":")[0]: {} for tags in images for tag in tags}
    members["repositories"] = json.dumps(repositories).encode()
    members["manifest.json"] = json.dumps(table).encode()
    return members


def blob_members(images: Mapping[tuple[str, ...], Image], *, classic: bool) -> Members:
    """Return what ``docker save`` from 25 on writes: a layout, and the table of the old archives."""
    members: dict[str, bytes | str] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
    table, named = [], []
    for tags, image in images.items():
        members.update({f"blobs/sha256/{digest[7:]}": content for digest, content in image.blobs.items()})
        manifest = json.loads(image.blobs[image.manifest["digest"]])
        paths = ["blobs/sha256/" + item["digest"][7:] for item in (manifest["config"], *manifest["layers"])]
        table.append({"Config": paths[0], "RepoTags": list(tags) or None, "Layers": paths[1:]})
        for tag in tags:
            names = {"io.containerd.image.name": tag, "org.opencontainers.image.ref.name": tag.rpartition(":")[2]}
            named.append({**image.manifest, "annotations": names})
    if classic:
        members["repositories"] = b"{}"
    members["manifest.json"] = json.dumps(table).encode()
    members["index.json"] = json.dumps({"schemaVersion": 2, "manifests": named}).encode()
    return members


@contextmanager
def pipe_of(data: bytes) -> Iterator[IO[bytes]]:
    """A pipe into which a thread writes; whoever reads may stop early."""
    reader, writer = os.pipe()

    def write() -> None:
        with os.fdopen(writer, "wb", buffering=0) as file:
            try:
                file.write(data)
            except BrokenPipeError:
                return

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(reader, "rb") as file:
        yield file
    thread.join()


def packed(path: Path, program: str) -> Path:
    """Compress a file with the program that people use for it; the name does not tell."""
    target = path.with_name(f"{path.stem}-in-{program}.bin")
    with target.open("wb") as out:
        subprocess.run([program, "-c", str(path)], stdout=out, check=True, stderr=subprocess.DEVNULL)
    return target
