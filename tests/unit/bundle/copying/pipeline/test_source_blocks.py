"""A source that was pulled out is noticed; one that is only damaged is read to its end."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundler.bundle.copying.pipeline import source_blocks
from bundler.bundle.copying.pipeline.source_blocks import SourceBlocks
from bundler.bundle.manifest import BundleManifest
from bundler.content.read_back import MediumReader
from tests.copies import BLOCK, make_bundle

COUNT = 60


@pytest.fixture
def manifest(tmp_path: Path) -> BundleManifest:
    return make_bundle(tmp_path / "source", size=COUNT * BLOCK, part_bytes=COUNT * BLOCK)


def broken(patch: pytest.MonkeyPatch, is_broken: Callable[[str, int], bool]) -> list[int]:
    """Let reads fail by path and offset, on every way to the medium; return the list of those that failed."""
    failed: list[int] = []
    readv, fill = os.readv, MediumReader._fill

    def fail(path: str, offset: int) -> None:
        if is_broken(path, offset):
            failed.append(offset)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def read(file: int, buffers: Any) -> int:
        fail(str(Path(f"/proc/self/fd/{file}").readlink()), os.lseek(file, 0, os.SEEK_CUR))
        return readv(file, buffers)

    def fill_buffer(self: MediumReader, start: int, wanted: memoryview) -> int:
        fail(str(self._path), start)
        return fill(self, start, wanted)

    patch.setattr(os, "readv", read)
    patch.setattr(MediumReader, "_fill", fill_buffer)
    return failed


def codes(blocks: SourceBlocks, manifest: BundleManifest) -> list[str]:
    buffer = memoryview(bytearray(BLOCK))
    (part,) = manifest.parts
    failures = [blocks.read(part, number, buffer) for number in range(COUNT)]
    blocks.close()
    return [failure.code if failure else "right" for failure in failures]


def test_pulled_out(tmp_path: Path, manifest: BundleManifest, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = broken(monkeypatch, lambda path, offset: offset >= BLOCK * 20 or not path.endswith("tar"))
    monkeypatch.setattr(source_blocks, "_PROBED_FILES", 4)  # all but the part, whose beginning is still cached
    blocks = SourceBlocks([tmp_path / "source"], BLOCK, tries=1)
    found = codes(blocks, manifest)
    assert found == ["right"] * 20 + ["unreadable"] * 15 + ["missing"] * 25
    assert [number for _, number in blocks.lost] == list(range(20, 36))
    assert len(failed) == 16 + 4


def test_a_directory_that_is_gone(
    tmp_path: Path, manifest: BundleManifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, moved = tmp_path / "source", tmp_path / "moved"

    def is_broken(path: str, offset: int) -> bool:
        if source.exists():
            source.rename(moved)
        return True

    broken(monkeypatch, is_broken)
    blocks = SourceBlocks([source], BLOCK, tries=2)
    assert codes(blocks, manifest) == ["missing"] * COUNT
    assert blocks.gone == [source]


def test_one_of_two_sources_went_away(tmp_path: Path, manifest: BundleManifest) -> None:
    source, other, moved = (tmp_path / name for name in ("source", "other", "moved"))
    (part,), buffer = manifest.parts, memoryview(bytearray(BLOCK))
    other.mkdir()
    (other / f"{part.file}.partial").write_bytes((source / part.file).read_bytes()[:BLOCK])
    blocks = SourceBlocks([source, other], BLOCK, tries=1)
    source.rename(moved)
    # Another stick is at its place now.
    source.mkdir()
    assert blocks.read(part, 0, buffer) is None
    assert blocks.gone == []
    (other / f"{part.file}.partial").unlink()
    blocks.close()
    failure = blocks.read(part, 1, buffer)
    blocks.close()
    assert failure is not None
    assert (failure.code, failure.found) == ("missing", f"the source {source} is gone")
    assert blocks.gone == [source]


def test_a_large_scratch(tmp_path: Path, manifest: BundleManifest, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch, lambda path, offset: path.endswith("tar") and BLOCK * 10 <= offset < BLOCK * 50)
    blocks = SourceBlocks([tmp_path / "source"], BLOCK, tries=1)
    assert codes(blocks, manifest) == ["right"] * 10 + ["unreadable"] * 40 + ["right"] * 10
    assert blocks.lost == []


def test_a_source_that_was_never_there(tmp_path: Path, manifest: BundleManifest) -> None:
    blocks = SourceBlocks([tmp_path / "nowhere"], BLOCK, tries=1)
    assert codes(blocks, manifest) == ["missing"] * COUNT
    assert blocks.lost == []
