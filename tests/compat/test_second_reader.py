"""docs/format.md is complete: a reader that knows nothing else reads golden bundles as the product does."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.compat import second_reader
from tests.compat.golden import GOLDEN, IDS
from tests.e2e.command import Airbundle
from tests.e2e.damage import flip_byte, forge_tables

_SOURCE = Path(second_reader.__file__)


@pytest.fixture(params=IDS)
def golden(request: pytest.FixtureRequest) -> Path:
    """A golden bundle."""
    return GOLDEN / str(request.param)


def _read_alone(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the reader where Python finds nothing but its own standard library."""
    command = [sys.executable, "-I", "-S", str(_SOURCE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def _blobs(layout: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in layout.rglob("blobs/sha256/*")}


def _named(layout: Path) -> set[tuple[str, str]]:
    entries = json.loads((layout / "index.json").read_bytes())["manifests"]
    return {(entry["digest"], entry["annotations"]["org.opencontainers.image.ref.name"]) for entry in entries}


def test_it_is_short_and_stands_on_its_own() -> None:
    assert len(_SOURCE.read_text().splitlines()) <= 225
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(ast.parse(_SOURCE.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    assert {name.partition(".")[0] for name in imported} <= {*sys.stdlib_module_names, "__future__"}


def test_it_finds_golden_bundles_intact(golden: Path) -> None:
    assert second_reader.Bundle(golden).verify() == []
    assert _read_alone("verify", golden).returncode == 0


def test_it_extracts_what_the_product_extracts(airbundle: Airbundle, golden: Path, tmp_path: Path) -> None:
    done = _read_alone("extract", golden, tmp_path / "alone")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
    airbundle("extract", golden, f"oci:{tmp_path / 'product'}")
    assert _blobs(tmp_path / "alone") == _blobs(tmp_path / "product")
    assert _named(tmp_path / "alone") == _named(tmp_path / "product")


def test_the_blobs_of_an_image_stand_in_the_order_that_the_page_gives(golden: Path) -> None:
    bundle = second_reader.Bundle(golden)
    assert bundle.images
    for image in bundle.images:
        assert bundle.closure(image) == image["blobs"]


def test_it_reads_what_the_product_packs_today(airbundle: Airbundle, tmp_path: Path) -> None:
    images = GOLDEN.parents[1] / "images"
    wanted = [f"shop=docker-archive:{images}/shop.tar", f"erp=oci:{images}/erp", f"forms=oci:{images}/forms"]
    airbundle("pack", *wanted, "-o", tmp_path / "bundle", "--part-size", "100KiB")
    bundle = second_reader.Bundle(tmp_path / "bundle")
    assert bundle.verify() == []
    assert all(bundle.closure(image) == image["blobs"] for image in bundle.images)


def test_it_finds_what_forged_sums_hide(tmp_path: Path, airbundle: Airbundle) -> None:
    images = GOLDEN.parents[1] / "images"
    bundle = tmp_path / "bundle"
    airbundle("pack", f"forms=oci:{images}/forms", "-o", bundle, "--part-size", "none")
    rows = {row["mediaType"]: row for row in second_reader.Bundle(bundle).table["blobs"]}
    plain = rows["application/vnd.oci.image.layer.v1.tar"]
    flip_byte(bundle / "forms.oci.tar", plain["offset"] + 600)
    forge_tables(bundle, "forms.oci.tar", with_sha256=True)
    found = {(check, subject) for check, subject, _ in second_reader.Bundle(bundle).verify()}
    assert found == {(7, plain["digest"]), (8, plain["digest"])}
