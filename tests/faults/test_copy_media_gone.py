"""A medium that is pulled out while it is copied to or from, or exchanged for another one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.bundle.copying import pinned_directory
from bundler.bundle.copying.destination import CopyDestination
from bundler.bundle.copying.report import CopyReport
from bundler.bundle.manifest import BundleManifest
from bundler.errors import DiskError, ExitStatus, NotFound
from tests.builders import contents_of, no_thread_is_left, within
from tests.copies import BLOCK, SIZE, copy, make_bundle, right_bytes, small_files
from tests.fakes.tasks import RecordingTask
from tests.faults.file_systems import memory, run

MIB = 1 << 20
FIRST = "shop.oci.tar.001"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


@pytest.fixture
def manifest(source: Path) -> BundleManifest:
    return make_bundle(source)


class Event(RecordingTask):
    """Does something once, when so many bytes have been dealt with."""

    def __init__(self, at: int, act: Callable[[], object]) -> None:
        super().__init__()
        self._at, self._act = at, [act]

    def advance(self, count: int) -> None:
        super().advance(count)
        if self.done >= self._at and self._act:
            self._act.pop()()


def exchange(place: Path) -> None:
    """Put another, empty directory with a file of its user in the place of one."""
    place.rename(place.with_name("pulled"))
    place.mkdir()
    (place / "mine").write_bytes(b"keep")


#: Without a hold on the directory an open file is still written to, and only the next one is refused.
@pytest.mark.parametrize(
    ("at", "holds"), [(1, True), (SIZE // 2, True), (SIZE - 1, True), (SIZE, True), (1, False)]
)
def test_nothing_is_written_to_what_is_there_now(
    source: Path, manifest: BundleManifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, holds: bool
) -> None:
    place = tmp_path / "place"
    if not holds:
        monkeypatch.setattr(pinned_directory, "_CAN_HOLD", False)
    with no_thread_is_left(), pytest.raises(DiskError, match=r"the medium at .* is gone") as caught:
        within(20, lambda: copy(manifest, [source], place, task=Event(at, lambda: exchange(place))))
    assert caught.value.exit_status == ExitStatus.LOCAL_DISK
    assert contents_of(place) == {"mine": b"keep"}
    # Put back, the copy goes on.
    shutil.rmtree(place)
    (tmp_path / "pulled").rename(place)
    assert not (place / "bundle.json").exists()
    kept = right_bytes(manifest, place)
    assert copy(manifest, [source], place) == CopyReport(SIZE - kept, kept)
    assert contents_of(place) == contents_of(source)


def test_a_directory_that_is_gone(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    place = tmp_path / "place"
    event = Event(BLOCK, lambda: place.rename(tmp_path / "pulled"))
    with no_thread_is_left(), pytest.raises(DiskError, match=r"the medium at \S+/place is gone$"):
        within(20, lambda: copy(manifest, [source], place, task=event))
    assert not place.exists()


@pytest.mark.parametrize("step", ["finish", "unseal", "drop_other_parity"])
def test_at_other_steps(manifest: BundleManifest, tmp_path: Path, step: str) -> None:
    place = tmp_path / "place"
    destination = CopyDestination(place)
    destination.prepare(manifest)
    if step == "unseal":
        destination.finish(small_files(manifest))
    exchange(place)
    steps: dict[str, Callable[[], None]] = {
        "finish": lambda: destination.finish(small_files(manifest)),
        "unseal": destination.unseal,
        "drop_other_parity": lambda: destination.drop_other_parity(b"", []),
    }
    with pytest.raises(DiskError, match="is gone"):
        steps[step]()
    destination.release()
    assert contents_of(place) == {"mine": b"keep"}


def test_a_file_that_somebody_removes_is_no_wrong_name(
    source: Path, manifest: BundleManifest, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    event = Event(2 * BLOCK, lambda: (place / f"{FIRST}.partial").unlink())
    with no_thread_is_left(), pytest.raises(DiskError, match="moment ago") as caught:
        within(20, lambda: copy(manifest, [source], place, task=event))
    assert not isinstance(caught.value, NotFound)


def change_sticks(place: Path) -> None:
    """Let go of the stick at a place, in use as it is, and mount another one there."""
    run("umount", "-l", str(place))
    run("mount", "-t", "tmpfs", "-o", f"size={4 * MIB}", "none", str(place))
    (place / "mine").write_bytes(b"keep")


def test_another_stick_is_put_in(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    with memory(tmp_path / "stick", 4 * MIB) as stick:
        event = Event(BLOCK, lambda: change_sticks(stick))
        with no_thread_is_left(), pytest.raises(DiskError, match="is gone"):
            within(20, lambda: copy(manifest, [source], stick, task=event))
        assert contents_of(stick) == {"mine": b"keep"}


class AtPart(RecordingTask):
    """Does something when a part is begun."""

    def __init__(self, file: str, act: Callable[[], object]) -> None:
        super().__init__()
        self._file, self._act = file, [act]

    def describe(self, text: str) -> None:
        super().describe(text)
        if text.startswith(self._file) and self._act:
            self._act.pop()()


def test_a_source_that_went_away(source: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    """It is named, and its parts are missing, not bad."""
    place = tmp_path / "place"
    event = AtPart(manifest.parts[1].file, lambda: exchange(source))
    with no_thread_is_left():
        report = within(20, lambda: copy(manifest, [source], place, task=event))
    assert report.gone == (source,)
    assert report.missing == tuple(part.file for part in manifest.parts[1:])
    assert report.bad == ()
    assert right_bytes(manifest, place) == report.bytes_copied == 4 * BLOCK
