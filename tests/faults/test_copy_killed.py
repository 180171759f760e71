"""A copy that is killed at random points and started again; what is done twice is counted."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundler.bundle.manifest import BundleManifest
from tests.builders import contents_of
from tests.copies import BLOCK, copy, make_bundle, right_bytes

#: Blocks enough that a kill mostly comes between the first and the last one.
_BLOCKS, _PART_BLOCKS = 400, 150
_PAUSE = 0.001
_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("source")
    make_bundle(directory, size=_BLOCKS * BLOCK - 999, part_bytes=_PART_BLOCKS * BLOCK)
    return directory


@pytest.fixture(scope="module")
def manifest(source: Path) -> BundleManifest:
    return make_bundle(source, size=_BLOCKS * BLOCK - 999, part_bytes=_PART_BLOCKS * BLOCK)


def kill_after(source: Path, place: Path, seconds: float) -> bool:
    """Start a copy, kill it so long after it began; return whether it was still at work."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.copy_child", str(source), str(place), str(_PAUSE)],
        cwd=_ROOT, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    return process.returncode == -signal.SIGKILL


def unfinished(manifest: BundleManifest, place: Path) -> dict[str, int]:
    """Return the size of each part's file that has not its final name."""
    paths = [place / f"{part.file}.partial" for part in manifest.parts]
    return {path.name: path.stat().st_size for path in paths if path.exists()}


def check_what_is_left(manifest: BundleManifest, place: Path) -> int:
    """Check what a kill leaves; return how many bytes are there and right."""
    finished = {part.file: part.size for part in manifest.parts if (place / part.file).exists()}
    assert all((place / file).stat().st_size == size for file, size in finished.items())
    kept = right_bytes(manifest, place)
    # Of a file that was being written at most the block is lost that was not written to its end.
    written = sum(finished.values()) + sum(unfinished(manifest, place).values())
    assert written - kept < BLOCK * max(len(unfinished(manifest, place)), 1)
    if not (place / "bundle.json").exists() and kept:
        assert (place / "bundle.json.partial").read_bytes() == manifest.raw
    return kept


@pytest.mark.parametrize("seed", range(12))
def test_killed_once(source: Path, manifest: BundleManifest, tmp_path: Path, seed: int) -> None:
    place, total = tmp_path / "place", sum(part.size for part in manifest.parts)
    kill_after(source, place, random.Random(seed).uniform(0, 0.8))
    place.mkdir(exist_ok=True)
    kept = check_what_is_left(manifest, place)
    report = copy(manifest, [source], place)
    assert (report.bytes_kept, report.bytes_copied, report.bytes_bad) == (kept, total - kept, 0)
    assert contents_of(place) == contents_of(source)


def test_killed_again_and_again(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    place, chance = tmp_path / "place", random.Random("again")
    kept, kills, at_work = [0], 0, True
    while at_work and kills < 40:
        # Each run looks first at what the earlier ones brought, and so needs longer than they.
        at_work = kill_after(source, place, chance.uniform(0.05, 0.2) + 0.05 * kills)
        kills += at_work
        kept.append(check_what_is_left(manifest, place))
    # What one run brought the next one found.
    assert kept == sorted(kept)
    assert kills >= 2
    copy(manifest, [source], place)
    assert contents_of(place) == contents_of(source)


@pytest.mark.parametrize("number", [signal.SIGINT])
def test_interrupted(source: Path, manifest: BundleManifest, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C in the middle ends the threads too, in good time."""
    place = tmp_path / "place"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.copy_child", str(source), str(place), "0.01"],
        cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(0.5)
        process.send_signal(number)
        begun = time.monotonic()
        process.communicate(timeout=20)
    assert time.monotonic() - begun < 10
    assert process.returncode not in (0, 1)
    check_what_is_left(manifest, place)
    copy(manifest, [source], place)
    assert contents_of(place) == contents_of(source)
