"""Disks that fail under an answer or a request, at each of their operations in turn."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.api.requests import answer, request
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.reader import open_bundle
from bundler.bundle.requests.request_file import BlockRequest
from bundler.errors import DiskError, NoSpace
from tests.bad_blocks import all_blocks, request_for, spoil
from tests.builders import contents_of
from tests.copies import make_bundle
from tests.faults.disks import failing_disk
from tests.faults.file_systems import memory
from tests.requirements import require, why_not_root

KINDS = {"full": (True, False), "full once": (False, False), "gone": (True, True)}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "bundle"


@pytest.fixture
def manifest(place: Path) -> BundleManifest:
    return make_bundle(place)


@pytest.fixture
def request_(manifest: BundleManifest) -> BlockRequest:
    """Every block: three data files."""
    return request_for(manifest, all_blocks(manifest))


def refusal(work: Callable[[], object]) -> DiskError | None:
    """Return how the disk refused this; ``None`` if it did not."""
    try:
        work()
    except DiskError as error:
        return error
    return None


@pytest.mark.parametrize("kind", KINDS)
def test_each_operation_of_an_answer(place: Path, request_: BlockRequest, tmp_path: Path, kind: str) -> None:
    lasting, gone = KINDS[kind]
    whole, output = tmp_path / "whole", tmp_path / "answer"
    with failing_disk(whole, 0) as disk:
        answer(open_bundle(place), request_, whole)
    assert disk.done > 20
    right = contents_of(whole)
    for turn in range(1, disk.done + 1):
        with failing_disk(output, turn, lasting=lasting, gone=gone) as failing:
            error = refusal(lambda: answer(open_bundle(place), request_, output))
            assert error is None or gone or isinstance(error, NoSpace), error
            # What a disk refuses of a removal that tidies up only, nobody hears of.
            if not failing.failed:
                continue
        left = contents_of(output) if output.exists() else {}
        final = {name: data for name, data in left.items() if not name.endswith(".partial")}
        assert final == {name: right[name] for name in final}
        answer(open_bundle(place), request_, output)
        assert contents_of(output) == right
        for path in output.iterdir():
            path.unlink()


def test_a_full_file_system(place: Path, request_: BlockRequest, tmp_path: Path) -> None:
    require(why_not_root())
    with memory(tmp_path / "stick", 256 << 10) as stick:
        with pytest.raises(NoSpace, match="are needed"):
            answer(open_bundle(place), request_, stick / "answer")
        assert not list((stick / "answer").glob("answer.0*"))


def test_a_medium_that_keeps_something_else(
    place: Path, request_: BlockRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written is read back; a stick that lies is no answer."""
    from bundler.bundle.requests.answers.destination import AnswerDestination

    put = AnswerDestination.put

    def lying(self: AnswerDestination, block: tuple[int, int], data: memoryview) -> None:
        put(self, block, memoryview(bytes(len(data))) if block == (1, 1) else data)

    monkeypatch.setattr(AnswerDestination, "put", lying)
    with pytest.raises(DiskError, match="1 blocks read back wrong"):
        answer(open_bundle(place), request_, tmp_path / "answer")
    assert not (tmp_path / "answer" / "answer.json").exists()
    monkeypatch.undo()
    report = answer(open_bundle(place), request_, tmp_path / "answer")
    assert (report.kept, report.written) == (9, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_each_operation_of_a_request(place: Path, manifest: BundleManifest, tmp_path: Path, kind: str) -> None:
    lasting, gone = KINDS[kind]
    spoil(place, manifest, [(0, 1)])
    directory = tmp_path / "out"
    directory.mkdir()
    file = directory / "request.json"
    request(open_bundle(place), file, qr=True)
    right = contents_of(directory)
    for turn in range(1, 12):
        for path in directory.iterdir():
            path.unlink()
        with failing_disk(directory, turn, lasting=lasting, gone=gone) as disk:
            error = refusal(lambda: request(open_bundle(place), file, qr=True))
            assert error is None or gone or isinstance(error, NoSpace), error
            assert error is None or disk.failed
        left = {path.name: path.read_bytes() for path in directory.iterdir() if path.suffix != ".partial"}
        assert left == {name: right[name] for name in left}
        request(open_bundle(place), file, qr=True)
        assert {name: data for name, data in contents_of(directory).items() if ".partial" not in name} == right


def test_a_read_only_bundle(place: Path, manifest: BundleManifest, tmp_path: Path) -> None:
    """Neither command touches the bundle."""
    require(why_not_root())
    spoil(place, manifest, [(0, 1)])
    before = contents_of(place)
    with memory(tmp_path / "stick", 4 << 20) as stick:
        for name, data in before.items():
            (stick / name).write_bytes(data)
        subprocess.run(["mount", "-o", "remount,ro", stick], check=True)
        report = request(open_bundle(stick), tmp_path / "request.json", qr=True)
        assert report.request is not None
        wanted = request_for(manifest, [(0, 0), (1, 1)])
        assert answer(open_bundle(stick), wanted, tmp_path / "answer").written == 2
        subprocess.run(["mount", "-o", "remount,rw", stick], check=True)
        assert contents_of(stick) == before
