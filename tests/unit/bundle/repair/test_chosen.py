"""Repairs of a directory that was never meant to hold all of its bundle, and from others that are of no use."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec import structs

from bundler import copy, open_bundle, parity, repair
from bundler.bundle.block_reader import PartLocations
from bundler.bundle.choice import ALL_FILES, Choice
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.parity.table import write_parity_table
from bundler.bundle.parity.wish import ParityWish
from bundler.bundle.repair.report import RepairReport
from bundler.bundle.requests.answering import answer_from
from bundler.bundle.requests.answers.destination import AnswerDestination
from bundler.content.hashing import PartSums
from bundler.errors import ExitStatus, NotFound
from tests.bad_blocks import request_for
from tests.builders import TwoApplications, contents_of, flip
from tests.copies import make_bundle
from tests.parities import write_parity

PRESENT = Choice(is_present=True)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    TwoApplications().pack(tmp_path / "whole")
    return tmp_path / "whole"


@pytest.fixture
def manifest(whole: Path) -> BundleManifest:
    return open_bundle(whole).manifest


def names(directory: Path, start: str) -> list[str]:
    return sorted(path.name for path in directory.glob(f"{start}.oci.tar*"))


def reasons(report: RepairReport) -> Sequence[str]:
    return [f"{one.directory.name}: {one.reason}" for one in report.unused]


class TestChoice:
    def test_of(self, whole: Path, manifest: BundleManifest, tmp_path: Path) -> None:
        parity(whole, ParityWish(survive_parts=1))
        copy([whole], [tmp_path / "erp"], applications=["erp"])
        files = list(contents_of(whole))
        table = [file for file in files if file.startswith("parity.0")]
        rows = [part for part in manifest.parts if part.file.startswith("shop")][: len(table)]

        def chosen(choice: Choice, directory: Path) -> set[str]:
            one, other = choice.of(manifest, (), PartLocations([directory]))
            assert {part.file for part in (*one, *other)} == {part.file for part in manifest.parts}
            return {part.file for part in one}

        everything = {part.file for part in manifest.parts}
        of_erp = {file for file in everything if not file.startswith("shop")}
        assert rows
        assert chosen(ALL_FILES, tmp_path / "erp") == everything
        assert chosen(PRESENT, tmp_path / "erp") == of_erp
        assert chosen(Choice(("erp",)), whole) == of_erp
        assert chosen(Choice(("erp",), is_present=True), tmp_path) == set()
        with pytest.raises(NotFound, match="no application 'web'"):
            chosen(Choice(("web",)), whole)


class TestOneApplication:
    @pytest.fixture
    def erp(self, whole: Path, tmp_path: Path) -> Path:
        copy([whole], [tmp_path / "erp"], applications=["erp"])
        return tmp_path / "erp"

    @pytest.mark.parametrize("choice", [PRESENT, Choice(("erp",))], ids=["present", "app"])
    def test_only_that_is_mended(self, whole: Path, erp: Path, choice: Choice) -> None:
        right = contents_of(erp)
        (file, *_) = names(erp, "erp")
        flip(erp / file, 5)
        report = repair(erp, [whole], choice=choice)
        assert report.ok
        assert [one.file for one in report.mended] == [file]
        assert report.left_out == tuple(names(whole, "shop"))
        assert contents_of(erp) == right
        assert not repair(erp, choice=choice).changed

    def test_all_is_the_default(self, whole: Path, erp: Path) -> None:
        assert repair(erp, [whole]).ok
        assert names(erp, "shop") == names(whole, "shop")

    def test_a_part_that_is_meant_is_made_again(self, whole: Path, erp: Path) -> None:
        right = contents_of(erp)
        (file, *_) = names(erp, "erp")
        (erp / file).unlink()
        assert repair(erp, [whole], choice=Choice(("erp",))).ok
        assert contents_of(erp) == right

    def test_what_is_absent_is_told(self, whole: Path, erp: Path) -> None:
        flip(erp / names(erp, "erp")[0], 5)
        report = repair(erp)
        assert report.exit_status == ExitStatus.DAMAGED
        assert report.absent == tuple(names(whole, "shop"))

    def test_a_copy_that_was_cut_is_not_called_finished(self, whole: Path, erp: Path) -> None:
        (erp / "bundle.json").rename(erp / "bundle.json.partial")
        (first, *_) = names(erp, "erp")
        flip(erp / first, 5)
        report = repair(erp, [whole], choice=PRESENT)
        assert [one.file for one in report.mended] == [first]
        assert report.exit_status == ExitStatus.INCOMPLETE
        assert (erp / "bundle.json.partial").exists()
        # Who names the application says that no more was meant to come.
        assert repair(erp, [whole], choice=Choice(("erp",))).ok
        assert (erp / "bundle.json").exists()


class TestSticks:
    @pytest.fixture
    def sticks(self, whole: Path, tmp_path: Path) -> tuple[Path, Path]:
        """All parts of shop on one, the others and the parity on the other."""
        parity(whole, ParityWish(survive_parts=1))
        one, other = tmp_path / "one", tmp_path / "other"
        for stick in (one, other):
            shutil.copytree(whole, stick)
        for path in [*one.glob("erp*"), *one.glob("shared*"), *one.glob("parity.0*"), *other.glob("shop*")]:
            path.unlink()
        return one, other

    def test_the_other_one_gives_what_parity_needs(self, sticks: tuple[Path, Path]) -> None:
        one, other = sticks
        right = contents_of(one)
        (file, *_) = names(one, "shop")
        flip(one / file, 5)
        report = repair(one, [other], choice=PRESENT)
        assert report.ok
        assert [(made.file, made.bytes_from_parity > 0) for made in report.mended] == [(file, True)]
        assert contents_of(one) == right

    def test_what_is_bad_on_the_other_one_counts(self, sticks: tuple[Path, Path]) -> None:
        one, other = sticks
        flip(one / names(one, "shop")[0], 5)
        for path in other.glob("erp*"):
            flip(path, 7)
        for path in other.glob("shared*"):
            flip(path, 7)
        before = contents_of(one)
        report = repair(one, [other], choice=PRESENT)
        assert report.exit_status == ExitStatus.DAMAGED
        assert report.blocks_needed == 1, "only its own block is asked for"
        assert contents_of(one) == before


class TestUnused:
    @pytest.fixture
    def damaged(self, whole: Path, tmp_path: Path) -> Path:
        shutil.copytree(whole, tmp_path / "damaged")
        flip(tmp_path / "damaged" / names(whole, "erp")[0], 5)
        return tmp_path / "damaged"

    @pytest.fixture
    def answer(self, whole: Path, manifest: BundleManifest, tmp_path: Path) -> Path:
        index = [part.file for part in manifest.parts].index(names(whole, "erp")[0])
        destination = AnswerDestination(tmp_path / "answer", request_for(manifest, [(index, 0)]))
        answer_from(open_bundle(whole), destination)
        return tmp_path / "answer"

    def test_an_answer_without_tables_keeps_nothing_from_being_mended(
        self, whole: Path, damaged: Path, answer: Path
    ) -> None:
        for name in ("answer.json", "answer.json.bak"):
            (answer / name).write_bytes(b"{")
        report = repair(damaged, [answer, whole])
        assert report.ok
        assert len(reasons(report)) == 1
        assert reasons(report)[0].startswith("answer: answer.json is not valid JSON")
        assert contents_of(damaged) == contents_of(whole)

    def test_alone_it_is_told_and_nothing_is_changed(self, damaged: Path, answer: Path) -> None:
        (answer / "answer.json.bak").unlink()
        (answer / "answer.json").rename(answer / "answer.json.partial")
        before = contents_of(damaged)
        report = repair(damaged, [answer])
        assert report.exit_status == ExitStatus.DAMAGED
        assert len(reasons(report)) == 1
        assert "not finished" in reasons(report)[0]
        assert contents_of(damaged) == before

    def test_an_answer_for_another_bundle(self, damaged: Path, whole: Path, tmp_path: Path) -> None:
        other = make_bundle(tmp_path / "b")
        answer_from(
            open_bundle(tmp_path / "b"), AnswerDestination(tmp_path / "of b", request_for(other, [(0, 0)]))
        )
        report = repair(damaged, [tmp_path / "of b", whole])
        assert report.ok
        assert "is for the bundle" in reasons(report)[0]

    def test_directories_that_hold_nothing_of_it(self, damaged: Path, whole: Path, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        (tmp_path / "parts").mkdir()
        (part, *_) = names(whole, "erp")
        shutil.copy(whole / part, tmp_path / "parts")
        report = repair(damaged, [tmp_path / "empty", tmp_path / "parts"])
        assert report.ok
        assert reasons(report) == ["empty: it holds no file of this bundle"]


def test_parity_that_was_made_of_other_bytes_is_no_bad_medium(tmp_path: Path) -> None:
    """Its table fits the bundle, and so do its files; only what is made of them does not."""
    manifest = make_bundle(tmp_path / "b")
    table = write_parity(tmp_path / "b", manifest, 5, 2)
    raw = bytearray((tmp_path / "b" / "parity.001").read_bytes())
    raw[::1000] = bytes(len(raw[::1000]))
    sums = PartSums(manifest.block_bytes)
    sums.update(memoryview(raw))
    false = structs.replace(table.files[0], sha256=sums.sha256, xxh3_128=sums.xxh3_128, blocks=sums.blocks)
    (tmp_path / "b" / "parity.001").write_bytes(raw)
    (tmp_path / "b" / "parity.json").write_bytes(write_parity_table(manifest, table.geometry, [false]).raw)
    flip(tmp_path / "b" / manifest.parts[0].file, 5)
    before = (tmp_path / "b" / manifest.parts[0].file).read_bytes()
    report = repair(tmp_path / "b")
    assert report.exit_status == ExitStatus.DAMAGED
    assert [found.file for found in report.left] == [manifest.parts[0].file]
    assert (tmp_path / "b" / manifest.parts[0].file).read_bytes() == before
