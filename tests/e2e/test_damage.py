"""What ``verify`` says of every kind of damage: verdict, finding and exit status.

The bundle has two applications over one shared layer. The archive of ``shop`` is cut into two equal parts of two
blocks each and a shorter third one, so that parts can be exchanged and damage be located.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import bundles
from tests.e2e.command import Airbundle
from tests.e2e.damage import cut, flip_byte, forge_tables, lengthen, swap
from tests.e2e.layouts import Image, layer, write_layout

_MIB = 1 << 20
_PART, _BLOCK = 6 * _MIB, 64 << 10
_SHOP, _ERP = "damage.test/shop:1", "damage.test/erp:1"
_FIRST, _SECOND = "shop.oci.tar.001", "shop.oci.tar.002"
_FORM = {
    "check", "code", "file", "offset", "length", "expected", "found", "blobs", "applications", "images",
    "mendable",
}  # fmt: skip
_INTACT, _MENDABLE, _DAMAGED, _INCOMPLETE, _NOT_A_BUNDLE = 0, 3, 4, 5, 6


@pytest.fixture(scope="module")
def intact(shared_airbundle: Airbundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bundle that no test changes."""
    directory = tmp_path_factory.mktemp("intact")
    shared = layer("shared", 2 * _MIB)
    images = {
        _SHOP: Image.of(shared, layer("first", 5 * _MIB), layer("second", 9 * _MIB)),
        _ERP: Image.of(shared, layer("ledger", _MIB)),
    }
    source = write_layout(directory / "layout", images)
    wanted = [f"shop=oci:{source}:{_SHOP}", f"erp=oci:{source}:{_ERP}"]
    shared_airbundle("pack", *wanted, "-o", directory / "bundle", "--part-size", _PART)
    parts = bundles.parts(directory / "bundle", "shop")
    assert [part["size"] for part in parts[:2]] == [_PART, _PART]
    assert bundles.table(directory / "bundle")["block_bytes"] == _BLOCK
    yield directory / "bundle"
    shutil.rmtree(directory)


@pytest.fixture
def bundle(intact: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return shutil.copytree(intact, tmp_path / "bundle")


def _verify(airbundle: Airbundle, bundle: Path, status: int, level: str = "full") -> list[dict[str, Any]]:
    """Verify, check the form of the answer, and return the findings."""
    before = {path: path.lstat() for path in bundle.iterdir()}
    answer = airbundle("verify", bundle, "--level", level, "--json", status=status).json
    assert answer["ok"] is (status == _INTACT)
    assert answer["level"] == level
    assert bool(answer["findings"]) is (status != _INTACT)
    for finding in answer["findings"]:
        assert set(finding) >= _FORM
        assert finding["expected"] != finding["found"]
        assert 1 <= finding["check"] <= 8
        assert finding["code"] == finding["code"].lower()
        # There is no parity and no other copy here.
        assert finding["mendable"] is (status == _MENDABLE)
    # Verification judges; it changes nothing.
    after = {path: path.lstat() for path in bundle.iterdir()}
    assert {path: facts.st_mtime_ns for path, facts in after.items()} == {
        path: facts.st_mtime_ns for path, facts in before.items()
    }
    return list(answer["findings"])


def _of(findings: list[dict[str, Any]], file: str, check: int) -> list[dict[str, Any]]:
    return [finding for finding in findings if finding["file"] == file and finding["check"] == check]


@pytest.mark.parametrize("level", ["quick", "full", "deep"])
def test_an_intact_bundle(airbundle: Airbundle, bundle: Path, level: str) -> None:
    _verify(airbundle, bundle, _INTACT, level)


@pytest.mark.parametrize("level", ["quick", "full", "deep"])
@pytest.mark.parametrize(
    ("file", "place"),
    [(_FIRST, 0), (_FIRST, 5 * _MIB), (_SECOND, _BLOCK), (_SECOND, _PART - 1)],
    ids=["first byte", "last block", "first byte of a block", "last byte"],
)
def test_a_flipped_byte(airbundle: Airbundle, bundle: Path, level: str, file: str, place: int) -> None:
    flip_byte(bundle / file, place)
    findings = _verify(airbundle, bundle, _DAMAGED, level)
    start = place // _BLOCK * _BLOCK
    length = min(_BLOCK, _PART - start)
    (block,) = _of(findings, file, 4)
    assert (block["offset"], block["length"]) == (start, length)
    offset = _PART * (file == _SECOND) + start
    assert set(block["blobs"]) == bundles.blobs_within(bundle, "shop", offset, offset + length)
    assert block["applications"] == ["shop"]
    assert block["images"] == [_SHOP]
    # What follows from the block is not said again by the deeper checks.
    assert findings == [block]


def test_full_finds_what_the_sums_of_blocks_hide(airbundle: Airbundle, bundle: Path) -> None:
    # xxh3 is no proof: whoever changes bytes on purpose can make these sums fit.
    flip_byte(bundle / _FIRST, _BLOCK + 7)
    forge_tables(bundle, _FIRST, with_sha256=False)
    _verify(airbundle, bundle, _INTACT, "quick")
    (finding,) = _verify(airbundle, bundle, _DAMAGED, "full")
    assert (finding["check"], finding["file"], finding["applications"]) == (5, _FIRST, ["shop"])
    assert finding["expected"] == bundles.parts(bundle, "shop")[0]["sha256"]


def test_deep_finds_what_the_sums_of_parts_hide(airbundle: Airbundle, bundle: Path) -> None:
    victim = max(bundles.table(bundle)["blobs"], key=lambda blob: blob["size"])
    number, offset = divmod(victim["offset"] + victim["size"] // 2, _PART)
    file = bundles.parts(bundle, victim["archive"])[number]["file"]
    flip_byte(bundle / file, offset)
    forge_tables(bundle, file, with_sha256=True)
    _verify(airbundle, bundle, _INTACT, "full")
    findings = _verify(airbundle, bundle, _DAMAGED, "deep")
    (wrong,) = [finding for finding in findings if finding["check"] == 7]
    assert wrong["blobs"] == [victim["digest"]]
    assert wrong["images"] == [_SHOP]
    assert wrong["expected"] == victim["digest"]


def test_damage_of_shared_layers_hits_every_application(airbundle: Airbundle, bundle: Path) -> None:
    (part,) = bundles.parts(bundle, "shared")
    flip_byte(bundle / part["file"], part["size"] // 2)
    findings = _verify(airbundle, bundle, _DAMAGED)
    (block,) = _of(findings, part["file"], 4)
    assert sorted(block["applications"]) == ["erp", "shop"]
    assert sorted(block["images"]) == [_ERP, _SHOP]


def test_every_damage_is_found_in_one_run(airbundle: Airbundle, bundle: Path) -> None:
    flip_byte(bundle / _FIRST, 1)
    flip_byte(bundle / _FIRST, _BLOCK + 1)
    flip_byte(bundle / _SECOND, 1)
    findings = _verify(airbundle, bundle, _DAMAGED)
    places = {(finding["file"], finding["offset"]) for finding in findings if finding["check"] == 4}
    assert places == {(_FIRST, 0), (_FIRST, _BLOCK), (_SECOND, 0)}


@pytest.mark.parametrize("level", ["quick", "full", "deep"])
def test_a_missing_part(airbundle: Airbundle, bundle: Path, level: str) -> None:
    (bundle / _SECOND).unlink()
    findings = _verify(airbundle, bundle, _INCOMPLETE, level)
    (missing,) = _of(findings, _SECOND, 3)
    assert missing["applications"] == ["shop"]
    assert missing["images"] == [_SHOP]
    assert set(missing["blobs"]) == bundles.blobs_within(bundle, "shop", _PART, 2 * _PART)
    assert {finding["check"] for finding in findings if finding["file"] == _SECOND} == {3}


def test_a_missing_and_a_damaged_part(airbundle: Airbundle, bundle: Path) -> None:
    (bundle / _SECOND).unlink()
    flip_byte(bundle / _FIRST, 0)
    findings = _verify(airbundle, bundle, _DAMAGED)
    assert _of(findings, _SECOND, 3)
    assert _of(findings, _FIRST, 4)


@pytest.mark.parametrize("count", [1, _MIB, _PART], ids=["a byte", "within a block", "to nothing"])
def test_a_truncated_part(airbundle: Airbundle, bundle: Path, count: int) -> None:
    cut(bundle / _SECOND, count)
    findings = _verify(airbundle, bundle, _DAMAGED)
    damage = _of(findings, _SECOND, 4)
    assert damage
    assert any(str(_PART - count) in str(finding["found"]) for finding in damage)
    hit = {digest for finding in damage for digest in finding["blobs"]}
    assert hit >= bundles.blobs_within(bundle, "shop", 2 * _PART - count, 2 * _PART)


def test_a_lengthened_part(airbundle: Airbundle, bundle: Path) -> None:
    last = bundles.parts(bundle, "shop")[-1]
    lengthen(bundle / last["file"], 1024)
    findings = _verify(airbundle, bundle, _DAMAGED)
    assert any(str(last["size"] + 1024) in str(finding["found"]) for finding in _of(findings, last["file"], 4))


def test_two_parts_that_changed_places(airbundle: Airbundle, bundle: Path) -> None:
    swap(bundle / _FIRST, bundle / _SECOND)
    findings = _verify(airbundle, bundle, _DAMAGED)
    assert {finding["file"] for finding in findings if finding["check"] == 4} == {_FIRST, _SECOND}


@pytest.mark.parametrize("name", ["shop.oci.tar.009", "SHOP.OCI.TAR.004", "other.oci.tar", "other.oci.tar.001"])
def test_a_stranger_named_like_a_part(airbundle: Airbundle, bundle: Path, name: str) -> None:
    (bundle / name).write_bytes(b"stranger")
    (stranger,) = _verify(airbundle, bundle, _DAMAGED, "quick")
    assert stranger["check"] == 3
    assert stranger["file"] == name


def test_what_systems_leave_on_media_is_not_judged(airbundle: Airbundle, bundle: Path) -> None:
    (bundle / "System Volume Information").mkdir()
    (bundle / "lost+found").mkdir()
    (bundle / f"._{_FIRST}").write_bytes(b"")
    (bundle / ".DS_Store").write_bytes(b"")
    _verify(airbundle, bundle, _INTACT)


def test_a_part_replaced_by_a_link_to_the_right_bytes(airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
    # What a link points to may change between checking and use, and lies outside what was carried in.
    (bundle / _FIRST).rename(tmp_path / "elsewhere")
    (bundle / _FIRST).symlink_to(tmp_path / "elsewhere")
    findings = _verify(airbundle, bundle, _DAMAGED)
    assert any(finding["file"] == _FIRST and "shop" in finding["applications"] for finding in findings)


def test_a_part_replaced_by_a_directory(airbundle: Airbundle, bundle: Path) -> None:
    (bundle / _FIRST).unlink()
    (bundle / _FIRST).mkdir()
    findings = _verify(airbundle, bundle, _DAMAGED)
    assert any(finding["file"] == _FIRST for finding in findings)


# ---- bundle.json -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("harmed", "spared"), [("bundle.json", "bundle.json.bak"), ("bundle.json.bak", "bundle.json")]
)
@pytest.mark.parametrize("how", ["flipped", "altered", "truncated", "emptied"])
def test_one_of_the_two_tables_is_broken(
    airbundle: Airbundle, bundle: Path, harmed: str, spared: str, how: str
) -> None:
    path = bundle / harmed
    if how == "flipped":
        flip_byte(path, path.stat().st_size // 2)
    elif how == "altered":
        # Still a table that makes sense, only not this bundle's: SHA256SUMS knows which one is.
        _alter_a_sum(path)
    else:
        cut(path, 10 if how == "truncated" else path.stat().st_size)
    findings = _verify(airbundle, bundle, _MENDABLE)
    assert any(finding["file"] == harmed and finding["check"] == 1 for finding in findings)
    assert not any(finding["file"] == spared for finding in findings)


def _alter_a_sum(path: Path) -> None:
    found = json.loads(path.read_text())["archives"][0]["parts"][0]["blocks"][0]
    other = found[:-1] + ("0" if found[-1] != "0" else "1")
    path.write_text(path.read_text().replace(found, other))


def test_both_tables_are_broken(airbundle: Airbundle, bundle: Path) -> None:
    for name in ("bundle.json", "bundle.json.bak"):
        flip_byte(bundle / name, 0)
    result = airbundle("verify", bundle, "--json", status=_DAMAGED)
    assert result.error["code"] == "damaged-bundle"


def test_both_tables_are_missing(airbundle: Airbundle, bundle: Path) -> None:
    for name in ("bundle.json", "bundle.json.bak"):
        (bundle / name).unlink()
    result = airbundle("verify", bundle, "--json", status=_NOT_A_BUNDLE)
    assert result.error["code"] == "not-a-bundle"


def test_a_bundle_whose_packing_was_never_finished(airbundle: Airbundle, bundle: Path) -> None:
    (bundle / "bundle.json").rename(bundle / "bundle.json.partial")
    (bundle / "bundle.json.bak").unlink()
    result = airbundle("verify", bundle, "--json", status=_INCOMPLETE)
    assert result.error["code"] == "incomplete-bundle"


def test_the_table_is_missing_and_its_copy_is_there(airbundle: Airbundle, bundle: Path) -> None:
    (bundle / "bundle.json").unlink()
    findings = _verify(airbundle, bundle, _MENDABLE)
    assert [(finding["file"], finding["check"]) for finding in findings] == [("bundle.json", 1)]


def test_another_major_version(airbundle: Airbundle, bundle: Path) -> None:
    for name in ("bundle.json", "bundle.json.bak"):
        path = bundle / name
        text = path.read_text()
        assert text.count("vnd.airbundle.manifest.v1+json") == 1
        path.write_text(text.replace("vnd.airbundle.manifest.v1+json", "vnd.airbundle.manifest.v2+json"))
    result = airbundle("verify", bundle, "--json", status=_NOT_A_BUNDLE)
    assert result.error["code"] == "unsupported-version"


def test_an_empty_directory_is_no_bundle(airbundle: Airbundle, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = airbundle("verify", tmp_path / "empty", "--json", status=_NOT_A_BUNDLE)
    assert result.error["advice"]


# ---- what others do with a damaged bundle ----------------------------------------------


def test_extract_of_a_damaged_application_writes_nothing_wrong(
    airbundle: Airbundle, bundle: Path, tmp_path: Path
) -> None:
    victim = max(bundles.table(bundle)["blobs"], key=lambda blob: blob["size"])
    number, offset = divmod(victim["offset"] + victim["size"] // 2, _PART)
    flip_byte(bundle / bundles.parts(bundle, victim["archive"])[number]["file"], offset)
    destination = tmp_path / "layout"
    airbundle("extract", bundle, destination, "--app", "shop", status=_DAMAGED)
    assert not (destination / "blobs" / victim["digest"].replace(":", "/")).exists()
    # The other application lies in other bytes.
    airbundle("extract", bundle, tmp_path / "erp", "--app", "erp")
