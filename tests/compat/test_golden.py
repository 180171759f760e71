"""Golden bundles are read, forever: whatever this release writes, it reads what earlier ones wrote."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.compat.golden import GOLDEN, IDS, SAMPLES
from tests.e2e import bundles
from tests.e2e.command import Airbundle
from tests.requirements import require, why_no_program

_IMAGES = SAMPLES / "images"


@pytest.fixture(params=IDS)
def golden(request: pytest.FixtureRequest) -> Path:
    """A golden bundle."""
    return GOLDEN / str(request.param)


def _joined(bundle: Path, application: str) -> bytes:
    files = [*sorted(bundle.glob("shared.oci.tar*")), *sorted(bundle.glob(f"{application}.oci.tar*"))]
    return b"".join(file.read_bytes() for file in files)


def _entries(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = tar.getmembers()
        assert len({member.name for member in members}) == len(members)
        return {member.name: tar.extractfile(member).read() for member in members}  # type: ignore[union-attr]


def test_they_are_the_ones_that_were_released() -> None:
    found = {
        path.name: hashlib.sha256((path / "bundle.json").read_bytes()).hexdigest() for path in GOLDEN.iterdir()
    }
    assert found == IDS


def test_they_are_small() -> None:
    assert bundles.total_bytes(GOLDEN) < 1_500_000


def test_inspect_knows_them(airbundle: Airbundle, golden: Path) -> None:
    seen = airbundle("inspect", golden, "--json").json
    assert seen["id"] == f"sha256:{IDS[golden.name]}"
    images = bundles.images(golden)
    shown = {image["reference"]: image for application in seen["applications"] for image in application["images"]}
    assert {name: image["digest"] for name, image in shown.items()} == {
        name: image["descriptor"]["digest"] for name, image in images.items()
    }


def test_they_are_intact(airbundle: Airbundle, golden: Path) -> None:
    assert airbundle("verify", golden, "--level", "deep", "--json").json["findings"] == []


def test_extract_gives_what_a_tar_reader_finds(airbundle: Airbundle, golden: Path, tmp_path: Path) -> None:
    airbundle("extract", golden, f"oci:{tmp_path / 'layout'}")
    expected: dict[str, bytes] = {}
    names = []
    for application in bundles.table(golden)["applications"]:
        entries = _entries(_joined(golden, application["name"]))
        expected |= {name: data for name, data in entries.items() if name.startswith("blobs/")}
        names += [entry["digest"] for entry in json.loads(entries["index.json"])["manifests"]]
    layout = tmp_path / "layout"
    found = {str(file.relative_to(layout)): file.read_bytes() for file in layout.rglob("blobs/*/*")}
    assert found == expected
    assert all(f"blobs/sha256/{hashlib.sha256(data).hexdigest()}" == name for name, data in found.items())
    listed = json.loads((layout / "index.json").read_bytes())["manifests"]
    assert sorted(entry["digest"] for entry in listed) == sorted(names)


def test_the_table_says_where_each_blob_lies(golden: Path) -> None:
    table = bundles.table(golden)
    for archive in table["archives"]:
        data = b"".join((golden / part["file"]).read_bytes() for part in archive["parts"])
        assert len(data) == archive["size"]
        for blob in (blob for blob in table["blobs"] if blob["archive"] == archive["name"]):
            content = data[blob["offset"] : blob["offset"] + blob["size"]]
            assert f"sha256:{hashlib.sha256(content).hexdigest()}" == blob["digest"]


def test_sha256sum_knows_them(golden: Path) -> None:
    require(why_no_program("sha256sum"))
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=golden, check=True, capture_output=True)


def test_images_are_those_of_the_samples(airbundle: Airbundle, tmp_path: Path) -> None:
    # Nothing of a layout with digests may be another one on the far side.
    airbundle("extract", GOLDEN / "kept-digests", f"oci:{tmp_path / 'kept'}")
    kept, source = (
        {file.name: file.read_bytes() for file in top.rglob("blobs/sha256/*")}
        for top in (tmp_path / "kept", _IMAGES / "forms")
    )
    assert kept == source
    with tarfile.open(_IMAGES / "small.tar") as tar:
        configs = {f"sha256:{name.removesuffix('.json')}" for name in tar.getnames() if name[64:] == ".json"}
    assert len(configs) == 3
    for name in ("gzip", "groups", "two-applications"):
        assert {image["image_ids"][0] for image in bundles.images(GOLDEN / name).values()} == configs


def test_packing_them_again_keeps_every_digest(airbundle: Airbundle, golden: Path, tmp_path: Path) -> None:
    wanted = [
        f"{application['name']}=bundle:{golden}:{image['reference']}"
        for application in bundles.table(golden)["applications"]
        for image in application["images"]
    ]
    airbundle("pack", *wanted, "-o", tmp_path / "again", "--platform", "all")
    before, after = (bundles.images(bundle) for bundle in (golden, tmp_path / "again"))
    assert {name: (image["descriptor"], image["blobs"]) for name, image in before.items()} == {
        name: (image["descriptor"], image["blobs"]) for name, image in after.items()
    }


def test_the_recipes_are_checked_where_the_compressor_is_the_same(tmp_path: Path) -> None:
    script = SAMPLES.parent / "scripts"
    bundle = shutil.copytree(GOLDEN / "gzip", tmp_path / "gzip")
    table = (bundle / "bundle.json").read_text()
    _run(script, "print(golden_bundles.differing(place, golden_bundles.GOLDEN / 'gzip'))", bundle, "[]")
    version = bundles.table(bundle)["blobs"]
    (number,) = {blob["encoder"]["version"] for blob in version if "encoder" in blob}
    (bundle / "bundle.json").write_text(table.replace(f'"version":"{number}"', '"version":"0.0.1"'))
    _run(script, "print(golden_bundles.can_be_made_here(place))", bundle, "False")
    _run(
        script, "print(golden_bundles.differing(place, golden_bundles.GOLDEN / 'gzip'))", bundle, "['bundle.json']"
    )


def _run(scripts: Path, line: str, place: Path, printed: str) -> None:
    code = "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import golden_bundles; "
    code += f"place = pathlib.Path(sys.argv[2]); {line}"
    done = subprocess.run(
        [sys.executable, "-c", code, str(scripts), str(place)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == printed
