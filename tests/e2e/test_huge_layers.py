"""Layers over 8 GiB, which no octal size field of a tar header can name.

They are files with a hole: they take no disk and no time to make. What is kept plain takes its full size in the
bundle, though; where a machine has no room for that, the test is left out, also with CI=true.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import bundles
from tests.e2e.command import Airbundle, Result
from tests.e2e.huge_images import HugeImage, HugeLayer
from tests.e2e.layouts import blob_path
from tests.e2e.measures import Measures
from tests.requirements import require, why_no_program

_MIB, _GIB = 1 << 20, 1 << 30
_PACK_PEAK, _OTHER_PEAK = 256 * _MIB, 150 * _MIB
_ROOM = 30 * _GIB
_NAME = "huge.test/layer:1"
_FILE_BYTES = 8 * _GIB + _MIB


@pytest.fixture(scope="module")
def image() -> HugeImage:
    """The image; hashing its layer takes a few seconds."""
    return HugeImage(_NAME, [HugeLayer.of(_FILE_BYTES)])


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """A directory with room for two copies of the layer and what other tools make of it; emptied at the end."""
    free = shutil.disk_usage(tmp_path).free
    if free < _ROOM:
        pytest.skip(f"NOT TESTED: a stored layer over 8 GiB needs 30 GiB of free disk; here are {free / _GIB:.1f}")
    yield tmp_path
    shutil.rmtree(tmp_path)


def _within(result: Result, peak: int) -> Result:
    assert result.peak_bytes <= peak, f"{result.peak_bytes / _MIB:.0f} MiB\n{result}"
    return result


def test_a_stored_blob_over_8_gib(
    shared_airbundle: Airbundle, room: Path, image: HugeImage, measures: Measures
) -> None:
    airbundle, bundle, target = shared_airbundle, room / "bundle", room / "extracted"
    (layer,) = image.layers
    source = image.write_layout(room / "layout")
    packed = airbundle("pack", f"huge=oci:{source}", "-o", bundle, "--part-size", "none")
    measures.add("pack 8 GiB", _within(packed, _PACK_PEAK), layer.size)
    row = bundles.blobs_by_digest(bundle)[layer.digest]
    assert (row["size"], row["diff_id"], row["uncompressed_size"]) == (layer.size, layer.digest, layer.size)

    archive = bundle / "huge.oci.tar"
    with archive.open("rb") as file:
        file.seek(row["offset"] - 512)
        assert file.read(512)[124:136] == b"\x80" + layer.size.to_bytes(11, "big")
    listed = subprocess.run(["tar", "-tvf", archive], capture_output=True, text=True, check=True)
    assert listed.stderr == ""
    assert f" {layer.size} " in next(line for line in listed.stdout.splitlines() if layer.digest[7:] in line)
    assert listed.stdout.splitlines()[-1].endswith(" index.json")

    verified = airbundle("verify", bundle, "--level", "deep", "--json")
    assert verified.json["findings"] == []
    measures.add("verify 8 GiB", _within(verified, _OTHER_PEAK), layer.size)

    extracted = airbundle("extract", bundle, f"oci:{target}")
    measures.add("extract 8 GiB", _within(extracted, _OTHER_PEAK), layer.size)
    # Its digest was checked while it was written; here only that it is all there.
    assert blob_path(target, layer.digest).stat().st_size == layer.size
    shutil.rmtree(target)

    require(why_no_program("skopeo"))
    # It unpacks the whole archive into TMPDIR first.
    command = ["skopeo", "--tmpdir", str(room), "inspect", f"oci-archive:{archive}:{_NAME}"]
    seen = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert seen["Layers"] == [layer.digest]


def test_a_layer_over_8_gib_that_compresses(
    shared_airbundle: Airbundle, tmp_path: Path, image: HugeImage, measures: Measures
) -> None:
    airbundle, bundle, target = shared_airbundle, tmp_path / "bundle", tmp_path / "extracted"
    (layer,) = image.layers
    source = image.write_docker_archive(tmp_path / "saved.tar")
    packed = airbundle("pack", f"huge=docker-archive:{source}", "-o", bundle)
    measures.add("pack 8 GiB of 0", _within(packed, _PACK_PEAK), layer.size)
    (row,) = (blob for blob in bundles.table(bundle)["blobs"] if "diff_id" in blob)
    assert (row["diff_id"], row["uncompressed_size"]) == (layer.digest, layer.size)
    assert row["size"] < _MIB
    assert _within(airbundle("verify", bundle, "--level", "deep", "--json"), _OTHER_PEAK).json["ok"]
    _within(airbundle("extract", bundle, f"oci:{target}"), _OTHER_PEAK)
    assert blob_path(target, row["digest"]).stat().st_size == row["size"]
