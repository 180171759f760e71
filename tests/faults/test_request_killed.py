"""An answer that is killed at random points is never taken for a whole one, and goes on where it was."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundler.api.requests import answer
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.reader import open_bundle
from bundler.bundle.requests.answers.reader import AnswerReader
from bundler.bundle.requests.block_ranges import BlockAt
from bundler.bundle.requests.request_file import BlockRequest, write_request
from bundler.errors import IncompleteBundle, NotFound
from tests.bad_blocks import request_for
from tests.builders import contents_of
from tests.copies import BLOCK, make_bundle

_ROOT = Path(__file__).parents[2]
_BLOCKS, _PART_BLOCKS = 400, 150
_PAUSE = 0.001
#: Every second block, and a run that goes on into the next part.
_WANTED: list[BlockAt] = [
    *((0, number) for number in range(0, _PART_BLOCKS, 2)),
    *((1, number) for number in range(100, _PART_BLOCKS)),
    *((2, number) for number in range(100)),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("source")
    make_bundle(directory, size=_BLOCKS * BLOCK - 999, part_bytes=_PART_BLOCKS * BLOCK)
    return directory


@pytest.fixture(scope="module")
def manifest(source: Path) -> BundleManifest:
    return open_bundle(source).manifest


@pytest.fixture(scope="module")
def request_(manifest: BundleManifest) -> BlockRequest:
    return request_for(manifest, _WANTED)


@pytest.fixture(scope="module")
def file(source: Path, request_: BlockRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("request") / "request.json"
    path.write_bytes(write_request(request_))
    return path


@pytest.fixture(scope="module")
def whole(source: Path, request_: BlockRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an answer is that nobody disturbs."""
    place = tmp_path_factory.mktemp("whole")
    answer(open_bundle(source), request_, place)
    return contents_of(place)


def kill_after(source: Path, file: Path, place: Path, seconds: float) -> bool:
    """Start an answer, kill it so long after it began; return whether it was still at work."""
    command = [sys.executable, "-m", "tests.faults.answer_child", *map(str, (source, file, place, _PAUSE))]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    return process.returncode == -signal.SIGKILL


def check_what_is_left(place: Path, manifest: BundleManifest, whole: dict[str, bytes]) -> None:
    """Final names are only for what is final; an answer without its table is refused."""
    left = contents_of(place)
    assert set(left) <= {*whole, *(f"{name}.partial" for name in whole)}
    final = {name: data for name, data in left.items() if not name.endswith(".partial")}
    assert final == {name: whole[name] for name in final}
    if {"answer.json", "answer.json.bak"} & set(left):
        assert {name for name in whole if name[-3:].isdecimal()} <= set(left)
    else:
        with pytest.raises((IncompleteBundle, NotFound)):
            AnswerReader(place, manifest)


@pytest.mark.parametrize("seed", range(10))
def test_killed_once(
    source: Path, manifest: BundleManifest, file: Path, whole: dict[str, bytes], tmp_path: Path, seed: int
) -> None:
    kill_after(source, file, tmp_path, random.Random(seed).uniform(0, 0.5))
    check_what_is_left(tmp_path, manifest, whole)
    report = answer(open_bundle(source), file, tmp_path)
    assert report.kept + report.written == len(_WANTED)
    assert contents_of(tmp_path) == whole


def test_killed_again_and_again(
    source: Path, manifest: BundleManifest, file: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    chance, kills, at_work = random.Random("again"), 0, True
    while at_work and kills < 40:
        at_work = kill_after(source, file, tmp_path, chance.uniform(0.02, 0.1) + 0.02 * kills)
        kills += at_work
        check_what_is_left(tmp_path, manifest, whole)
    assert kills >= 2
    # The last run was not killed, and did only what the others had left.
    assert contents_of(tmp_path) == whole
    assert answer(open_bundle(source), file, tmp_path).written == 0


def test_what_was_written_is_not_written_again(
    source: Path, file: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    assert kill_after(source, file, tmp_path, 0.15)
    sizes = [path.stat().st_size for path in tmp_path.glob("answer.[0-9]*.partial")]
    report = answer(open_bundle(source), file, tmp_path)
    # Of a block that was being written nothing is kept.
    assert report.kept >= sum(sizes) // BLOCK - 1
    assert contents_of(tmp_path) == whole
