"""``airbundle repair``: what it prints for people, its JSON document, its exit status."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bundler.bundle.opening import open_manifest
from tests.builders import contents_of, flip
from tests.copies import BLOCK, make_bundle
from tests.parities import write_parity
from tests.unit.cli.conftest import Airbundle

FIRST, SECOND, THIRD = (f"shop.oci.tar.00{number}" for number in (1, 2, 3))


@pytest.fixture
def mendable(tmp_path: Path) -> Path:
    """A bundle of two stripes, of which two blocks may be lost each."""
    write_parity(tmp_path / "mendable", make_bundle(tmp_path / "mendable"), 5, 2)
    return tmp_path / "mendable"


def test_nothing_is_wrong(airbundle: Airbundle, mendable: Path) -> None:
    said = airbundle("repair", mendable)
    assert said.out == f"intact   {open_manifest(mendable)[0].id}: nothing was wrong\n"
    document = airbundle("repair", mendable, "--json").document
    assert document == {
        "ok": True, "id": open_manifest(mendable)[0].id, "changed": False, "findings": [], "mended": [],
        "tables": [], "bytes_from_copies": 0, "bytes_from_parity": 0, "left": [], "blocks_needed": 0,
        "left_out": [], "unused": [],
    }  # fmt: skip


def test_mended(airbundle: Airbundle, mendable: Path, tmp_path: Path) -> None:
    right = contents_of(mendable)
    other = shutil.copytree(mendable, tmp_path / "other")
    (other / FIRST).unlink()
    flip(mendable / FIRST, 0)
    flip(mendable / THIRD, 0)
    (mendable / "bundle.json.bak").unlink()
    assert "Run `airbundle repair`" in airbundle("verify", mendable, "--level", "quick", status=3).err
    said = airbundle("repair", mendable, "--from", other)
    assert said.out.splitlines() == [
        "mended   bundle.json.bak",
        f"mended   {FIRST}: 64.0 KiB from parity, its sha256 is right",
        f"mended   {THIRD}: 64.0 KiB from other copies, its sha256 is right",
        f"intact   {open_manifest(mendable)[0].id}",
    ]
    assert contents_of(mendable) == right


def test_not_everything(airbundle: Airbundle, mendable: Path) -> None:
    """Blocks 0, 2 and 4 of the joined parts lie in one stripe, block 1 in the other."""
    for file, offset in ((FIRST, 0), (FIRST, 2 * BLOCK), (SECOND, 0)):
        flip(mendable / file, offset)
    (mendable / THIRD).write_bytes(b"")
    before = contents_of(mendable)
    said = airbundle("repair", mendable, status=4)
    assert "2 more right blocks would do; nothing was changed" in said.err
    assert f"`airbundle request {mendable} -o FILE`" in said.err
    assert f"{FIRST}: damaged block at byte 0, 64.0 KiB" in said.out
    assert "hits docker.io/library/web:1" in said.out
    assert contents_of(mendable) == before
    failed = airbundle("repair", mendable, "--json", status=4)
    assert failed.error["code"] == "damaged-bundle"
    document = failed.document
    assert (document["ok"], document["changed"], document["blocks_needed"]) == (False, False, 2)
    assert [(row["file"], row["offset"], row["length"]) for row in document["left"] if not row["mendable"]] == [
        (FIRST, 0, BLOCK), (FIRST, 2 * BLOCK, BLOCK), (SECOND, 0, BLOCK), (THIRD, 0, BLOCK),
    ]  # fmt: skip


def test_partial(airbundle: Airbundle, mendable: Path) -> None:
    test_not_everything(airbundle, mendable)
    said = airbundle("repair", mendable, "--partial", status=4)
    assert f"partly   {THIRD}: 1000 bytes from parity, as {THIRD}.partial" in said.out
    assert "nothing was changed" not in said.err
    assert airbundle("repair", mendable, "--json", status=4).document["blocks_needed"] == 2


def test_a_part_that_is_not_there(airbundle: Airbundle, tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    (tmp_path / "bundle" / SECOND).unlink()
    said = airbundle("repair", tmp_path / "bundle", "--json", status=5)
    assert said.error["code"] == "incomplete-bundle"
    assert said.document["left"][0]["code"] == "missing"


def test_into_another_directory(airbundle: Airbundle, mendable: Path, tmp_path: Path) -> None:
    flip(mendable / FIRST, 0)
    before = contents_of(mendable)
    document = airbundle("repair", mendable, "-o", tmp_path / "output", "--json").document
    assert document["mended"] == [
        {
            "file": FIRST, "directory": str(tmp_path / "output"), "bytes_from_copies": 0,
            "bytes_from_parity": BLOCK, "whole": True,
        }
    ]  # fmt: skip
    assert contents_of(mendable) == before
    assert airbundle("repair", mendable, "-o", tmp_path / "output").out.endswith(": it was mended before\n")


def test_quiet(airbundle: Airbundle, mendable: Path) -> None:
    flip(mendable / FIRST, 0)
    said = airbundle("repair", mendable, "-q")
    assert (said.out, said.err) == ("", "")


def test_one_stick_of_several(airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    airbundle("copy", bundle, stick, "--app", "erp", "-q")
    flip(stick / "erp.oci.tar.001", 5)
    before = sorted(contents_of(stick))
    said = airbundle("repair", stick, "--json", status=4)
    assert "files are not here at all: " in said.error["advice"]
    assert "--present" in said.error["advice"]
    (tmp_path / "empty").mkdir()
    said = airbundle("repair", stick, "--present", "--from", tmp_path / "empty", "--from", bundle)
    assert f"nothing can be taken from {tmp_path / 'empty'}: it holds no file of this bundle" in said.err
    assert "intact   what was asked for of sha256:" in said.out
    assert sorted(contents_of(stick)) == before
    document = airbundle("repair", stick, "--app", "erp", "--from", tmp_path / "empty", "--json").document
    assert document["unused"] == [
        {"directory": str(tmp_path / "empty"), "reason": "it holds no file of this bundle"}
    ]
    assert all(file.startswith("shop.") for file in document["left_out"])
    airbundle("repair", stick, "--app", "web", status=2)
