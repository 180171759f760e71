"""What the images under samples/images hold: layers, configs, and the archives and layouts around them.

No library that compresses takes part, because its next version may write other bytes: archives are plain, and the
compressed layers of the OCI layouts are gzip and zstd that store their input as it is.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bundler.content.hashing import sha256  # the checkout comes first
from bundler.content.tar import BLOCK_BYTES, END_OF_ARCHIVE, padding
from bundler.model import media_types
from bundler.model.json_documents import canonical_json

KIB = 1024
CREATED = "2026-01-01T00:00:00Z"


# -- layers -------------------------------------------------------------------------------------------------


def noise(seed: str, size: int) -> bytes:
    """Return bytes that no compression makes smaller, so that a bundle of them has several parts."""
    out = bytearray()
    while len(out) < size:
        out += bytes.fromhex(sha256(f"{seed} {len(out)}".encode()).hex)
    return bytes(out[:size])


def prose(title: str, lines: int) -> bytes:
    """Return text that compresses well, so that the sizes show that something was compressed."""
    return "".join(f"{title}, line {number} of {lines}\n" for number in range(1, lines + 1)).encode()


def tar_header(name: str, size: int = 0, kind: bytes = b"0", link: str = "") -> bytes:
    """Return a ustar header; the standard library's differs in unused fields from release to release."""
    mode = {b"0": 0o644, b"2": 0o777, b"5": 0o755}[kind]
    header = bytearray(BLOCK_BYTES)
    struct.pack_into(
        "100s8s8s8s12s12s8s1s100s8s", header, 0,
        name.encode(), b"%07o" % mode, b"%07o" % 0, b"%07o" % 0, b"%011o" % size, b"%011o" % 0,
        b" " * 8, kind, link.encode(), b"ustar\x0000",
    )  # fmt: skip
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def tar(entries: Mapping[str, bytes | str | None]) -> bytes:
    """Return a tar: bytes are a file, ``None`` is a directory, a text is a symbolic link to it."""
    out = bytearray()
    for name, content in entries.items():
        if isinstance(content, bytes):
            out += tar_header(name, len(content)) + content + bytes(padding(len(content)))
        elif content is None:
            out += tar_header(name, kind=b"5")
        else:
            out += tar_header(name, kind=b"2", link=content)
    return bytes(out) + END_OF_ARCHIVE


BASE = tar({
    "etc/": None,
    "etc/os-release": b'NAME="Plant Linux"\nVERSION_ID="7"\n',
    "usr/": None,
    "usr/lib/": None,
    "usr/lib/libplant.so": noise("base", 400 * KIB),
    "usr/share/": None,
    "usr/share/licence.txt": prose("Licence of the base", 2000),
})  # fmt: skip
SETTINGS = tar({"etc/plant.conf": prose("# setting", 400), "etc/plant.key": noise("settings", 40 * KIB)})
WEB = tar({"srv/": None, "srv/web": noise("web", 96 * KIB), "srv/index.html": prose("<p>Web</p>", 500)})
API = tar({"srv/": None, "srv/api": noise("api", 128 * KIB), "srv/routes.txt": prose("GET /orders", 500)})
CORE = tar({"opt/": None, "opt/core": noise("core", 160 * KIB), "opt/notes.txt": prose("Ledger", 1500)})


# -- images -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Image:
    """A name, a command, and uncompressed layers, bottom first."""

    name: str
    command: str
    layers: Sequence[bytes]

    @property
    def config(self) -> bytes:
        """The image config, whose digest is the image ID."""
        return canonical_json({
            "architecture": "amd64",
            "config": {"Cmd": [self.command], "Labels": {"org.opencontainers.image.title": self.name}},
            "created": CREATED,
            "history": [{"created": CREATED, "created_by": "make_samples.py"} for _ in self.layers],
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in self.layers]},
        })  # fmt: skip


SHOP = [
    Image("shop/web:1", "/srv/web", [BASE, SETTINGS, WEB]),
    # The settings lie on another layer here: `docker save` writes a link instead of the layer.
    Image("shop/api:1", "/srv/api", [BASE, API, SETTINGS]),
]
ERP = Image("erp/core:1", "/opt/core", [BASE, CORE])
ERP_LAYOUT = Image("erp/core:1", "/opt/core", [BASE, CORE, SETTINGS])
SMALL_BASE = tar({"etc/": None, "etc/base": noise("small base", 80 * KIB), "etc/text": prose("Small base", 500)})
SMALL = [
    Image("small/web:1", "/web", [SMALL_BASE, tar({"web": noise("small web", 60 * KIB)})]),
    Image("small/api:1", "/api", [SMALL_BASE, tar({"api": noise("small api", 40 * KIB)})]),
    Image("small/core:1", "/core", [SMALL_BASE, tar({"core": noise("small core", 70 * KIB)})]),
]


# -- the layout of `docker save` up to engine 24 --------------------------------------------------------------


def docker_archive(images: Sequence[Image]) -> bytes:
    """Return what an engine of version 20.10 saves: entries in lexical order, each layer stored once."""
    entries: dict[str, bytes | str | None] = {}
    table, repositories, homes = [], {}, dict[bytes, str]()
    for image in images:
        directories = list(_v1_directories(image))
        for (directory, metadata), layer in zip(directories, image.layers, strict=True):
            entries[f"{directory}/"] = None
            entries[f"{directory}/VERSION"] = b"1.0"
            entries[f"{directory}/json"] = canonical_json(metadata)
            home = homes.setdefault(layer, directory)
            entries[f"{directory}/layer.tar"] = layer if home == directory else f"../{home}/layer.tar"
        config_name = f"{sha256(image.config).hex}.json"
        entries[config_name] = image.config
        layers = [f"{directory}/layer.tar" for directory, _ in directories]
        table.append({"Config": config_name, "RepoTags": [image.name], "Layers": layers})
        repository, _, tag = image.name.partition(":")
        repositories[repository] = {tag: directories[-1][0]}
    tables = {
        "manifest.json": json.dumps(table, separators=(",", ":")).encode() + b"\n",
        "repositories": canonical_json(repositories) + b"\n",
    }
    return tar({**dict(sorted(entries.items())), **tables})


def _v1_directories(image: Image) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield name and metadata of each layer's directory; the name covers the chain, and on top the config."""
    parent = ""
    for position, layer in enumerate(image.layers):
        is_top = position == len(image.layers) - 1
        covered = f"{parent} {sha256(layer)} {sha256(image.config) if is_top else ''}"
        name = sha256(covered.encode()).hex
        created = CREATED if is_top else "1970-01-01T00:00:00Z"
        metadata: dict[str, object] = {"id": name, "created": created, "os": "linux", "container_config": {}}
        if parent:
            metadata["parent"] = parent
        yield name, metadata
        parent = name


# -- an OCI layout with one layer in each form ----------------------------------------------------------------


def stored_gzip(data: bytes) -> bytes:
    """Return a gzip member (RFC 1952) whose deflate blocks are all stored (RFC 1951 §3.2.4)."""
    out = bytearray(b"\x1f\x8b\x08" + bytes(6) + b"\xff")
    for start in range(0, len(data), 0xFFFF):
        block = data[start : start + 0xFFFF]
        is_last = start + len(block) == len(data)
        out += struct.pack("<BHH", is_last, len(block), len(block) ^ 0xFFFF) + block
    return bytes(out) + struct.pack("<II", zlib.crc32(data), len(data))


def stored_zstd(data: bytes) -> bytes:
    """Return a zstd frame (RFC 8878 §3.1.1) of raw blocks: window of 128 KiB, no size, no checksum."""
    out = bytearray(struct.pack("<IBB", 0xFD2FB528, 0, (17 - 10) << 3))
    for start in range(0, len(data), 128 * KIB):
        block = data[start : start + 128 * KIB]
        is_last = start + len(block) == len(data)
        out += struct.pack("<I", len(block) << 3 | is_last)[:3] + block
    return bytes(out)


def oci_layout(image: Image) -> dict[str, bytes]:
    """Return the files of a layout: a gzip layer, a zstd layer and a plain one, named by a bare tag."""
    forms = [
        (media_types.OCI_LAYER_GZIP, stored_gzip(image.layers[0])),
        (media_types.OCI_LAYER_ZSTD, stored_zstd(image.layers[1])),
        (media_types.OCI_LAYER, image.layers[2]),
    ]
    manifest = canonical_json({
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": descriptor(media_types.OCI_CONFIG, image.config),
        "layers": [descriptor(media_type, blob) for media_type, blob in forms],
    })  # fmt: skip
    entry = descriptor(media_types.OCI_MANIFEST, manifest)
    entry["annotations"] = {"org.opencontainers.image.ref.name": image.name}
    index = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [entry]}
    blobs = [image.config, manifest, *(blob for _, blob in forms)]
    return {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": canonical_json(index),
        **{f"blobs/sha256/{sha256(blob).hex}": blob for blob in blobs},
    }


def descriptor(media_type: str, blob: bytes) -> dict[str, object]:
    """Return the descriptor of some bytes."""
    return {"mediaType": media_type, "digest": sha256(blob), "size": len(blob)}
