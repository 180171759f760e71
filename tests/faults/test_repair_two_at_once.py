"""Two runs on one bundle: the second one is refused, and the first one's repair is whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import pytest

from bundler import open_bundle, repair
from bundler.bundle.parity.making import make_parity
from bundler.bundle.parity.wish import ParityWish
from bundler.errors import OutputExists
from bundler.progress import Task
from tests.builders import contents_of, flip
from tests.copies import BLOCK, copy, make_bundle, manifest_of
from tests.faults.test_copy_two_at_once import Pausing
from tests.parities import write_parity

_ROOT = Path(__file__).parents[2]
FIRST = "shop.oci.tar.001"


class PausingProgress:
    """Stops at the first byte that a repair writes until it is let go on."""

    def __init__(self) -> None:
        self.pausing = Pausing()
        self._other = Pausing()
        self._other.go_on.set()

    def task(self, label: str, total: int | None = None) -> Task:
        return self.pausing if label == "repair" else self._other

    def message(self, text: str) -> None:
        raise AssertionError(text)


@pytest.fixture
def intact(tmp_path: Path) -> Path:
    directory = tmp_path / "intact"
    write_parity(directory, make_bundle(directory), 5, 2)
    return directory


@pytest.mark.parametrize("lost", [(), ("bundle.json",), ("bundle.json", "bundle.json.bak")])
def test_a_repair_and_whoever_comes_meanwhile(intact: Path, tmp_path: Path, lost: tuple[str, ...]) -> None:
    """Also where the first one had to begin without a table."""
    bundle, right, progress = shutil.copytree(intact, tmp_path / "bundle"), contents_of(intact), PausingProgress()
    flip(bundle / FIRST, 1)
    for file in lost:
        (bundle / file).unlink()
    first = threading.Thread(target=repair, args=(bundle,), kwargs={"progress": progress})
    first.start()
    try:
        assert progress.pausing.reached.wait(30)
        with pytest.raises(OutputExists, match="another run"):
            repair(bundle)
        other = [sys.executable, "-m", "tests.faults.repair_child", str(bundle)]
        said = subprocess.run(other, cwd=_ROOT, capture_output=True, check=False).stdout
        assert said == b"begun\noutput-exists\n"
        with pytest.raises(OutputExists):
            copy(manifest_of(intact), [intact], bundle)
        with pytest.raises(OutputExists):
            make_parity(open_bundle(bundle), ParityWish(redundancy=Fraction(1, 2)))
    finally:
        progress.pausing.go_on.set()
        first.join()
    assert contents_of(bundle) == right


def test_many_at_the_same_moment(tmp_path: Path) -> None:
    """Whoever gets the bundle mends it; the others are refused, or come when all is done."""
    bundle = tmp_path / "bundle"
    manifest = make_bundle(bundle, size=60 * BLOCK, part_bytes=20 * BLOCK)
    write_parity(bundle, manifest, 6, 3)
    right = contents_of(bundle)
    (bundle / FIRST).unlink()
    (bundle / "bundle.json").unlink()
    command = [sys.executable, "-m", "tests.faults.repair_child", str(bundle), "0.005"]
    runs = [subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE) for _ in range(5)]
    said = [run.communicate(timeout=60)[0] for run in runs]
    assert said.count(b"begun\n") >= 1
    assert set(said) <= {b"begun\n", b"begun\noutput-exists\n"}
    assert contents_of(bundle) == right


def test_two_into_one_other_directory(intact: Path, tmp_path: Path) -> None:
    bundle, output, progress = shutil.copytree(intact, tmp_path / "bundle"), tmp_path / "output", PausingProgress()
    flip(bundle / FIRST, 1)
    first = threading.Thread(target=repair, args=(bundle,), kwargs={"output": output, "progress": progress})
    first.start()
    try:
        assert progress.pausing.reached.wait(30)
        with pytest.raises(OutputExists, match="another run"):
            repair(bundle, output=output)
    finally:
        progress.pausing.go_on.set()
        first.join()
    assert (output / FIRST).read_bytes() == (intact / FIRST).read_bytes()
