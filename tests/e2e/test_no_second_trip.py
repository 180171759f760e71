"""Nobody travels twice: what sticks damage, parity mends; what it cannot is asked for, answered and mended."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e import bundles
from tests.e2e.command import Airbundle
from tests.e2e.damage import flip_byte
from tests.e2e.layouts import Image, layer, write_layout
from tests.faults.file_systems import memory
from tests.requirements import require, why_no_program
from tests.servers.registry import RealRegistry

_MIB = 1 << 20
_SHOP, _ERP = "trip.test/shop:1", "trip.test/erp:1"
_OPTIONS = ("--part-size", "8MiB", "--name", "plant7", "--bundle-version", "7")


class NearSide:
    """Two images over a common layer, where they are packed."""

    def __init__(self, directory: Path) -> None:
        shared = layer("shared", 12 * _MIB)
        self.images = {
            _SHOP: Image.of(shared, layer("shop", 27 * _MIB)),
            _ERP: Image.of(shared, layer("ledger", 13 * _MIB)),
        }
        layout = write_layout(directory / "layout", self.images)
        self.items = (f"shop=oci:{layout}:{_SHOP}", f"erp=oci:{layout}:{_ERP}")
        self.bundle = directory / "near"


@pytest.fixture
def near(airbundle: Airbundle, tmp_path: Path) -> NearSide:
    """The near side after it packed with parity."""
    side = NearSide(tmp_path)
    packed = airbundle("pack", *side.items, *_OPTIONS, "--parity", "40%", "-o", side.bundle, "--json")
    assert packed.json["parity"]["m"] >= 4, packed
    return side


@pytest.fixture
def sticks(tmp_path: Path) -> Iterator[list[Path]]:
    """Two file systems, neither of which holds it all."""
    with ExitStack() as mounted:
        yield [mounted.enter_context(memory(tmp_path / name, 52 * _MIB)) for name in ("one", "two")]


def _parts(directory: Path) -> list[Path]:
    return [directory / name for name in bundles.finished_files(directory) if ".oci.tar" in name]


def _files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def _damage_beyond_parity(far: Path) -> None:
    """Lose all parts of one application, and parity that could make some of them."""
    for part in _parts(far):
        if part.name.startswith("shop"):
            part.unlink()
    flip_byte(far / "parity.001", 100)


def _scanned(picture: Path) -> bytes:
    """Read what a camera at the gate would."""
    return subprocess.run(
        ["zbarimg", "--quiet", "--raw", "--oneshot", "-Sbinary", str(picture)],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ).stdout  # fmt: skip


def _digest(address: str, name: str) -> str:
    command = ["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{address}/{name}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_whole_story(
    airbundle: Airbundle, near: NearSide, sticks: list[Path], tmp_path: Path, empty_registry: RealRegistry
) -> None:
    require(why_no_program("skopeo", "zbarimg"))
    one, two = (stick / "plant7" for stick in sticks)
    far, stick = tmp_path / "far", tmp_path / "stick"
    stick.mkdir()

    # Two sticks: bad sectors on one, a lost part on the other. What is copied in, parity mends.
    airbundle("copy", near.bundle, one, "--to", two, "--json")
    assert len(_parts(one)) >= 1
    assert len(_parts(two)) >= 1
    flip_byte(_parts(one)[0], 12345)
    _parts(two)[-1].unlink()
    if airbundle("copy", one, two, far, status=None).status:
        mended = airbundle("repair", far, "--from", one, "--from", two, "--json").json
        assert mended["bytes_from_parity"] > 0
    assert airbundle("verify", far, "--json").json["findings"] == []
    assert {part.name: part.read_bytes() for part in _parts(far)} == {
        part.name: part.read_bytes() for part in _parts(near.bundle)
    }

    # More damage than parity can mend: repair says so, and changes nothing.
    _damage_beyond_parity(far)
    damaged = _files(far)
    assert airbundle("verify", far, "--json", status=None).status in (4, 5)
    assert airbundle("repair", far, "--json", status=None).status in (4, 5)
    assert _files(far) == damaged

    # The request goes out through a camera; it says what is missing and nothing else.
    asked = airbundle("request", far, "-o", tmp_path / "request.json", "--qr", "--json").json
    assert 0 < asked["needed"]["blocks"] < asked["missing"]["blocks"]
    request = stick / "request.json"
    request.write_bytes(_scanned(tmp_path / "request.json.png"))
    assert request.read_bytes() == (tmp_path / "request.json").read_bytes()
    text = request.read_text()
    assert not [name for name in ("shop", "erp", "trip.test", "plant7", "shared") if name in text]

    # The answer comes in: fewer bytes than are missing.
    answered = airbundle("answer", near.bundle, request, "-o", stick / "answer", "--json").json
    assert answered["blocks_written"] == asked["needed"]["blocks"]
    assert asked["needed"]["bytes"] == answered["bytes"] < asked["missing"]["bytes"]
    # Had the bundle been gone, its images would have done.
    airbundle("answer", request, *near.items, *_OPTIONS, "-o", tmp_path / "again", "-q")
    assert _files(tmp_path / "again") == _files(stick / "answer")

    mended = airbundle("repair", far, "--from", stick / "answer", "--json").json
    assert mended["ok"] is True
    assert airbundle("verify", far, "--level", "deep", "--json").json["findings"] == []
    airbundle("push", far, empty_registry.address, "--plain-http", "-q")
    for name, image in near.images.items():
        assert _digest(empty_registry.address, name.partition("/")[2]) == image.manifest["digest"]


def test_an_answer_that_is_damaged_on_its_way(airbundle: Airbundle, near: NearSide, tmp_path: Path) -> None:
    """Of it only the damaged block is missing, and only that one is asked for again."""
    far, answer = tmp_path / "far", tmp_path / "answer"
    airbundle("copy", near.bundle, far, "-q")
    for path in far.glob("parity.*"):
        path.unlink()
    for part in _parts(far)[:2]:
        part.unlink()
    airbundle("request", far, "-o", tmp_path / "first.json", "-q")
    written = airbundle("answer", near.bundle, tmp_path / "first.json", "-o", answer, "--json").json
    flip_byte(answer / "answer.001", 5 * _MIB)
    result = airbundle("repair", far, "--from", answer, "--partial", "--json", status=None)
    assert result.status in (4, 5)
    again = airbundle("request", far, "-o", tmp_path / "second.json", "--json").json
    assert again["missing"]["blocks"] == 1 < written["blocks"]
    airbundle("answer", near.bundle, tmp_path / "second.json", "-o", tmp_path / "rest", "-q")
    assert (tmp_path / "rest" / "answer.001").stat().st_size == again["missing"]["bytes"]
    airbundle("repair", far, "--from", tmp_path / "rest", "-q")
    assert airbundle("verify", far, "--json").json["ok"] is True
