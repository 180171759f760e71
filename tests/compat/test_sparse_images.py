"""An index whose source lacked a variant stays as it is, also where another image brings that variant."""

from __future__ import annotations

import json
from pathlib import Path

from tests.compat.second_reader import Bundle
from tests.e2e import bundles
from tests.e2e.command import Airbundle
from tests.e2e.layouts import Image, descriptor, layer, write_layout

_INDEX = "application/vnd.oci.image.index.v1+json"
_SPARSE, _OTHER = "sparse.test/all:1", "sparse.test/other:1"


def test_the_absent_variant_of_one_image_is_another_image(airbundle: Airbundle, tmp_path: Path) -> None:
    here, elsewhere = Image.of(layer("here", 1000)), Image.of(layer("elsewhere", 1000))
    index = json.dumps(
        {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [here.manifest, elsewhere.manifest]}
    ).encode()
    root = descriptor(_INDEX, index)
    sparse = Image({**here.blobs, root["digest"]: index}, root)
    one = write_layout(tmp_path / "one", {_SPARSE: sparse})
    two = write_layout(tmp_path / "two", {_OTHER: elsewhere})
    bundle = tmp_path / "bundle"
    airbundle("pack", f"a=oci:{one}", f"a=oci:{two}", "-o", bundle)
    assert elsewhere.manifest["digest"] not in bundles.images(bundle)[_SPARSE]["blobs"]
    assert airbundle("verify", bundle, "--level", "deep", "--json").json["findings"] == []
    assert Bundle(bundle).verify() == []
    airbundle("extract", bundle, f"oci:{tmp_path / 'sparse'}", "--image", _SPARSE)
    found = {f"sha256:{file.name}" for file in (tmp_path / "sparse").rglob("blobs/sha256/*")}
    assert found == set(sparse.blobs)
