"""A bundle goes onto sticks and back: several of them at once, or one after another at one place."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.builders import wait_until
from tests.e2e import bundles
from tests.e2e.command import Airbundle, Running
from tests.e2e.damage import flip_byte
from tests.e2e.layouts import Image, layer, write_layout
from tests.faults.file_systems import memory
from tests.servers.engine import RealEngine

_MIB = 1 << 20
_SHOP, _ERP = "copy.test/shop:1", "copy.test/erp:1"
_TABLES = ["README.txt", "SHA256SUMS", "bundle.json", "bundle.json.bak"]
_QUESTION = "press Enter"


@pytest.fixture(scope="module")
def bundle(shared_airbundle: Airbundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten parts of at most 1 MiB: two archives over a shared one."""
    directory = tmp_path_factory.mktemp("bundle")
    shared = layer("shared", 2 * _MIB)
    images = {
        _SHOP: Image.of(shared, layer("shop", 5 * _MIB)),
        _ERP: Image.of(shared, layer("ledger", _MIB)),
    }
    source = write_layout(directory / "layout", images)
    wanted = [f"shop=oci:{source}:{_SHOP}", f"erp=oci:{source}:{_ERP}"]
    shared_airbundle("pack", *wanted, "-o", directory / "bundle", "--part-size", "1MiB", "-q")
    return directory / "bundle"


@pytest.fixture
def sticks(tmp_path: Path) -> Iterator[list[Path]]:
    """Three file systems, of which two hold the bundle."""
    with ExitStack() as mounted:
        yield [mounted.enter_context(memory(tmp_path / name, 6 * _MIB)) for name in ("one", "two", "three")]


def _parts(directory: Path) -> list[str]:
    return [name for name in bundles.finished_files(directory) if ".oci.tar" in name]


def _in_order(bundle: Path) -> list[str]:
    """Return all parts in the order in which they travel: what is shared, then the smaller application."""
    return [part["file"] for name in ("shared", "erp", "shop") for part in bundles.parts(bundle, name)]


def _assert_same_files(directory: Path, bundle: Path) -> None:
    assert bundles.finished_files(directory) == bundles.finished_files(bundle)
    for name in bundles.finished_files(bundle):
        subprocess.run(["cmp", bundle / name, directory / name], check=True)


def _sums_agree(directory: Path, *options: str) -> None:
    subprocess.run(["sha256sum", "--check", "--quiet", *options, "SHA256SUMS"], cwd=directory, check=True)


def test_to_two_sticks_and_back(
    airbundle: Airbundle, bundle: Path, sticks: list[Path], tmp_path: Path, second_engine: RealEngine
) -> None:
    one, two = (stick / "plant7" for stick in sticks[:2])
    copied = airbundle("copy", bundle, one, "--to", two, "--json").json
    assert copied["complete"] is True
    assert [place["parts"] for place in copied["destinations"]] == [
        [part for part in _in_order(bundle) if part in _parts(stick)] for stick in (one, two)
    ]
    assert sorted(_parts(one) + _parts(two)) == _parts(bundle)
    assert {name.split(".")[0] for name in _parts(one)} >= {"shared", "erp"}
    for stick in (one, two):
        assert [name for name in bundles.finished_files(stick) if name not in _parts(stick)] == _TABLES
        _sums_agree(stick, "--ignore-missing")
        airbundle("verify", stick, "--level", "quick", status=5)

    back = tmp_path / "back"
    airbundle("copy", two, one, back)
    _assert_same_files(back, bundle)
    _sums_agree(back)
    airbundle("verify", back, "--level", "deep")
    again = airbundle("copy", one, two, back, "--json").json
    assert (again["bytes_copied"], again["bytes_kept"]) == (0, copied["bytes_copied"])

    airbundle.with_environment(DOCKER_HOST=second_engine.host)("load", back)
    for name in (_SHOP, _ERP):
        image = bundles.images(bundle)[name]
        assert second_engine.facts(name)["Id"] in (*image["image_ids"], image["descriptor"]["digest"])


def test_sticks_that_are_too_small_together(
    airbundle: Airbundle, bundle: Path, sticks: list[Path], tmp_path: Path
) -> None:
    with memory(tmp_path / "small", 2 * _MIB) as small:
        result = airbundle("copy", bundle, small, "--to", sticks[0], "--json", status=12)
        assert result.error["code"] == "no-space"
        assert "more medi" in result.error["advice"]
        assert list(small.iterdir()) == list(sticks[0].iterdir()) == []
        dry = airbundle("copy", bundle, sticks[0], "--to", sticks[1], "--dry-run", "--json").json
        assert dry["left"] == []
        assert list(sticks[0].iterdir()) == []


def test_a_damaged_part_on_one_stick_is_taken_from_another(
    airbundle: Airbundle, bundle: Path, tmp_path: Path
) -> None:
    copies = [tmp_path / "one", tmp_path / "two"]
    for copy in copies:
        airbundle("copy", bundle, copy, "-q", "--no-read-back")
    flip_byte(copies[0] / "shop.oci.tar.001", 1000)
    flip_byte(copies[1] / "shop.oci.tar.002", 1000)
    back = tmp_path / "back"
    result = airbundle("copy", copies[0], back, "--json", status=4)
    (bad,) = result.json["bad"]
    assert (bad["file"], bad["images"]) == ("shop.oci.tar.001", [_SHOP])
    assert result.json["bytes_bad"] == bad["length"]
    assert "copy OTHER" in result.error["advice"]
    assert "bundle.json" not in bundles.finished_files(back)
    mended = airbundle("copy", copies[1], back, "--json").json
    assert mended["bytes_copied"] == bad["length"]
    _assert_same_files(back, bundle)


@contextmanager
def _span(airbundle: Airbundle, *arguments: object) -> Iterator[tuple[Running, Callable[[], None]]]:
    """Start a copy that asks; the second value answers it."""
    reading, writing = os.pipe()
    with (
        os.fdopen(reading, "rb") as stdin,
        os.fdopen(writing, "wb", buffering=0) as keyboard,
        airbundle.start("copy", "--span", *arguments, stdin=stdin) as running,
    ):

        def answer() -> None:
            keyboard.write(b"\n")

        yield running, answer


def _asked(running: Running, times: int) -> None:
    wait_until(lambda: running.ended or running.stderr.count(_QUESTION) >= times, 60)
    assert running.stderr.count(_QUESTION) == times, running.stderr


def _turn(mount: Path, stick: Path | None) -> None:
    """Take out the medium that is mounted, and mount another one."""
    if os.path.ismount(mount):
        # Fails as long as the command holds anything open there.
        subprocess.run(["umount", mount], check=True)
    if stick is not None:
        subprocess.run(["mount", "--bind", stick, mount], check=True)


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "mount"
    place.mkdir()
    yield place
    _turn(place, None)


def test_one_stick_after_another_there_and_back(
    airbundle: Airbundle, bundle: Path, sticks: list[Path], mount: Path, tmp_path: Path
) -> None:
    _turn(mount, sticks[0])
    with _span(airbundle, bundle, mount, "--json") as (running, answer):
        _asked(running, 1)
        answer()  # the stick was not changed
        _asked(running, 2)
        assert "in this run already" in running.stderr
        _turn(mount, None)
        answer()  # nothing is mounted
        _asked(running, 3)
        assert f"nothing is mounted at {mount}" in running.stderr
        assert list(mount.iterdir()) == []
        _turn(mount, sticks[1])
        answer()
        there = running.finish(60)
    assert there.status == 0, str(there)
    assert there.json["complete"] is True
    assert sorted(_parts(sticks[0]) + _parts(sticks[1])) == _parts(bundle)

    with _span(airbundle, mount, tmp_path / "back") as (running, answer):
        _asked(running, 1)
        for name in _parts(sticks[0]):
            assert name in running.stderr
        _turn(mount, sticks[2])
        answer()  # an empty one
        _asked(running, 2)
        _turn(mount, sticks[0])
        answer()
        back = running.finish(60)
    assert back.status == 0, str(back)
    _assert_same_files(tmp_path / "back", bundle)


def test_the_end_of_input_and_ctrl_c_keep_what_is_there(
    airbundle: Airbundle, bundle: Path, sticks: list[Path]
) -> None:
    result = airbundle("copy", "--span", bundle, sticks[0], "--json", status=5)
    first = result.json["bytes_copied"]
    assert "with the first medium in place" in result.error["advice"]
    with _span(airbundle, bundle, sticks[0]) as (running, _):
        _asked(running, 1)
        running.signal(signal.SIGINT)
        assert running.finish(20).status == 130
    again = airbundle("copy", bundle, sticks[0], "--to", sticks[1], "--json").json
    assert again["bytes_kept"] == first
    assert sorted(_parts(sticks[0]) + _parts(sticks[1])) == _parts(bundle)
