"""Parity whose making is killed at random points and started again; two makings at once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundler.bundle.parity.journal import read_journal
from bundler.bundle.parity.making import make_parity
from bundler.bundle.parity.search import read_parity
from bundler.bundle.parity.table import parse_parity_table
from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.content.hashing import block_sum
from bundler.errors import ExitStatus
from tests.builders import contents_of
from tests.copies import BLOCK, make_bundle
from tests.faults.kills import Command, Killer
from tests.faults.parity_child import WISH

_ROOT = Path(__file__).parents[2]
#: Between two blocks, in seconds; so long that a second making begins before the first one ends.
_PAUSE, _LONG_PAUSE = "0.002", "0.02"


def bundle_at(directory: Path) -> Path:
    """Make a bundle of 200 blocks in parts of 40, which begin where no stripe does."""
    make_bundle(directory, size=200 * BLOCK - 999, part_bytes=40 * BLOCK - 1000)
    return directory


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every file of the bundle with its parity."""
    directory = bundle_at(tmp_path_factory.mktemp("right"))
    make_parity(open_bundle(directory), WISH)
    return contents_of(directory)


def start(directory: Path, pause: str = _PAUSE) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.parity_child", str(directory), pause],
        cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    return process


def stop(directory: Path, seconds: float, number: signal.Signals = signal.SIGKILL) -> bool:
    """Start the making, stop it so long after it began; return whether it was still at work."""
    process = start(directory)
    time.sleep(seconds)
    process.send_signal(number)
    begun = time.monotonic()
    process.communicate(timeout=30)
    assert time.monotonic() - begun < 10
    return process.returncode != 0


def check_left(directory: Path, right: dict[str, bytes]) -> int:
    """Check what is left; return how many stripes the journal tells of, which are there and right."""
    final = {name: data for name, data in contents_of(directory).items() if not name.endswith(".partial")}
    assert final == {name: right[name] for name in final}, "a final name means that the file is whole"
    # Nobody takes the beginning of parity for parity, or for damage.
    assert verify_bundle(open_bundle(directory), "quick").exit_status in (ExitStatus.DONE, ExitStatus.MENDABLE)
    records = read_journal(directory / "parity-journal.partial")
    if records is None:
        return 0
    geometry = parse_parity_table(right["parity.json"]).geometry
    written = b"".join(path.read_bytes() for path in sorted(directory.glob("parity.0*")))
    for stripe, sums in records.sums.items():
        for row, expected in enumerate(sums):
            at = geometry.parity_offset(stripe, row)
            assert block_sum(written[at : at + BLOCK]) == expected
    return len(records.sums)


@pytest.mark.parametrize("seed", range(8))
def test_killed_once(tmp_path: Path, right: dict[str, bytes], seed: int) -> None:
    directory = bundle_at(tmp_path / "bundle")
    at_work = stop(directory, random.Random(seed).uniform(0, 0.8))
    done = check_left(directory, right)
    outcome = make_parity(open_bundle(directory), WISH)
    assert contents_of(directory) == right
    if at_work and not (directory / "parity.json").exists():
        assert outcome.bytes_kept == done * outcome.table.geometry.m * BLOCK


def test_killed_again_and_again(tmp_path: Path, right: dict[str, bytes]) -> None:
    directory, chance = bundle_at(tmp_path / "bundle"), random.Random("again")
    done, kills = [0], 0
    while kills < 40 and stop(directory, chance.uniform(0.1, 0.3)):
        kills += 1
        done.append(check_left(directory, right))
    # What one run brought the next one kept.
    assert done[: kills + 1] == sorted(done[: kills + 1])
    assert kills >= 2
    make_parity(open_bundle(directory), WISH)
    assert contents_of(directory) == right


@pytest.mark.parametrize("seconds", [0.1, 0.5])
def test_interrupted(tmp_path: Path, right: dict[str, bytes], seconds: float) -> None:
    """Ctrl-C in the middle ends the threads too, in good time."""
    directory = bundle_at(tmp_path / "bundle")
    assert stop(directory, seconds, signal.SIGINT)
    check_left(directory, right)
    make_parity(open_bundle(directory), WISH)
    assert contents_of(directory) == right


def test_two_at_once(tmp_path: Path, right: dict[str, bytes]) -> None:
    directory = bundle_at(tmp_path / "bundle")
    first = start(directory, _LONG_PAUSE)
    while not (directory / "parity-journal.partial").exists():
        assert first.poll() is None
        time.sleep(0.01)
    second = start(directory)
    assert second.communicate(timeout=60)[0] == b"output-exists\n"
    assert second.returncode == ExitStatus.USAGE
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert contents_of(directory) == right


def test_the_command(tmp_path: Path, kills: int) -> None:
    """The whole command, with nothing slowed down or made small."""

    def bundle(name: str) -> Path:
        make_bundle(tmp_path / name, size=400 * BLOCK - 999, part_bytes=64 * BLOCK - 1000)
        return tmp_path / name

    def command(directory: Path) -> Command:
        return Command.of("parity", directory, "--redundancy", "40%", "--json", "--quiet")

    seconds = command(bundle("undisturbed")).seconds()
    right = contents_of(tmp_path / "undisturbed")
    killer, number = Killer(kills // 4, "parity"), 0
    while killer.goes_on:
        number += 1
        directory = bundle(str(number))
        killer.kill(command(directory), seconds)
        said = command(directory).finish()
        assert contents_of(directory) == right
        assert said["bytes_kept"] + said["bytes_written"] == said["size"]
        found = read_parity([directory]).table
        assert found is not None
