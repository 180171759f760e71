"""Scans run in order; beside one another only on a medium that is fast."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.bundle import read_meter
from bundler.bundle.manifest import Part
from bundler.bundle.part_scan import PartScan
from bundler.bundle.scan_queue import Job, run_scans
from bundler.content.hashing import block_sum, sha256
from tests.builders import no_thread_is_left

_BLOCK = 64 << 10


def _part(directory: Path, name: str) -> Part:
    data = name.encode() * (_BLOCK // len(name))
    (directory / name).write_bytes(data)
    sums = tuple(block_sum(memoryview(data[at : at + _BLOCK])) for at in range(0, len(data), _BLOCK))
    return Part(file=name, size=len(data), sha256=sha256(data).hex, xxh3_128="0" * 32, blocks=sums)


@pytest.fixture
def parts(tmp_path: Path) -> list[Part]:
    return [_part(tmp_path, f"part{number}") for number in range(6)]


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every medium is fast, as soon as a byte was read."""
    monkeypatch.setattr(read_meter, "SAMPLE_BYTES", 1)
    monkeypatch.setattr(read_meter, "FAST_BYTES_PER_SECOND", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 2)


def _job(directory: Path, part: Part, after: Callable[[], object] = lambda: None) -> Job:
    def job(scan: PartScan) -> None:
        seen = scan.scan([directory / part.file], part, None, lambda _: None)
        assert not seen.absent
        assert not seen.copies[0].problems
        after()

    return job


def test_on_a_slow_medium_one_after_another(
    tmp_path: Path, parts: list[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_meter, "SAMPLE_BYTES", 1)
    monkeypatch.setattr(read_meter, "FAST_BYTES_PER_SECOND", 1 << 62)
    done: list[tuple[str, int]] = []
    jobs = [
        _job(tmp_path, part, lambda name=part.file: done.append((name, threading.get_ident())))  # type: ignore[misc]
        for part in parts
    ]
    run_scans(jobs, _BLOCK, with_sha256=True)
    assert done == [(part.file, threading.get_ident()) for part in parts]


@pytest.mark.usefixtures("fast")
def test_on_a_fast_medium_two_at_once(tmp_path: Path, parts: list[Part]) -> None:
    both = threading.Barrier(2)
    jobs = [_job(tmp_path, part, lambda: both.wait(30)) for part in parts[:2]]
    with no_thread_is_left():
        run_scans([*jobs, *(_job(tmp_path, part) for part in parts[2:])], _BLOCK, with_sha256=True)
    assert both.n_waiting == 0


@pytest.mark.usefixtures("fast")
def test_large_blocks_are_not_held_twice(tmp_path: Path, parts: list[Part]) -> None:
    threads: set[int] = set()
    jobs = [_job(tmp_path, part, lambda: threads.add(threading.get_ident())) for part in parts]
    run_scans(jobs, 64 << 20, with_sha256=False)
    assert threads == {threading.get_ident()}


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("failing", range(6))
def test_an_error_ends_all_wherever_it_happens(tmp_path: Path, parts: list[Part], failing: int) -> None:
    def fail() -> None:
        raise RuntimeError("a bug")

    jobs = [_job(tmp_path, part, fail if number == failing else lambda: None) for number, part in enumerate(parts)]
    with no_thread_is_left(), pytest.raises(RuntimeError, match="a bug"):
        run_scans(jobs, _BLOCK, with_sha256=True)


def test_nothing_to_do() -> None:
    run_scans([], _BLOCK, with_sha256=True)
