"""Copying: to one directory, to several sticks and back, with media that change, from sources that are damaged."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bundler.api.copying import carry_out, copy, plan_copy
from bundler.bundle.copying.media.medium import held_parts
from bundler.bundle.copying.media.room import Volume
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.opening import open_manifest
from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.errors import (
    ExitStatus,
    FileTooLarge,
    NoSpace,
    NotABundle,
    NotFound,
    OutputExists,
    UsageError,
)
from tests.builders import KIB, SHOP, SMALL, TwoApplications, contents_of, final_names, flip, layer, pack_images
from tests.fakes.memory import MemorySource
from tests.fakes.sticks import BESIDES, MountPoint, Sticks

TABLES = {"bundle.json", "bundle.json.bak", "SHA256SUMS", "README.txt"}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Eight parts: two each of ``shared`` and ``erp``, four of ``shop``."""
    TwoApplications().pack(tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def manifest(bundle: Path) -> BundleManifest:
    return open_manifest(bundle)[0]


@pytest.fixture
def sticks(tmp_path: Path) -> Sticks:
    return Sticks(tmp_path)


def another_bundle(directory: Path) -> Path:
    source = MemorySource()
    pack_images(directory, source, {"x": [source.make_image([layer("x", 70 * KIB)], "x/x:1")]}, SMALL)
    return directory


def parts_at(directory: Path) -> list[str]:
    return [name for name in final_names(directory) if ".oci.tar" in name]


class TestOneDirectory:
    def test_the_same_files(self, bundle: Path, tmp_path: Path) -> None:
        outcome = copy([bundle], [tmp_path / "there"])
        assert outcome.is_complete
        assert outcome.exit_status is ExitStatus.DONE
        assert contents_of(tmp_path / "there") == contents_of(bundle)
        assert outcome.report.bytes_copied == sum(part.size for part in outcome.manifest.parts)
        assert outcome.findings == ()

    def test_again_everything_is_kept(self, bundle: Path, tmp_path: Path) -> None:
        copied = copy([bundle], [tmp_path / "there"]).report.bytes_copied
        again = copy([bundle], [tmp_path / "there"]).report
        assert (again.bytes_copied, again.bytes_kept) == (0, copied)

    def test_one_application(self, bundle: Path, tmp_path: Path) -> None:
        outcome = copy([bundle], [tmp_path / "there"], applications=["erp"])
        assert outcome.is_complete
        assert set(final_names(tmp_path / "there")) == TABLES | {
            "shared.oci.tar.001", "shared.oci.tar.002", "erp.oci.tar.001", "erp.oci.tar.002",
        }  # fmt: skip
        assert verify_bundle(open_bundle(tmp_path / "there")).exit_status is ExitStatus.INCOMPLETE
        assert copy([bundle], [tmp_path / "there"]).is_complete
        assert contents_of(tmp_path / "there") == contents_of(bundle)

    def test_the_signature_travels(self, bundle: Path, tmp_path: Path) -> None:
        (bundle / "bundle.json.sig").write_bytes(b"c2lnbmF0dXJl")
        copy([bundle], [tmp_path / "there"])
        assert (tmp_path / "there" / "bundle.json.sig").read_bytes() == b"c2lnbmF0dXJl"

    def test_a_readme_is_made_where_no_source_has_one(self, bundle: Path, tmp_path: Path) -> None:
        readme = (bundle / "README.txt").read_bytes()
        (bundle / "README.txt").unlink()
        copy([bundle], [tmp_path / "there"])
        assert (tmp_path / "there" / "README.txt").read_bytes() == readme

    def test_what_cannot_be(self, bundle: Path, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match="no application 'x'"):
            copy([bundle], [tmp_path / "there"], applications=["x"])
        with pytest.raises(UsageError, match="no destination"):
            copy([bundle], [])
        with pytest.raises(UsageError, match="no directory is named"):
            copy([], [tmp_path / "there"])
        with pytest.raises(UsageError, match="source"):
            copy([bundle], [bundle])
        with pytest.raises(UsageError, match="named twice"):
            copy([bundle], [tmp_path / "there", tmp_path / "x" / ".." / "there"])
        with pytest.raises(UsageError, match="one destination"):
            copy([bundle], [tmp_path / "there", tmp_path / "x"], change_medium=lambda _: False)
        (tmp_path / "empty").mkdir()
        with pytest.raises(NotABundle):
            copy([bundle, tmp_path / "empty"], [tmp_path / "there"])
        assert not (tmp_path / "there").exists()

    def test_never_over_another_bundle(self, bundle: Path, tmp_path: Path) -> None:
        other = another_bundle(tmp_path / "other")
        before = contents_of(other)
        with pytest.raises(OutputExists, match="another bundle"):
            copy([bundle], [other])
        assert contents_of(other) == before


class TestSeveralDestinations:
    def test_to_sticks_and_back(self, bundle: Path, sticks: Sticks, tmp_path: Path) -> None:
        places = [sticks.stick(name, 200 * KIB + BESIDES) for name in ("one", "two", "three")]
        outcome = copy([bundle], places, measure=sticks.measure)
        assert outcome.is_complete
        assert parts_at(places[0]) == [
            "erp.oci.tar.001", "erp.oci.tar.002", "shared.oci.tar.001", "shared.oci.tar.002",
        ]  # fmt: skip
        held = [name for place in places for name in parts_at(place)]
        assert sorted(held) == parts_at(bundle)
        for place in places:
            assert set(final_names(place)) >= TABLES
            command = ["sha256sum", "-c", "--ignore-missing", "--quiet", "SHA256SUMS"]
            subprocess.run(command, cwd=place, check=True)
            assert verify_bundle(open_bundle(place)).exit_status is ExitStatus.INCOMPLETE
        back = copy(list(reversed(places)), [tmp_path / "back"])
        assert back.is_complete
        assert contents_of(tmp_path / "back") == contents_of(bundle)
        subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=tmp_path / "back", check=True)
        assert verify_bundle(open_bundle(tmp_path / "back"), "deep").ok

    def test_a_rerun_after_a_cut_places_the_same(self, bundle: Path, sticks: Sticks, tmp_path: Path) -> None:
        places = [sticks.stick(name, 260 * KIB + BESIDES) for name in ("one", "two")]
        copy([bundle], places, measure=sticks.measure)
        right = [contents_of(place) for place in places]
        (places[0] / "bundle.json").replace(places[0] / "bundle.json.partial")
        (places[0] / "erp.oci.tar.002").unlink()
        shutil.rmtree(places[1])
        places[1].mkdir()
        assert copy([bundle], places, measure=sticks.measure).is_complete
        assert [contents_of(place) for place in places] == right

    def test_what_is_not_needed_is_not_touched(self, bundle: Path, sticks: Sticks) -> None:
        places = [sticks.stick("one"), sticks.stick("two")]
        outcome = copy([bundle], places, measure=sticks.measure)
        assert [len(one.parts) for one in outcome.destinations] == [8, 0]
        assert contents_of(places[1]) == {}

    def test_too_small_together(self, bundle: Path, sticks: Sticks) -> None:
        places = [sticks.stick(name, 130 * KIB + BESIDES) for name in ("one", "two")]
        with pytest.raises(NoSpace, match="find no room") as caught:
            copy([bundle], places, measure=sticks.measure)
        assert "2 more media" in caught.value.advice
        assert [contents_of(place) for place in places] == [{}, {}]

    def test_too_small_for_any_part(self, bundle: Path, sticks: Sticks) -> None:
        with pytest.raises(NoSpace) as caught:
            copy([bundle], [sticks.stick("one", 60 * KIB)], measure=sticks.measure)
        assert "--part-size" in caught.value.advice

    def test_a_file_system_without_large_files(self, bundle: Path, tmp_path: Path) -> None:
        with pytest.raises(FileTooLarge, match="FAT"):
            copy([bundle], [tmp_path / "there"], measure=lambda _: Volume(1, 1 << 40, 1 << 40, 1, 64 * KIB - 1))
        assert not (tmp_path / "there").exists()

    def test_nothing_is_written_to_one_before_the_other_is_known_to_be_usable(
        self, bundle: Path, sticks: Sticks
    ) -> None:
        places = [sticks.stick(name, 260 * KIB + BESIDES) for name in ("one", "two")]
        another_bundle(places[1])
        with pytest.raises(OutputExists):
            copy([bundle], places, measure=sticks.measure)
        assert parts_at(places[0]) == []

    def test_the_plan_writes_nothing(self, bundle: Path, tmp_path: Path) -> None:
        plan = plan_copy([bundle], [tmp_path / "there"])
        assert not (tmp_path / "there").exists()
        assert carry_out(plan).is_complete


class TestSources:
    def test_each_block_from_where_it_is_right(self, bundle: Path, tmp_path: Path) -> None:
        right = contents_of(bundle)
        other = shutil.copytree(bundle, tmp_path / "other")
        flip(bundle / "shop.oci.tar.001", 9)
        flip(other / "shop.oci.tar.002", 9)
        (other / "erp.oci.tar.001").unlink()
        assert copy([bundle, other], [tmp_path / "there"]).is_complete
        assert contents_of(tmp_path / "there") == right

    def test_tables_that_are_damaged_in_one(self, bundle: Path, tmp_path: Path) -> None:
        right = contents_of(bundle)
        other = shutil.copytree(bundle, tmp_path / "other")
        for name in ("bundle.json", "bundle.json.bak"):
            (bundle / name).write_bytes(b"{")
        assert copy([bundle, other], [tmp_path / "there"]).is_complete
        assert contents_of(tmp_path / "there") == right

    def test_two_bundles(self, bundle: Path, tmp_path: Path) -> None:
        other = another_bundle(tmp_path / "other")
        with pytest.raises(UsageError) as caught:
            copy([bundle, other], [tmp_path / "there"])
        assert str(bundle) in str(caught.value)
        assert str(other) in str(caught.value)

    def test_an_unfinished_copy(self, bundle: Path, tmp_path: Path, manifest: BundleManifest) -> None:
        moved = [(bundle / name, tmp_path / name) for name in ("erp.oci.tar.001", "shop.oci.tar.003")]
        for here, aside in moved:
            here.rename(aside)
        first = copy([bundle], [tmp_path / "there"])
        assert first.exit_status is ExitStatus.INCOMPLETE
        assert first.missing == ("erp.oci.tar.001", "shop.oci.tar.003")
        assert "bundle.json" not in final_names(tmp_path / "there")
        # It is a source like another one; and the rest of it still comes.
        assert copy([tmp_path / "there"], [tmp_path / "further"]).missing == first.missing
        for here, aside in moved:
            aside.rename(here)
        second = copy([bundle], [tmp_path / "further"])
        assert second.is_complete
        assert second.report.bytes_copied == sum(
            part.size for part in manifest.parts if part.file in first.missing
        )
        assert contents_of(tmp_path / "further") == contents_of(bundle)

    def test_what_is_right_nowhere_is_left_out_and_named(self, bundle: Path, tmp_path: Path) -> None:
        right = contents_of(bundle)
        flip(bundle / "shop.oci.tar.002", 9)
        (bundle / "erp.oci.tar.002").unlink()
        outcome = copy([bundle], [tmp_path / "there"])
        assert outcome.exit_status is ExitStatus.DAMAGED
        assert outcome.missing == ("erp.oci.tar.002",)
        (bad,) = outcome.report.bad
        assert (bad.file, bad.offset, bad.code) == ("shop.oci.tar.002", 0, "damaged-block")
        assert [finding.file for finding in outcome.findings] == ["shop.oci.tar.002", "erp.oci.tar.002"]
        assert [finding.is_absence for finding in outcome.findings] == [False, True]
        assert outcome.findings[0].images == (SHOP,)
        assert outcome.findings[0].applications == ("shop",)
        assert {*right} - {*final_names(tmp_path / "there")} >= {"bundle.json", "shop.oci.tar.002"}
        (tmp_path / "whole").mkdir()
        for name, content in right.items():
            (tmp_path / "whole" / name).write_bytes(content)
        mended = copy([tmp_path / "whole"], [tmp_path / "there"])
        assert mended.is_complete
        assert mended.report.bytes_copied == len(right["shop.oci.tar.002"]) + len(right["erp.oci.tar.002"])
        assert contents_of(tmp_path / "there") == right


class TestChangingTheDestination:
    def test_one_stick_after_another(self, bundle: Path, sticks: Sticks, tmp_path: Path) -> None:
        places = [sticks.stick(name, 200 * KIB + BESIDES) for name in ("one", "two", "three")]
        mount = MountPoint(tmp_path / "mount", places)
        outcome = copy([bundle], [mount.path], change_medium=mount.change, measure=sticks.measure)
        assert outcome.is_complete
        assert [request.role for request in mount.asked] == ["destination"] * 2
        assert mount.problems == [None, None]
        assert mount.asked[0].parts == tuple(f"shop.oci.tar.00{number}" for number in (1, 2, 3, 4))
        assert [len(parts_at(place)) for place in places] == [4, 3, 1]
        assert all(set(final_names(place)) >= TABLES for place in places)
        back = copy(places, [tmp_path / "back"])
        assert back.is_complete
        assert contents_of(tmp_path / "back") == contents_of(bundle)

    def test_in_a_directory_of_each_stick(self, bundle: Path, sticks: Sticks, tmp_path: Path) -> None:
        places = [sticks.stick(name, 300 * KIB + BESIDES) for name in ("one", "two")]
        mount = MountPoint(tmp_path / "mount", places)
        outcome = copy([bundle], [mount.path / "plant7"], change_medium=mount.change, measure=sticks.measure)
        assert outcome.is_complete
        assert sorted(parts_at(places[0] / "plant7") + parts_at(places[1] / "plant7")) == parts_at(bundle)

    def test_sticks_that_do_not_do(self, bundle: Path, sticks: Sticks, tmp_path: Path) -> None:
        one, two = (sticks.stick(name, 300 * KIB + BESIDES) for name in ("one", "two"))
        other, small = sticks.stick("other"), sticks.stick("small", 60 * KIB)
        another_bundle(other)
        before = contents_of(other)
        mount = MountPoint(tmp_path / "mount", [one, one, other, small, two])
        outcome = copy([bundle], [mount.path], change_medium=mount.change, measure=sticks.measure)
        assert outcome.is_complete
        first, used, wrong, full = mount.problems
        assert first is None
        assert used is not None
        assert "in this run already" in used
        assert wrong is not None
        assert "another bundle" in wrong
        assert full is not None
        assert "are free" in full
        assert contents_of(other) == before
        assert contents_of(small) == {}

    def test_a_stick_of_an_earlier_run_is_gone_on_with(self, bundle: Path, sticks: Sticks, tmp_path: Path) -> None:
        places = [sticks.stick(name, 200 * KIB + BESIDES) for name in ("one", "two", "three")]
        mount = MountPoint(tmp_path / "mount", places[:2])
        first = copy([bundle], [mount.path], change_medium=mount.change, measure=sticks.measure)
        assert first.exit_status is ExitStatus.INCOMPLETE
        assert first.missing == ("shop.oci.tar.004",)
        mount = MountPoint(tmp_path / "mount", places)
        again = copy([bundle], [mount.path], change_medium=mount.change, measure=sticks.measure)
        assert again.is_complete
        assert again.report.bytes_kept == first.report.bytes_copied
        assert parts_at(places[2]) == ["shop.oci.tar.004"]

    def test_nothing_is_mounted(
        self, bundle: Path, sticks: Sticks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The empty directory of a mount point lies on the disk of the system: nothing may be written there."""
        one, two = (sticks.stick(name, 300 * KIB + BESIDES) for name in ("one", "two"))
        bare = tmp_path / "bare"
        bare.mkdir()
        mount = MountPoint(tmp_path / "mount", [one, bare, two])
        monkeypatch.setattr(
            "os.path.ismount", lambda path: Path(path) == mount.path and mount.path.resolve() != bare
        )
        outcome = copy([bundle], [mount.path / "plant7"], change_medium=mount.change, measure=sticks.measure)
        assert outcome.is_complete
        assert mount.problems == [None, f"nothing is mounted at {mount.path}"]
        assert contents_of(bare) == {}

    def test_an_interrupt_while_asking_leaves_what_is_there(
        self, bundle: Path, sticks: Sticks, tmp_path: Path
    ) -> None:
        place = sticks.stick("one", 300 * KIB + BESIDES)

        def interrupt(_: object) -> bool:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            copy([bundle], [place], change_medium=interrupt, measure=sticks.measure)
        # The stick is complete for what it holds, and free for others.
        assert set(final_names(place)) >= TABLES
        copy([bundle], [place], applications=["erp"])


class TestChangingTheSource:
    @pytest.fixture
    def places(self, bundle: Path, sticks: Sticks) -> list[Path]:
        places = [sticks.stick(name, 200 * KIB + BESIDES) for name in ("one", "two", "three")]
        copy([bundle], places, measure=sticks.measure)
        return places

    def test_one_stick_after_another(self, bundle: Path, places: list[Path], tmp_path: Path) -> None:
        mount = MountPoint(tmp_path / "mount", [places[1], places[0], places[2]])
        outcome = copy([mount.path], [tmp_path / "back"], change_medium=mount.change)
        assert outcome.is_complete
        assert contents_of(tmp_path / "back") == contents_of(bundle)
        assert [request.role for request in mount.asked] == ["source"] * 2
        assert set(mount.asked[1].parts) == set(parts_at(places[2]))
        report = outcome.report
        assert (report.bytes_copied, report.bytes_kept) == (sum(p.size for p in outcome.manifest.parts), 0)

    def test_sticks_that_do_not_do(self, bundle: Path, places: list[Path], sticks: Sticks, tmp_path: Path) -> None:
        other = another_bundle(sticks.stick("other") / "x").parent
        shutil.copytree(other / "x", other, dirs_exist_ok=True)
        mount = MountPoint(
            tmp_path / "mount", [places[0], places[0], other, sticks.stick("empty"), None, *places[1:]]
        )
        outcome = copy([mount.path], [tmp_path / "back"], change_medium=mount.change)
        assert outcome.is_complete
        assert contents_of(tmp_path / "back") == contents_of(bundle)
        said = [str(problem) for problem in mount.problems]
        assert "none of the parts that are missing" in said[1]
        assert "another bundle, x 0" in said[2]
        assert "no part of the bundle" in said[3]
        assert "no part of the bundle" in said[4]
        assert mount.problems[5] is None

    def test_nobody_brings_the_last_one(self, places: list[Path], tmp_path: Path) -> None:
        mount = MountPoint(tmp_path / "mount", places[:2])
        outcome = copy([mount.path], [tmp_path / "back"], change_medium=mount.change)
        assert outcome.exit_status is ExitStatus.INCOMPLETE
        assert list(outcome.missing) == parts_at(places[2])
        assert "bundle.json" not in final_names(tmp_path / "back")
        again = copy([places[2]], [tmp_path / "back"])
        assert again.is_complete
        assert again.report.bytes_kept == outcome.report.bytes_copied

    def test_a_later_stick_mends_what_was_bad_on_an_earlier_one(
        self, bundle: Path, places: list[Path], tmp_path: Path, manifest: BundleManifest
    ) -> None:
        shutil.copy(places[0] / "erp.oci.tar.001", places[1])
        flip(places[0] / "erp.oci.tar.001", 5)
        flip(places[0] / "erp.oci.tar.002", 5)
        mount = MountPoint(tmp_path / "mount", places)
        outcome = copy([mount.path], [tmp_path / "back"], change_medium=mount.change)
        assert [bad.file for bad in outcome.report.bad] == ["erp.oci.tar.002"]
        assert outcome.exit_status is ExitStatus.DAMAGED
        bad = next(part.size for part in manifest.parts if part.file == "erp.oci.tar.002")
        whole = sum(part.size for part in manifest.parts)
        report = outcome.report
        assert (report.bytes_copied, report.bytes_kept, report.bytes_bad) == (whole - bad, 0, bad)
        assert held_parts(tmp_path / "back", manifest.parts).keys() >= set(parts_at(bundle)) - {"erp.oci.tar.002"}
