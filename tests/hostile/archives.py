"""Archives of images that lie: headers written by hand, so that they may hold anything."""

from __future__ import annotations

import gzip
import json
from typing import Any

from bundler.content.hashing import sha256
from tests.fakes.memory import make_config, tar_of

END = bytes(1024)
LAYER = tar_of({"etc/motd": b"hello\n" * 100})
CONFIG = make_config([LAYER])
NAME = "bad.test/app:1"
#: Moves the cursor, starts a new line, turns the direction of writing, hides: what a terminal must never get.
NASTY = "\x1b[2J\r\nairbundle: error: forged\x07\x9b1m\u202etxt\u200b\u2028"


def header(
    name: bytes,
    size: int = 0,
    *,
    kind: bytes = b"0",
    link: bytes = b"",
    size_field: bytes | None = None,
    sum_: int = 0,
) -> bytes:
    """Return a header; ``size_field`` is written as it is, and ``sum_`` is added to the right checksum."""
    block = bytearray(512)
    block[0 : len(name[:100])] = name[:100]
    block[100:124] = b"0000644\x000000000\x000000000\x00"
    block[124:136] = size_field if size_field is not None else b"%011o\0" % size
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157 : 157 + len(link[:100])] = link[:100]
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % (sum(block) + sum_)
    return bytes(block)


def entry(name: bytes | str, data: bytes = b"", **more: Any) -> bytes:
    """Return a file with its header and padding."""
    encoded = name.encode() if isinstance(name, str) else name
    return header(encoded, len(data), **more) + data + bytes(-len(data) % 512)


def link(name: str, target: str, kind: bytes = b"2") -> bytes:
    """Return a symbolic link, or with ``1`` a hard one."""
    return header(name.encode(), kind=kind, link=target.encode())


def pax(*records: bytes) -> bytes:
    """Return PAX records for the next entry."""
    data = b""
    for record in records:
        length = len(record) + 2
        while len(str(length)) + len(record) + 2 != length:
            length = len(str(length)) + len(record) + 2
        data += b"%d %s\n" % (length, record)
    return entry("PaxHeaders/x", data, kind=b"x")


def table(**changes: object) -> bytes:
    """Return a docker-archive's table of the good image."""
    row = {"Config": "config.json", "RepoTags": [NAME], "Layers": ["layer.tar"], **changes}
    return json.dumps([row]).encode()


def docker_archive(
    *more: bytes, rows: bytes | None = None, layer: bytes | None = None, config: bytes = CONFIG
) -> bytes:
    """Return a docker-archive; ``more`` stands before everything else, ``layer`` in place of the layer's entry."""
    parts = [*more, entry("config.json", config), entry("layer.tar", LAYER) if layer is None else layer]
    return b"".join(parts) + entry("manifest.json", table() if rows is None else rows) + END


#: JSON that no parser should take, whatever it is meant to be.
BAD_JSON = {
    "nothing": b"",
    "cut": b'{"a":[1,',
    "BOM": b"\xef\xbb\xbf[]",
    "UTF-16": "[]".encode("utf-16"),
    "not UTF-8": b'["\xff"]',
    "duplicate keys": b'[{"Config":"config.json","Config":"x","Layers":[]}]',
    "deep": b"[" * 200_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "huge number": b"[" + b"9" * 3_000_000 + b"]",
    "huge float": b"[1e999999999]",
    "NaN": b"[NaN]",
    "lone surrogate": rb'[{"Config":"\ud800","Layers":[]}]',
    "NUL in a name": rb'[{"Config":"config.json\u0000","Layers":["layer.tar"],"RepoTags":["bad.test/app:1"]}]',
    "too large": b"[" + b" " * (32 << 20) + b"]",
    "many": b"[" + b"[]," * 900_000 + b"[]]",
    "another type": b'"text"',
}


def layout(
    index: bytes | None = None,
    blobs: dict[str, bytes] | None = None,
    version: bytes | None = None,
    **changes: object,
) -> dict[str, bytes]:
    """Return the files of a layout; ``changes`` are to the descriptor of the only image."""
    stored = {f"blobs/sha256/{sha256(data).hex}": data for data in layout_blobs()}
    manifest = layout_blobs()[0]
    row = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": sha256(manifest),
        "size": len(manifest),
        "annotations": {"org.opencontainers.image.ref.name": NAME},
        **changes,
    }
    made = json.dumps({"schemaVersion": 2, "manifests": [row]}).encode()
    return {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}' if version is None else version,
        "index.json": made if index is None else index,
        **stored,
        **(blobs or {}),
    }


def layout_blobs(**changes: object) -> tuple[bytes, bytes, bytes]:
    """Return manifest, config and layer of the good image; ``changes`` are to the layer's descriptor."""
    stored = gzip.compress(LAYER, mtime=0)
    rows = {
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": sha256(CONFIG),
                   "size": len(CONFIG)},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": sha256(stored),
                    "size": len(stored), **changes}],
    }  # fmt: skip
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", **rows}
    return json.dumps(manifest).encode(), CONFIG, stored


def spoiled_layout(**changes: object) -> dict[str, bytes]:
    """Return a layout whose manifest says something else of its layer, with all digests made right."""
    manifest, _, _ = layout_blobs(**changes)
    return layout(
        blobs={f"blobs/sha256/{sha256(manifest).hex}": manifest}, digest=sha256(manifest), size=len(manifest)
    )


def tar_of_layout(files: dict[str, bytes], *more: bytes) -> bytes:
    """Return an oci-archive."""
    return b"".join([*more, *(entry(name, data) for name, data in files.items())]) + END
