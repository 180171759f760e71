"""A hundred thousand blobs of ten thousand images: within the memory and the limits that everybody has."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.command import Airbundle
from tests.e2e.measures import Measures
from tests.many_images import ManyImages

_MIB = 1 << 20
_PEAK = 400 * _MIB
_IMAGES = ManyImages(10_000)


def test_the_table_of_a_bundle(shared_airbundle: Airbundle, tmp_path: Path, measures: Measures) -> None:
    bundle = _IMAGES.write_bundle(tmp_path / "bundle")
    size = (bundle / "bundle.json").stat().st_size
    seen = shared_airbundle("inspect", bundle, "--json")
    measures.add("inspect 10^5", seen, size)
    assert sum(len(application["images"]) for application in seen.json["applications"]) == _IMAGES.images
    verified = shared_airbundle("verify", bundle, "--level", "quick", "--json")
    measures.add("quick 10^5", verified, size)
    assert verified.json["ok"]
    assert max(seen.peak_bytes, verified.peak_bytes) <= _PEAK


def test_a_plan(shared_airbundle: Airbundle, tmp_path: Path, measures: Measures) -> None:
    saved = _IMAGES.write_docker_archive(tmp_path / "saved.tar")
    planned = shared_airbundle("plan", f"many=docker-archive:{saved}", "--json")
    measures.add("plan 10^5", planned, saved.stat().st_size)
    assert planned.json["layers_to_compress"] == _IMAGES.images * _IMAGES.layers
    assert planned.peak_bytes <= _PEAK
