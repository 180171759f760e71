"""A damaged bundle is mended by the command: by parity, and from other copies."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e import bundles
from tests.e2e.command import Airbundle
from tests.e2e.damage import cut, flip_byte
from tests.e2e.layouts import Image, layer, write_layout
from tests.faults.file_systems import ext4

_MIB = 1 << 20
_SHOP, _ERP = "repair.test/shop:1", "repair.test/erp:1"
_MOST_MEMORY = 100 * _MIB
_PART = "shop.oci.tar.002"


@pytest.fixture(scope="module")
def intact(shared_airbundle: Airbundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """41 MB in parts of 5 MiB, with 20 % parity."""
    directory = tmp_path_factory.mktemp("intact")
    shared = layer("shared", 9 * _MIB)
    images = {
        _SHOP: Image.of(shared, layer("shop", 23_000_000)),
        _ERP: Image.of(shared, layer("ledger", 8_400_000)),
    }
    source = write_layout(directory / "layout", images)
    wanted = [f"shop=oci:{source}:{_SHOP}", f"erp=oci:{source}:{_ERP}"]
    shared_airbundle("pack", *wanted, "-o", directory / "bundle", "--part-size", "5MiB", "-q")
    shared_airbundle("parity", directory / "bundle", "--redundancy", "20%", "-q")
    return directory / "bundle"


@pytest.fixture
def bundle(intact: Path, tmp_path: Path) -> Path:
    return shutil.copytree(intact, tmp_path / "bundle")


def _parts(directory: Path) -> list[str]:
    return [name for name in bundles.finished_files(directory) if ".oci.tar" in name]


def _assert_same(directory: Path, intact: Path) -> None:
    subprocess.run(["diff", "-r", directory, intact], check=True)


def test_one_byte_wrong_in_every_part(airbundle: Airbundle, bundle: Path, intact: Path) -> None:
    size = sum((bundle / name).stat().st_size for name in _parts(bundle))
    assert 40_000_000 < size < 42_000_000
    for number, name in enumerate(_parts(bundle)):
        flip_byte(bundle / name, (bundle / name).stat().st_size * (number + 1) // (len(_parts(bundle)) + 2))
    assert all(row["mendable"] for row in airbundle("verify", bundle, "--json", status=3).json["findings"])
    result = airbundle("repair", bundle, "--json")
    assert result.peak_bytes < _MOST_MEMORY
    assert [one["file"] for one in result.json["mended"]] == [part["file"] for part in _in_order(bundle)]
    _assert_same(bundle, intact)
    airbundle("verify", bundle, "--level", "deep")


def _in_order(bundle: Path) -> list[dict[str, object]]:
    return [part for name in ("shared", "erp", "shop") for part in bundles.parts(bundle, name)]


@pytest.mark.parametrize("number", range(9))
def test_any_one_part_gone_and_both_tables(airbundle: Airbundle, bundle: Path, intact: Path, number: int) -> None:
    name = _parts(bundle)[number % len(_parts(bundle))]
    (bundle / name).unlink()
    airbundle("verify", bundle, "-q", status=3)
    (bundle / "bundle.json").unlink()
    cut(bundle / "bundle.json.bak", 100)
    airbundle("verify", bundle, "-q", status=3)
    said = airbundle("repair", bundle).stdout
    assert f"mended   {name}: " in said
    _assert_same(bundle, intact)


def test_parity_files_damaged_themselves(airbundle: Airbundle, bundle: Path, intact: Path) -> None:
    parity = [name for name in bundles.finished_files(bundle) if name.startswith("parity.0")]
    flip_byte(bundle / parity[0], 77)
    flip_byte(bundle / _parts(bundle)[0], 77)
    airbundle("repair", bundle, "-q")
    _assert_same(bundle, intact)


def test_a_read_only_medium_into_another_directory(airbundle: Airbundle, intact: Path, tmp_path: Path) -> None:
    with ext4(tmp_path / "stick", 128 * _MIB) as stick:
        bundle = stick.place / "bundle"
        shutil.copytree(intact, bundle)
        (bundle / _parts(bundle)[0]).unlink()
        flip_byte(bundle / "shop.oci.tar.002", 4_000_000)
        stick.read_only()
        refused = airbundle("repair", bundle, "--json", status=12)
        assert "--output" in refused.error["advice"]
        output = tmp_path / "output"
        airbundle("repair", bundle, "--output", output, "-q")
        assert bundles.finished_files(output) == sorted(
            [_parts(intact)[0], "shop.oci.tar.002", "README.txt", "SHA256SUMS", "bundle.json", "bundle.json.bak"]
        )
        subprocess.run(
            ["sha256sum", "--check", "--quiet", "--ignore-missing", "SHA256SUMS"], cwd=output, check=True
        )
        airbundle("extract", bundle, output, f"oci:{tmp_path / 'layout'}", "-q")
        airbundle("verify", bundle, output, "-q", status=3)


def test_beyond_parity_other_copies_help(airbundle: Airbundle, bundle: Path, intact: Path, tmp_path: Path) -> None:
    lost = [name for name in _parts(bundle) if name.startswith("shop")]
    for name in lost:
        (bundle / name).unlink()
    before = {name: (bundle / name).read_bytes() for name in bundles.finished_files(bundle)}
    result = airbundle("repair", bundle, "--json", status=5)
    assert result.json["blocks_needed"] > 0
    assert {row["file"] for row in result.json["left"]} == set(lost)
    assert {image for row in result.json["left"] for image in row["images"]} == {_SHOP}
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before
    other = tmp_path / "other"
    other.mkdir()
    # A directory with some of the parts and nothing else; parity makes the last one.
    for name in lost[1:]:
        shutil.copy(intact / name, other / name)
    mended = airbundle("repair", bundle, "--from", other, "--json").json
    assert mended["bytes_from_copies"] == sum((intact / name).stat().st_size for name in lost[1:])
    assert mended["bytes_from_parity"] == (intact / lost[0]).stat().st_size
    _assert_same(bundle, intact)


def _flip_table(path: Path) -> None:
    """Change one bit of a table of contents; it makes sense as before."""
    raw = path.read_bytes()
    assert raw.count(b"repair.test/shop:1") == 1
    path.write_bytes(raw.replace(b"repair.test/shop:1", b"repair.test/shop:3"))


def test_a_table_that_nobody_confirms(airbundle: Airbundle, bundle: Path, intact: Path, tmp_path: Path) -> None:
    """One bit of bundle.json is wrong: one against one, whichever the other is, and nothing is done on trust."""
    for path in bundle.glob("parity*"):
        path.unlink()
    _flip_table(bundle / "bundle.json")
    for gone, kept in (("SHA256SUMS", "bundle.json.bak"), ("bundle.json.bak", "SHA256SUMS")):
        (bundle / gone).unlink()
        before = {path.name: path.read_bytes() for path in bundle.iterdir()}
        for command in (
            ("verify", bundle), ("repair", bundle), ("repair", bundle), ("inspect", bundle),
            ("extract", bundle, f"oci:{tmp_path / 'layout'}"), ("copy", bundle, tmp_path / "copy"),
            ("parity", bundle), ("push", bundle, "127.0.0.1:9/x"), ("request", bundle, "-o", tmp_path / "request"),
        ):  # fmt: skip
            said = airbundle(*command, "--json", status=4)
            assert (said.error["code"], "--from" in said.error["advice"]) == ("undecided-table", True)
        assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before
        assert not any((tmp_path / name).exists() for name in ("layout", "copy", "request"))
        shutil.copy(intact / gone, bundle / gone)
        assert kept in before
    (bundle / "bundle.json.bak").unlink()
    airbundle("repair", bundle, "--from", intact, "-q")
    airbundle("verify", bundle, "-q")
    assert (bundle / "bundle.json").read_bytes() == (intact / "bundle.json").read_bytes()


@pytest.mark.parametrize("gone", [(), ("SHA256SUMS",), (_PART,)])
@pytest.mark.parametrize("copy", ["gone", "flipped"])
def test_a_table_that_parity_proves_wrong(
    airbundle: Airbundle, bundle: Path, intact: Path, copy: str, gone: tuple[str, ...]
) -> None:
    _flip_table(bundle / "bundle.json")
    if copy == "flipped" and "SHA256SUMS" not in gone:
        shutil.copy(bundle / "bundle.json", bundle / "bundle.json.bak")
    else:
        (bundle / "bundle.json.bak").unlink()
    for name in gone:
        (bundle / name).unlink()
    airbundle("verify", bundle, "-q", status=3)
    airbundle("repair", bundle, "-q")
    _assert_same(bundle, intact)


@pytest.mark.parametrize("harm", ["gone", "damaged"])
def test_a_lost_table_of_parity(airbundle: Airbundle, bundle: Path, intact: Path, harm: str) -> None:
    """As much parity as there was is made again, so that a script goes on."""
    (bundle / "parity.json").unlink() if harm == "gone" else flip_byte(bundle / "parity.json", 100)
    airbundle("verify", bundle, "-q", status=3)
    assert airbundle("repair", bundle, "--json").json["tables"] == ["parity.json"]
    airbundle("verify", bundle, "-q")
    assert bundles.finished_files(bundle) == bundles.finished_files(intact)
    (bundle / _PART).unlink()
    airbundle("repair", bundle, "-q")
    assert (bundle / _PART).read_bytes() == (intact / _PART).read_bytes()


def test_parity_of_a_bundle_that_lacks_parts(airbundle: Airbundle, bundle: Path) -> None:
    for name in _parts(bundle)[:3]:
        (bundle / name).unlink()
    error = airbundle("parity", bundle, "--json", status=5).error
    assert error["code"] == "incomplete-bundle"
    assert "nor are 2 more parts" in error["message"]


def test_a_stranger_keeps_nothing_from_being_mended(airbundle: Airbundle, bundle: Path, intact: Path) -> None:
    (bundle / _PART).unlink()
    (bundle / "shop.oci.tar.099").write_bytes(b"x")
    report = airbundle("repair", bundle, "--json", status=4).json
    assert [row["file"] for row in report["left"]] == ["shop.oci.tar.099"]
    (bundle / "shop.oci.tar.099").unlink()
    _assert_same(bundle, intact)
