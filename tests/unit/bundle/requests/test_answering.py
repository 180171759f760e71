"""A request is answered from a bundle: just these blocks, each right, once; and again from where it was cut."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bundler.bundle.manifest import BundleManifest
from bundler.bundle.reader import open_bundle
from bundler.bundle.requests.answering import AnswerReport, answer_from
from bundler.bundle.requests.answers.destination import AnswerDestination
from bundler.bundle.requests.block_ranges import BlockAt
from bundler.bundle.requests.request_file import BlockRequest, write_request
from bundler.errors import (
    DamagedBundle,
    ExitStatus,
    IncompleteBundle,
    NoSpace,
    OutputExists,
    UsageError,
)
from tests.bad_blocks import all_blocks, block_bytes_of, blocks_of_answer, request_for, spoil
from tests.builders import contents_of, flip
from tests.copies import make_bundle

WANTED: list[BlockAt] = [(0, 1), (0, 2), (1, 3), (2, 1)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "bundle"


@pytest.fixture
def manifest(place: Path) -> BundleManifest:
    return make_bundle(place)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "answer"


@pytest.fixture
def request_(manifest: BundleManifest) -> BlockRequest:
    return request_for(manifest, WANTED)


def answer(request: BlockRequest, output: Path, *places: Path) -> AnswerReport:
    return answer_from(open_bundle(*places), AnswerDestination(output, request))


def right(place: Path, manifest: BundleManifest, blocks: list[BlockAt] = WANTED) -> dict[BlockAt, bytes]:
    return {block: block_bytes_of(place, manifest, block) for block in blocks}


def test_just_these_blocks(place: Path, manifest: BundleManifest, request_: BlockRequest, output: Path) -> None:
    report = answer(request_, output, place)
    assert (report.blocks, report.kept, report.written, report.size) == (4, 0, 4, 3 * (64 << 10) + 1000)
    assert report.exit_status == ExitStatus.DONE
    assert blocks_of_answer(output) == right(place, manifest)
    assert sorted(contents_of(output)) == ["answer.001", "answer.json", "answer.json.bak"]
    assert contents_of(output)["answer.json"] == contents_of(output)["answer.json.bak"]


def test_everything_in_files_of_the_size_of_parts(place: Path, manifest: BundleManifest, output: Path) -> None:
    answer(request_for(manifest, all_blocks(manifest)), output, place)
    assert blocks_of_answer(output) == right(place, manifest, all_blocks(manifest))
    assert sorted(contents_of(output)) == [
        "answer.001", "answer.002", "answer.003", "answer.json", "answer.json.bak",
    ]  # fmt: skip


def test_again(place: Path, manifest: BundleManifest, request_: BlockRequest, output: Path) -> None:
    answer(request_, output, place)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in output.iterdir()}
    report = answer(request_, output, place)
    assert (report.kept, report.written) == (4, 0)
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in output.iterdir()} == before


@pytest.mark.parametrize(
    ("file", "written"), [("answer.001", 1), ("answer.json", 0), ("answer.json.bak", 0)], ids=str
)
def test_damage_is_put_right(
    place: Path, manifest: BundleManifest, request_: BlockRequest, output: Path, file: str, written: int
) -> None:
    answer(request_, output, place)
    before = contents_of(output)
    flip(output / file, 70_000 if file == "answer.001" else 40)
    assert answer(request_, output, place).written == written
    assert contents_of(output) == before
    (output / file).unlink()
    answer(request_, output, place)
    assert contents_of(output) == before


def test_what_is_cut_goes_on(place: Path, manifest: BundleManifest, request_: BlockRequest, output: Path) -> None:
    answer(request_, output, place)
    before = contents_of(output)
    (output / "answer.json").unlink()
    (output / "answer.json.bak").unlink()
    (output / "answer.json.partial").write_bytes(write_request(request_))
    data = before["answer.001"]
    (output / "answer.001").unlink()
    (output / "answer.001.partial").write_bytes(data[: 2 * (64 << 10) + 50])
    report = answer(request_, output, place)
    assert (report.kept, report.written) == (2, 2)
    assert contents_of(output) == before


def test_a_torn_mark_is_no_obstacle(
    place: Path, manifest: BundleManifest, request_: BlockRequest, output: Path
) -> None:
    output.mkdir()
    (output / "answer.json.partial").write_bytes(write_request(request_)[:50])
    assert answer(request_, output, place).written == 4


class TestIncomplete:
    """The near side does not hold all of it any more."""

    def test_what_can_be_had_is_written(
        self, place: Path, manifest: BundleManifest, request_: BlockRequest, output: Path
    ) -> None:
        whole = right(place, manifest)
        spoil(place, manifest, [(0, 2)])
        (place / manifest.parts[2].file).unlink()
        report = answer(request_, output, place)
        assert list(report.missing) == [(0, 2), (2, 1)]
        assert (report.written, report.exit_status) == (2, ExitStatus.DAMAGED)
        assert blocks_of_answer(output) == {block: whole[block] for block in ((0, 1), (1, 3))}

    def test_what_is_merely_not_there(
        self, place: Path, manifest: BundleManifest, request_: BlockRequest, output: Path
    ) -> None:
        (place / manifest.parts[2].file).unlink()
        assert answer(request_, output, place).exit_status == ExitStatus.INCOMPLETE

    def test_another_copy_completes_it(
        self, place: Path, manifest: BundleManifest, request_: BlockRequest, output: Path, tmp_path: Path
    ) -> None:
        shutil.copytree(place, tmp_path / "copy")
        spoil(place, manifest, [(0, 2), (1, 3)])
        assert answer(request_, output, place).written == 2
        report = answer(request_, output, tmp_path / "copy")
        assert (report.kept, report.written, list(report.missing)) == (2, 2, [])
        assert blocks_of_answer(output) == right(tmp_path / "copy", manifest)

    def test_several_directories(
        self, place: Path, manifest: BundleManifest, request_: BlockRequest, output: Path, tmp_path: Path
    ) -> None:
        shutil.copytree(place, tmp_path / "copy")
        whole = right(place, manifest)
        spoil(place, manifest, [(0, 2)])
        (tmp_path / "copy" / manifest.parts[1].file).unlink()
        assert not answer(request_, output, place, tmp_path / "copy").missing
        assert blocks_of_answer(output) == whole

    @pytest.mark.parametrize(("gone", "error"), [(True, IncompleteBundle), (False, DamagedBundle)])
    def test_nothing_at_all(
        self, place: Path, manifest: BundleManifest, output: Path, gone: bool, error: type[Exception]
    ) -> None:
        if gone:
            (place / manifest.parts[0].file).unlink()
        else:
            spoil(place, manifest, [(0, 0)])
        with pytest.raises(error, match="not one of the 1 blocks"):
            answer(request_for(manifest, [(0, 0)]), output, place)
        assert not output.exists()


class TestRefused:
    """Nothing is written."""

    def test_another_bundle(self, manifest: BundleManifest, request_: BlockRequest, output: Path) -> None:
        make_bundle(output.parent / "other", name="other")
        with pytest.raises(UsageError, match="is for the bundle"):
            answer(request_, output, output.parent / "other")
        assert not output.exists()

    def test_blocks_that_there_are_not(self, place: Path, manifest: BundleManifest, output: Path) -> None:
        with pytest.raises(UsageError, match="block 4 of part 1"):
            answer(request_for(manifest, [(0, 0), (1, 4)]), output, place)
        assert not output.exists()

    def test_the_bundle_itself(self, place: Path, request_: BlockRequest) -> None:
        before = contents_of(place)
        with pytest.raises(UsageError, match="is the bundle itself"):
            answer(request_, place, place)
        assert contents_of(place) == before

    @pytest.mark.parametrize("unfinished", [False, True])
    def test_an_answer_to_another_request(
        self, place: Path, manifest: BundleManifest, request_: BlockRequest, output: Path, unfinished: bool
    ) -> None:
        other = request_for(manifest, [(0, 0)])
        if unfinished:
            output.mkdir()
            (output / "answer.json.partial").write_bytes(write_request(other))
        else:
            answer(other, output, place)
        before = contents_of(output)
        with pytest.raises(OutputExists, match="an answer to another request"):
            answer(request_, output, place)
        assert contents_of(output) == before

    def test_a_file(self, place: Path, request_: BlockRequest, output: Path) -> None:
        output.write_bytes(b"")
        with pytest.raises(OutputExists, match="is a file"):
            answer(request_, output, place)

    def test_a_full_disk(
        self, place: Path, request_: BlockRequest, output: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bundler.bundle.requests.answers.destination.free_bytes", lambda _: 1000)
        with pytest.raises(NoSpace, match=r"193\.0 KiB are needed, 1000 bytes are free"):
            answer(request_, output, place)

    def test_two_at_once(self, place: Path, request_: BlockRequest, output: Path) -> None:
        first = AnswerDestination(output, request_)
        first.prepare()
        with pytest.raises(OutputExists, match="another run is writing"):
            answer(request_, output, place)
        first.release()
        # Nothing stays of what was not begun.
        assert not output.exists()
        assert answer(request_, output, place).written == 4


def test_other_files_are_left_alone(place: Path, request_: BlockRequest, output: Path) -> None:
    output.mkdir()
    (output / "notes.txt").write_bytes(b"mine")
    (output / "answer.txt").write_bytes(b"mine")
    answer(request_, output, place)
    assert (output / "notes.txt").read_bytes() == (output / "answer.txt").read_bytes() == b"mine"


def test_links_lead_nowhere(place: Path, request_: BlockRequest, output: Path, tmp_path: Path) -> None:
    output.mkdir()
    (tmp_path / "precious").write_bytes(b"mine")
    for name in ("answer.001.partial", "answer.json.partial"):
        (output / name).symlink_to(tmp_path / "precious")
        with pytest.raises(Exception, match=r"link|symbolic"):
            answer(request_, output, place)
        for path in output.iterdir():
            path.unlink()
    assert (tmp_path / "precious").read_bytes() == b"mine"
