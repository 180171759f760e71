"""Layers that nobody can open here, such as encrypted ones, travel as they are."""

from __future__ import annotations

from pathlib import Path

from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.content.hashing import sha256
from bundler.content.streams import read_all
from bundler.model.json_documents import canonical_json
from bundler.model.media_types import OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST
from tests.builders import pack_images
from tests.fakes.memory import MemorySource, make_config


def test_an_encrypted_layer_keeps_its_bytes_and_claims_no_diff_id(tmp_path: Path) -> None:
    source = MemorySource()
    secret = b"\x00not a tar and not gzip" * 1000
    layer = source.store(secret, OCI_LAYER_GZIP + "+encrypted")
    image = source.add(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": source.store(make_config([b"what it holds when decrypted"]), OCI_CONFIG),
            "layers": [layer],
        },
        "shop/secret:1",
    )

    pack_images(tmp_path / "out", source, {"shop": [image]})

    bundle = open_bundle(tmp_path / "out")
    row = bundle.manifest.blob_by_digest[sha256(secret)]
    assert row.diff_id is None
    assert canonical_json(row).count(b"uncompressed_size") == 0
    assert read_all(bundle.open_blob(layer), 1 << 20) == secret
    assert verify_bundle(bundle, "deep").ok
