"""Disks that fail under the making of parity, at each of their operations in turn; full ones, read-only ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.bundle.parity import strips
from bundler.bundle.parity.making import make_parity
from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.errors import DiskError, ExitStatus, NoSpace
from tests.builders import contents_of, flip, no_thread_is_left, within
from tests.copies import BLOCK, make_bundle
from tests.faults.disks import failing_disk
from tests.faults.file_systems import memory, resize, run
from tests.faults.parity_child import WISH

KINDS = {"full": (True, False), "full once": (False, False), "gone": (True, True)}


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make strips of a stripe or two, so that there are several."""
    monkeypatch.setattr(strips, "HELD_BYTES", 8 * BLOCK)
    monkeypatch.setattr(strips, "_READ_BYTES", BLOCK)


def bundle_at(directory: Path) -> Path:
    make_bundle(directory, size=24 * BLOCK - 999, part_bytes=5 * BLOCK)
    return directory


def make(directory: Path) -> None:
    make_parity(open_bundle(directory), WISH)


def refusal(work: Callable[[], None]) -> DiskError | None:
    """Return how the disk refused this; ``None`` if it did not."""
    with no_thread_is_left():
        try:
            within(20, work)
        except DiskError as error:
            return error
    return None


@pytest.mark.parametrize("before", ["nothing", "damaged parity"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_operation(tmp_path: Path, kind: str, before: str) -> None:
    lasting, gone = KINDS[kind]

    def prepared(name: str) -> Path:
        directory = bundle_at(tmp_path / name)
        if before != "nothing":
            make(directory)
            flip(directory / "parity.001", 3 * BLOCK)
        return directory

    whole = prepared("whole")
    with failing_disk(whole, 0) as disk:
        make(whole)
    right = contents_of(whole)
    assert disk.done > (30 if before == "nothing" else 4)
    for turn in range(1, disk.done + 1):
        directory = prepared(str(turn))
        with failing_disk(directory, turn, lasting=lasting, gone=gone) as failing:
            error = refusal(lambda directory=directory: make(directory))  # type: ignore[misc]
        if failing.failed and error is None:
            # What is tidied up behind the last step is nothing that anybody needs.
            assert (directory / "parity.json").read_bytes() == right["parity.json"]
        assert error is None or gone or isinstance(error, NoSpace)
        if before == "nothing":
            left = {name: data for name, data in contents_of(directory).items() if not name.endswith(".partial")}
            assert left == {name: right[name] for name in left}
        assert verify_bundle(open_bundle(directory), "quick").exit_status in (ExitStatus.DONE, ExitStatus.MENDABLE)
        make(directory)
        assert contents_of(directory) == right


def test_a_full_file_system(tmp_path: Path) -> None:
    bundle_at(tmp_path / "right")
    make(tmp_path / "right")
    right = contents_of(tmp_path / "right")
    parts = sum(len(data) for name, data in right.items() if not name.startswith("parity"))
    with memory(tmp_path / "stick", parts + 3 * BLOCK) as stick:
        directory = bundle_at(stick / "bundle")
        before = contents_of(directory)
        with pytest.raises(NoSpace, match="are needed"):
            make(directory)
        assert contents_of(directory) == before, "that was known before anything was written"
        resize(stick, parts + (1 << 20))
        make(directory)
        assert contents_of(directory) == right


def test_it_becomes_full_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle_at(tmp_path / "right")
    make(tmp_path / "right")
    right = contents_of(tmp_path / "right")
    parts = sum(len(data) for name, data in right.items() if not name.startswith("parity"))
    with memory(tmp_path / "stick", parts + 3 * BLOCK) as stick:
        directory = bundle_at(stick / "bundle")
        with monkeypatch.context() as patch:
            # Somebody else takes what was free when it was asked for.
            patch.setattr("bundler.bundle.parity.making.free_bytes", lambda _: 1 << 40)
            with no_thread_is_left(), pytest.raises(NoSpace):
                make(directory)
        assert not [
            name for name in contents_of(directory) if name.startswith("parity.") and "partial" not in name
        ]
        assert verify_bundle(open_bundle(directory), "quick").ok
        resize(stick, parts + (1 << 20))
        make(directory)
        assert contents_of(directory) == right


def test_read_only(tmp_path: Path) -> None:
    with memory(tmp_path / "stick", 1 << 22) as stick:
        bundle_at(stick / "bundle")
        run("mount", "-o", "remount,ro", str(stick))
        before = contents_of(stick / "bundle")
        with pytest.raises(DiskError, match="Read-only"):
            make(stick / "bundle")
        assert contents_of(stick / "bundle") == before
