"""A repair that is killed at random points and started again: nothing is ever worse than before."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundler import open_bundle, repair
from tests.builders import contents_of, flip
from tests.copies import BLOCK, make_bundle
from tests.parities import write_parity

_BLOCKS, _PART_BLOCKS = 120, 40
_PAUSE = 0.004
_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three parts of 40 blocks, and parity that mends any of them."""
    directory = tmp_path_factory.mktemp("intact") / "bundle"
    manifest = make_bundle(directory, size=_BLOCKS * BLOCK - 999, part_bytes=_PART_BLOCKS * BLOCK)
    write_parity(directory, manifest, 6, 3, file_bytes=_PART_BLOCKS * BLOCK)
    return directory


@pytest.fixture
def damaged(intact: Path, tmp_path: Path) -> Path:
    """A lost part, a bad block in another, one in a parity file, and no table but the one in parity.json."""
    bundle = shutil.copytree(intact, tmp_path / "bundle")
    (bundle / "shop.oci.tar.002").unlink()
    flip(bundle / "shop.oci.tar.001", 5 * BLOCK + 1)
    flip(bundle / "parity.001", 1)
    for file in ("bundle.json", "bundle.json.bak", "SHA256SUMS"):
        (bundle / file).unlink()
    return bundle


def kill_after(bundle: Path, seconds: float, *more: str) -> bool:
    """Start a repair, kill it so long after it began; return whether it was still at work."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.repair_child", str(bundle), str(_PAUSE), *more],
        cwd=_ROOT, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    return process.returncode == -signal.SIGKILL


def check_left(bundle: Path, before: dict[str, bytes], right: dict[str, bytes]) -> None:
    """Every final name holds what it held, or what it should; and the table can be read."""
    for file, data in contents_of(bundle).items():
        if not file.endswith(".partial"):
            assert data in (before.get(file), right[file]), f"{file} is neither as before nor right"
    for file in before:
        assert (bundle / file).exists(), f"{file} is gone"
    assert open_bundle(bundle).manifest.raw == right["bundle.json"]


@pytest.mark.parametrize("seed", range(10))
def test_killed_once(intact: Path, damaged: Path, seed: int) -> None:
    before, right = contents_of(damaged), contents_of(intact)
    assert kill_after(damaged, random.Random(seed).uniform(0, 0.7))
    check_left(damaged, before, right)
    assert repair(damaged).ok
    assert contents_of(damaged) == right


def test_killed_again_and_again_it_goes_on(intact: Path, damaged: Path) -> None:
    before, right = contents_of(damaged), contents_of(intact)
    chance, kills, at_work, kept = random.Random("again"), 0, True, [0]
    while at_work and kills < 60:
        at_work = kill_after(damaged, chance.uniform(0.05, 0.15) + 0.02 * kills)
        kills += at_work
        check_left(damaged, before, right)
        kept.append(right_blocks(damaged, right))
    assert kept == sorted(kept)
    assert kills >= 2
    assert repair(damaged).ok
    assert contents_of(damaged) == right


def right_blocks(bundle: Path, right: dict[str, bytes]) -> int:
    """Count the blocks that are right under the final or the unfinished name."""
    total = 0
    for file in [name for name in right if ".oci.tar" in name]:
        for start in range(0, len(right[file]), BLOCK):
            block = right[file][start : start + BLOCK]
            paths = (bundle / file, bundle / f"{file}.partial")
            total += any(path.exists() and path.read_bytes()[start : start + BLOCK] == block for path in paths)
    return total


@pytest.mark.parametrize("seed", range(4))
def test_killed_on_the_way_into_another_directory(intact: Path, damaged: Path, tmp_path: Path, seed: int) -> None:
    output, before, right = tmp_path / "output", contents_of(damaged), contents_of(intact)
    kill_after(damaged, random.Random(f"output {seed}").uniform(0.1, 0.6), str(output))
    assert contents_of(damaged) == before
    report = repair(damaged, output=output)
    assert report.ok
    assert contents_of(damaged) == before
    together = {**before, **contents_of(output)}
    assert {file: together[file] for file in right} == right


def test_ctrl_c(intact: Path, damaged: Path) -> None:
    before, right = contents_of(damaged), contents_of(intact)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.repair_child", str(damaged), "0.02"],
        cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(0.8)
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        process.communicate(timeout=20)
    assert time.monotonic() - begun < 10
    assert process.returncode not in (0, 1)
    check_left(damaged, before, right)
    assert repair(damaged).ok
    assert contents_of(damaged) == right
