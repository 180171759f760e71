"""The threads end, whatever happens, and what they raise reaches the caller."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bundler.bundle.copying.destination import CopyDestination
from bundler.bundle.copying.pipeline.medium_check import MediumCheck
from bundler.bundle.copying.pipeline.part_file import PartFile
from bundler.bundle.copying.pipeline.tally import Tally
from bundler.bundle.copying.pipeline.write_pipeline import WritePipeline
from bundler.bundle.manifest import BundleManifest
from bundler.errors import DiskError
from bundler.progress import SILENT
from tests.builders import no_thread_is_left, within
from tests.copies import BLOCK, make_bundle


@pytest.fixture
def manifest(tmp_path: Path) -> BundleManifest:
    (tmp_path / "place").mkdir()
    return make_bundle(tmp_path / "source", size=200 * BLOCK, part_bytes=200 * BLOCK)


class Fixture:
    def __init__(self, tmp_path: Path, manifest: BundleManifest) -> None:
        (self.part,) = manifest.parts
        self.data = (tmp_path / "source" / self.part.file).read_bytes()
        self.tally = Tally(manifest.parts, BLOCK, SILENT.task(""))
        check = MediumCheck([tmp_path / "source"], BLOCK, 1, self.tally, read_back=True)
        self.pipeline = WritePipeline(BLOCK, check)
        self.file = PartFile(CopyDestination(tmp_path / "place"), self.part)

    def put(self, number: int) -> None:
        buffer = self.pipeline.buffer()
        buffer[:] = self.data[number * BLOCK : (number + 1) * BLOCK]
        self.pipeline.begin(self.file)
        self.pipeline.put(self.file, number, buffer)


def test_all_is_written(tmp_path: Path, manifest: BundleManifest) -> None:
    with no_thread_is_left():
        made = Fixture(tmp_path, manifest)
        # A buffer that was not used comes back: there are fewer than blocks.
        for number in range(200):
            made.pipeline.give_back(made.pipeline.buffer())
            made.put(199 - number)
        made.pipeline.end(made.file)
        made.pipeline.finish()
        made.pipeline.close()
    assert made.file.path.read_bytes() == made.data
    assert made.tally.report().bytes_copied == len(made.data)


@pytest.mark.parametrize("step", ["write", "fsync"])
def test_what_fails_reaches_the_caller(
    tmp_path: Path, manifest: BundleManifest, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    made = Fixture(tmp_path, manifest)
    made.put(0)

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    def go_on() -> None:
        for number in range(1, 200):
            made.put(number)
        made.pipeline.end(made.file)
        made.pipeline.finish()

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(DiskError, match="Input/output"):
        within(20, go_on)
    for call in (made.pipeline.buffer, lambda: made.pipeline.end(made.file)):
        with pytest.raises(DiskError):
            call()
    with no_thread_is_left():
        made.pipeline.close()
    assert not made.file.is_open


def test_given_up(tmp_path: Path, manifest: BundleManifest) -> None:
    with no_thread_is_left():
        made = Fixture(tmp_path, manifest)
        made.put(0)
        within(20, made.pipeline.close)
        made.pipeline.close()
    assert not made.file.is_open
