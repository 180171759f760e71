"""README.txt: every command in it works as it stands."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.packing.options import PackOptions
from tests.builders import ERP, SHOP, SHOP_TOOLS, SMALL, TwoApplications, joined, layer, pack_images
from tests.fakes.memory import MemorySource
from tests.requirements import require, why_no_program


def test_it_names_the_bundle_and_every_image(tmp_path: Path) -> None:
    manifest = TwoApplications().pack(tmp_path, replace(SMALL, name="plant7", version="2026.11.1"))
    text = (tmp_path / "README.txt").read_text()
    assert text.startswith(f"Bundle plant7 2026.11.1\nid {manifest.id}\n")
    assert all(name in text for name in (ERP, SHOP, SHOP_TOOLS))
    assert "zstd" in text
    assert max(map(len, text.splitlines())) < 200


@pytest.mark.parametrize("part_bytes", [0, 64 << 10], ids=["not cut", "cut"])
def test_the_commands_that_join_give_one_archive(tmp_path: Path, part_bytes: int) -> None:
    TwoApplications().pack(tmp_path, replace(SMALL, part_bytes=part_bytes))
    lines = (tmp_path / "README.txt").read_text().splitlines()
    joins = [line.strip().removesuffix(" | docker load") for line in lines if line.endswith("| docker load")]
    assert len(joins) == 2
    for command, application in zip(joins, ("erp", "shop"), strict=True):
        out = subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, capture_output=True)
        assert out.stdout == joined(tmp_path, "shared") + joined(tmp_path, application)


def test_sha256sum_agrees(tmp_path: Path) -> None:
    require(why_no_program("sha256sum"))
    manifest = TwoApplications().pack(tmp_path)
    command = ["sha256sum", "-c", "SHA256SUMS"]
    out = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert out.stdout.splitlines() == sorted(
        f"{name}: OK" for name in ("bundle.json", *(part.file for part in manifest.parts))
    )


def test_nothing_is_said_that_does_not_hold(tmp_path: Path) -> None:
    source = MemorySource()
    options = PackOptions(workers=1)
    pack_images(tmp_path, source, {"web": [source.make_image([layer("a", 100)], "x/one:1")]}, options)
    text = (tmp_path / "README.txt").read_text()
    assert "shared" not in text
    assert "zstd" not in text
