"""Layers over 8 GiB, which no octal size field of a tar header can name.

They are files with a hole: they take no disk and no time to make. What is kept plain takes its full size in the
bundle, though; where a machine has no room for that, the test is left out, also with CI=true.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import bundles
from tests.e2e.command import Airbundle, Result
from tests.e2e.layouts import CONFIG, MANIFEST, blob_path, descriptor
from tests.e2e.measures import Measures
from tests.requirements import require, why_no_program

_MIB, _GIB = 1 << 20, 1 << 30
_PACK_PEAK, _OTHER_PEAK = 256 * _MIB, 150 * _MIB
_ROOM = 30 * _GIB
_NAME = "huge.test/layer:1"
_FILE_BYTES = 8 * _GIB + _MIB


def _header(name: str, size: int) -> bytes:
    """Return a tar header as GNU tar writes it, with base-256 sizes; tarfile would want the bytes too."""
    header = bytearray(512)
    header[: len(name)] = name.encode()
    octal = b"%011o\0" % size if size < 8 * _GIB else b"\x80" + size.to_bytes(11, "big")
    header[100:148] = b"0000644\x000000000\x000000000\x00" + octal + b"00000000000\0"
    header[148:157] = b" " * 8 + b"0"
    header[257:265] = b"ustar\x0000"
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


class HugeLayer:
    """A layer with one file of zeros of more than 8 GiB; only its first 512 bytes are anything else."""

    head = _header("srv/huge", _FILE_BYTES)
    size = len(head) + _FILE_BYTES + 1024

    def __init__(self) -> None:
        result = hashlib.sha256(self.head)
        zeros = bytes(_MIB)
        for _ in range(_FILE_BYTES // _MIB):
            result.update(zeros)
        result.update(bytes(1024))
        self.digest = f"sha256:{result.hexdigest()}"
        self.config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {},
                "rootfs": {"type": "layers", "diff_ids": [self.digest]},
            }
        ).encode()

    def write_layout(self, directory: Path) -> Path:
        """Write an OCI layout that keeps the layer plain."""
        (directory / "blobs/sha256").mkdir(parents=True)
        with blob_path(directory, self.digest).open("wb") as file:
            file.write(self.head)
            file.truncate(self.size)
        layer_type = "application/vnd.oci.image.layer.v1.tar"
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": descriptor(CONFIG, self.config),
                "layers": [{"mediaType": layer_type, "digest": self.digest, "size": self.size}],
            }
        ).encode()
        root = descriptor(MANIFEST, manifest)
        for document in (self.config, manifest):
            blob_path(directory, descriptor("", document)["digest"]).write_bytes(document)
        root["annotations"] = {"org.opencontainers.image.ref.name": _NAME}
        (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [root]}))
        return directory

    def write_docker_archive(self, path: Path) -> Path:
        """Write what ``docker save`` writes."""
        table = json.dumps([{"Config": "config.json", "RepoTags": [_NAME], "Layers": ["0/layer.tar"]}]).encode()
        with path.open("wb") as file:
            file.write(_header("0/layer.tar", self.size) + self.head)
            file.truncate(512 + self.size)
            file.seek(512 + self.size)
            for name, data in (("config.json", self.config), ("manifest.json", table)):
                file.write(_header(name, len(data)) + data + bytes(-len(data) % 512))
            file.write(bytes(1024))
        return path


@pytest.fixture(scope="module")
def layer() -> HugeLayer:
    """The layer; hashing it takes a few seconds."""
    return HugeLayer()


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
    shared_airbundle: Airbundle, room: Path, layer: HugeLayer, measures: Measures
) -> None:
    airbundle, bundle, target = shared_airbundle, room / "bundle", room / "extracted"
    source = layer.write_layout(room / "layout")
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
    shared_airbundle: Airbundle, tmp_path: Path, layer: HugeLayer, measures: Measures
) -> None:
    airbundle, bundle, target = shared_airbundle, tmp_path / "bundle", tmp_path / "extracted"
    source = layer.write_docker_archive(tmp_path / "saved.tar")
    packed = airbundle("pack", f"huge=docker-archive:{source}", "-o", bundle)
    measures.add("pack 8 GiB of 0", _within(packed, _PACK_PEAK), layer.size)
    (row,) = (blob for blob in bundles.table(bundle)["blobs"] if "diff_id" in blob)
    assert (row["diff_id"], row["uncompressed_size"]) == (layer.digest, layer.size)
    assert row["size"] < _MIB
    assert _within(airbundle("verify", bundle, "--level", "deep", "--json"), _OTHER_PEAK).json["ok"]
    _within(airbundle("extract", bundle, f"oci:{target}"), _OTHER_PEAK)
    assert blob_path(target, row["digest"]).stat().st_size == row["size"]
