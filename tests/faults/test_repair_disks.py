"""A repair on disks that are full, fail, or are read-only: nothing is ever worse than before."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest

from bundler import open_bundle, repair, verify
from bundler.bundle.repair import target
from bundler.errors import DiskError, ExitStatus, NoSpace, NotWritable
from tests.builders import KIB, contents_of, flip, no_thread_is_left, within
from tests.copies import BLOCK, make_bundle
from tests.faults.disks import failing_disk
from tests.faults.file_systems import exfat, ext4, memory, resize
from tests.parities import write_parity

MIB = 1 << 20
FIRST, SECOND, THIRD = (f"shop.oci.tar.00{number}" for number in (1, 2, 3))


@pytest.fixture
def intact(tmp_path: Path) -> Path:
    directory = tmp_path / "intact"
    write_parity(directory, make_bundle(directory), 5, 2)
    return directory


def harm(bundle: Path) -> dict[str, bytes]:
    """Damage a part and the tables, and lose another part; return what is left."""
    flip(bundle / FIRST, 1)
    (bundle / THIRD).unlink()
    (bundle / "bundle.json").unlink()
    flip(bundle / "bundle.json.bak", 5)
    return contents_of(bundle)


def check_left(bundle: Path, before: dict[str, bytes], right: dict[str, bytes]) -> None:
    """Every final name holds what it held, or what it should."""
    found = contents_of(bundle)
    assert set(before) <= set(found)
    for file, data in found.items():
        assert file.endswith(".partial") or data in (before.get(file), right[file]), file


@pytest.mark.parametrize(("lasting", "gone"), [(True, False), (False, False), (True, True)])
def test_a_failure_at_every_operation(intact: Path, tmp_path: Path, lasting: bool, gone: bool) -> None:
    right = contents_of(intact)
    for number in itertools.count(1):
        bundle = shutil.copytree(intact, tmp_path / str(number))
        before = harm(bundle)
        with no_thread_is_left(), failing_disk(bundle, number, lasting=lasting, gone=gone) as disk:
            try:
                report = within(20, lambda bundle=bundle: repair(bundle))  # type: ignore[misc]
            except NoSpace:
                assert disk.failed
            except DiskError:
                assert gone
                assert disk.failed
            else:
                assert report.ok
                break
        check_left(bundle, before, right)
        assert repair(bundle).ok
        assert contents_of(bundle) == right
    assert number > 15


def test_no_room_is_found_out_before_anything_is_written(intact: Path, tmp_path: Path) -> None:
    with memory(tmp_path / "disk", 4 * MIB) as disk:
        bundle = shutil.copytree(intact, disk / "bundle")
        flip(bundle / FIRST, 1)
        before = contents_of(bundle)
        taken = sum(map(len, before.values()))
        # The part has four blocks; there is room for two.
        resize(disk, -(-taken // 4096) * 4096 + 2 * BLOCK + 16 * KIB)
        with pytest.raises(NoSpace, match=r"256\.0 KiB are needed .* are missing") as caught:
            repair(bundle)
        assert "--output" in caught.value.advice
        assert contents_of(bundle) == before
        output = tmp_path / "output"
        assert repair(bundle, output=output).ok
        assert contents_of(bundle) == before
        assert (output / FIRST).read_bytes() == (intact / FIRST).read_bytes()


def test_one_part_after_the_other_needs_the_room_of_one(intact: Path, tmp_path: Path) -> None:
    right = contents_of(intact)
    with memory(tmp_path / "disk", 4 * MIB) as disk:
        bundle = shutil.copytree(intact, disk / "bundle")
        for file in (FIRST, SECOND, THIRD):
            flip(bundle / file, 1 if file != SECOND else BLOCK + 1)
        resize(disk, -(-sum(map(len, right.values())) // 4096) * 4096 + 4 * BLOCK + 48 * KIB)
        assert repair(bundle).ok
        assert contents_of(bundle) == right


def test_a_disk_that_others_fill_meanwhile(intact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system of N bytes, N over the whole range; at the beginning there seemed to be room."""
    monkeypatch.setattr(target, "free_bytes", lambda path: 1 << 60)
    right = contents_of(intact)
    refused = 0
    sizes = range(0, 6 * BLOCK, 24 * KIB)
    with memory(tmp_path / "disk", 4 * MIB) as disk:
        for more in sizes:
            bundle = shutil.copytree(intact, disk / "bundle")
            before = harm(bundle)
            resize(disk, -(-sum(map(len, before.values())) // 4096) * 4096 + 40 * KIB + more)
            with no_thread_is_left():
                try:
                    within(20, lambda bundle=bundle: repair(bundle))  # type: ignore[misc]
                except NoSpace:
                    refused += 1
            check_left(bundle, before, right)
            resize(disk, 4 * MIB)
            assert repair(bundle).ok
            assert contents_of(bundle) == right
            shutil.rmtree(bundle)
    assert 3 < refused < len(sizes)


def test_a_read_only_medium(intact: Path, tmp_path: Path) -> None:
    right = contents_of(intact)
    with ext4(tmp_path / "stick", 4 * MIB) as stick:
        bundle = stick.place / "bundle"
        shutil.copytree(intact, bundle)
        stick.read_only()
        assert repair(bundle).changed is False
    with ext4(tmp_path / "other", 4 * MIB) as stick:
        bundle = stick.place / "bundle"
        shutil.copytree(intact, bundle)
        before = harm(bundle)
        stick.read_only()
        with pytest.raises(NotWritable) as caught:
            repair(bundle)
        assert "--output" in caught.value.advice
        output = tmp_path / "output"
        report = repair(bundle, output=output)
        assert report.ok
        assert contents_of(bundle) == before
        assert {**before, **contents_of(output)} == right
        together = verify(open_bundle(bundle, output), "quick")
        assert together.exit_status in (ExitStatus.DONE, ExitStatus.MENDABLE)
        assert {found.file for found in together.findings if found.directory == str(output)} == set()


def test_on_a_stick(intact: Path, tmp_path: Path) -> None:
    right = contents_of(intact)
    with exfat(tmp_path / "stick", 16 * MIB) as stick:
        bundle = stick.place / "bundle"
        shutil.copytree(intact, bundle)
        harm(bundle)
        assert repair(bundle).ok
        assert contents_of(bundle) == right
