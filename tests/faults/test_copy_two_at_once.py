"""Two runs on one destination: the second one is refused, and the first one's copy is whole."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bundler.bundle.manifest import BundleManifest
from bundler.errors import OutputExists
from tests.builders import TwoApplications, contents_of
from tests.copies import BLOCK, copy, make_bundle
from tests.fakes.tasks import RecordingTask

_ROOT = Path(__file__).parents[2]


class Pausing(RecordingTask):
    """Stops at the first block until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go_on = threading.Event(), threading.Event()

    def advance(self, count: int) -> None:
        self.reached.set()
        assert self.go_on.wait(30)
        super().advance(count)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture
def manifest(source: Path) -> BundleManifest:
    return make_bundle(source)


def test_a_copy_and_whoever_comes_meanwhile(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    place, task = tmp_path / "place", Pausing()
    first = threading.Thread(target=copy, args=(manifest, [source], place), kwargs={"task": task})
    first.start()
    try:
        assert task.reached.wait(30)
        with pytest.raises(OutputExists, match="another run"):
            copy(manifest, [source], place)
        other = [sys.executable, "-m", "tests.faults.copy_child", str(source), str(place)]
        said = subprocess.run(other, cwd=_ROOT, capture_output=True, check=False).stdout
        assert said == b"begun\noutput-exists\n"
        with pytest.raises(OutputExists):
            TwoApplications().pack(place)
    finally:
        task.go_on.set()
        first.join()
    assert contents_of(place) == contents_of(source)


def test_many_at_the_same_moment(tmp_path: Path) -> None:
    """Whoever gets the directory finishes; the others are refused, or come when all is done."""
    source, place = tmp_path / "source", tmp_path / "place"
    make_bundle(source, size=40 * BLOCK, part_bytes=8 * BLOCK)
    command = [sys.executable, "-m", "tests.faults.copy_child", str(source), str(place), "0.002"]
    runs = [subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE) for _ in range(5)]
    said = [run.communicate(timeout=60)[0] for run in runs]
    assert said.count(b"begun\n") >= 1
    assert set(said) <= {b"begun\n", b"begun\noutput-exists\n"}
    assert contents_of(place) == contents_of(source)
