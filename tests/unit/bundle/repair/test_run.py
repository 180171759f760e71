"""Repairs: what was wrong, from where it was mended, and what is left when that cannot be."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler import answer, open_bundle, repair, request, verify
from bundler.bundle.manifest import BundleManifest
from bundler.bundle.repair.report import RepairReport
from bundler.content.hashing import block_sum
from bundler.errors import (
    AirbundleError,
    ExitStatus,
    NotABundle,
    NotFound,
    NotReadable,
    OutputExists,
    UndecidedTable,
    UnsupportedVersion,
    UsageError,
)
from tests.builders import contents_of, flip, no_thread_is_left, rewrite
from tests.copies import BLOCK, make_bundle
from tests.parities import write_parity

FIRST, SECOND, THIRD = (f"shop.oci.tar.00{number}" for number in (1, 2, 3))
#: Ten blocks in three parts (four, four, two); with k = 5 there are two stripes.
K, M = 5, 2


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.fixture
def manifest(bundle: Path) -> BundleManifest:
    return open_bundle(bundle).manifest


@pytest.fixture
def with_parity(bundle: Path, manifest: BundleManifest) -> Path:
    write_parity(bundle, manifest, K, M)
    return bundle


@pytest.fixture
def other(bundle: Path, tmp_path: Path) -> Path:
    return shutil.copytree(bundle, tmp_path / "other")


def regular(directory: Path) -> dict[str, bytes]:
    """Return every file that can be read without waiting."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir()) if path.is_file()}


def mend(bundle: Path, *others: Path, output: Path | None = None, partial: bool = False) -> RepairReport:
    """Repair, and check what holds for every report."""
    before = regular(bundle)
    with no_thread_is_left():
        report = repair(bundle, others, output=output, partial=partial)
    assert report.ok is (report.exit_status == ExitStatus.DONE)
    if not report.changed:
        assert regular(bundle) == before
    if output is not None:
        assert regular(bundle) == before
    return report


def origins(report: RepairReport) -> dict[str, tuple[int, int]]:
    return {one.file: (one.bytes_from_copies, one.bytes_from_parity) for one in report.mended}


def test_nothing_is_wrong(with_parity: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in with_parity.iterdir()}
    report = mend(with_parity)
    assert (report.ok, report.changed, report.found) == (True, False, ())
    assert {path.name: path.stat().st_mtime_ns for path in with_parity.iterdir()} == before


def test_from_another_copy(bundle: Path, other: Path) -> None:
    right = contents_of(bundle)
    flip(bundle / FIRST, BLOCK + 5)
    flip(other / FIRST, 5)
    (bundle / THIRD).unlink()
    report = mend(bundle, other)
    assert report.ok
    assert origins(report) == {FIRST: (BLOCK, 0), THIRD: (BLOCK + 1000, 0)}
    assert contents_of(bundle) == right
    assert contents_of(other)[FIRST] != right[FIRST]


def test_others_that_hold_little(bundle: Path, other: Path, tmp_path: Path) -> None:
    """Half a bundle, a copy that was cut, and a directory without any table."""
    right = contents_of(bundle)
    bare, cut = tmp_path / "bare", tmp_path / "cut"
    for directory in (bare, cut):
        directory.mkdir()
    shutil.move(other / SECOND, bare / SECOND)
    shutil.copy(other / "bundle.json", cut / "bundle.json.partial")
    (cut / f"{THIRD}.partial").write_bytes(right[THIRD][:BLOCK])
    flip(other / THIRD, 0)
    for number, file in enumerate((FIRST, SECOND, THIRD)):
        flip(bundle / file, number)
    report = mend(bundle, other, bare, cut)
    assert report.ok
    assert origins(report) == dict.fromkeys((FIRST, SECOND, THIRD), (BLOCK, 0))
    assert contents_of(bundle) == right


def test_what_others_have_comes_before_parity(with_parity: Path, other: Path) -> None:
    right = contents_of(with_parity)
    flip(with_parity / FIRST, 0)
    flip(with_parity / SECOND, 0)
    flip(other / SECOND, 1)
    report = mend(with_parity, other)
    assert origins(report) == {FIRST: (BLOCK, 0), SECOND: (0, BLOCK)}
    assert contents_of(with_parity) == right


def _link(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


HARMS: dict[str, Callable[[Path], None]] = {
    "missing": Path.unlink,
    "empty": lambda path: os.truncate(path, 0),
    "cut": lambda path: os.truncate(path, BLOCK + 7),
    "cut by a byte": lambda path: os.truncate(path, 4 * BLOCK - 1),
    "link": _link,
    "pipe": _pipe,
    "too long": _grow,
}


@pytest.mark.parametrize("harm", HARMS)
def test_every_harm_to_a_file(with_parity: Path, harm: str) -> None:
    right = contents_of(with_parity)
    HARMS[harm](with_parity / FIRST)
    assert verify(open_bundle(with_parity), "quick").exit_status == ExitStatus.MENDABLE
    assert mend(with_parity).ok
    assert contents_of(with_parity) == right
    assert not (with_parity / FIRST).is_symlink()
    assert mend(with_parity).changed is False


def test_too_long_needs_nothing_else(bundle: Path) -> None:
    right = contents_of(bundle)
    _grow(bundle / FIRST)
    report = mend(bundle)
    assert origins(report) == {FIRST: (0, 0)}
    assert contents_of(bundle) == right


def test_a_directory_in_place_of_a_part(with_parity: Path) -> None:
    right = contents_of(with_parity)
    for file in (FIRST, f"{FIRST}.partial", "bundle.json.bak"):
        (with_parity / file).unlink(missing_ok=True)
        (with_parity / file).mkdir()
        (with_parity / file / "kept").touch()
    assert verify(open_bundle(with_parity), "quick").exit_status == ExitStatus.MENDABLE
    assert mend(with_parity).ok
    assert regular(with_parity) == right
    for file in (FIRST, f"{FIRST}.partial", "bundle.json.bak"):
        assert (with_parity / f"{file}.aside" / "kept").exists()
    assert verify(open_bundle(with_parity), "quick").ok


def test_a_directory_that_cannot_be_set_aside(with_parity: Path) -> None:
    (with_parity / FIRST).unlink()
    (with_parity / FIRST).mkdir()
    (with_parity / f"{FIRST}.aside").touch()
    _grow(with_parity / SECOND)
    before = regular(with_parity)
    with pytest.raises(OutputExists, match="is a directory"):
        repair(with_parity)
    assert regular(with_parity) == before


@pytest.mark.parametrize("harm", [lambda data: data[:-1], lambda data: data[:200], lambda data: b"", bytes.lower])
def test_a_readme_that_is_visibly_damaged(bundle: Path, harm: Callable[[bytes], bytes]) -> None:
    (bundle / "README.txt").unlink()
    assert mend(bundle).tables == ("README.txt",)
    right = contents_of(bundle)
    (bundle / "README.txt").write_bytes(harm(right["README.txt"]))
    if harm is bytes.lower:
        # Somebody may have written that.
        assert verify(open_bundle(bundle), "quick").ok
        assert not mend(bundle).changed
        return
    (finding,) = verify(open_bundle(bundle), "quick").findings
    assert (finding.check, finding.code, finding.file, finding.mendable) == (
        3,
        "damaged-readme",
        "README.txt",
        True,
    )
    assert mend(bundle).tables == ("README.txt",)
    assert contents_of(bundle) == right


def test_zeros_in_a_readme_stay_in_no_copy(bundle: Path, other: Path, tmp_path: Path) -> None:
    (bundle / "README.txt").write_bytes(b"Bundle" + bytes(512))
    flip(bundle / FIRST, 3)
    assert mend(bundle, other, output=tmp_path / "output").exit_status == ExitStatus.DONE
    assert b"\0" not in (tmp_path / "output" / "README.txt").read_bytes()


@pytest.mark.parametrize(
    "lost",
    [
        ("bundle.json",), ("bundle.json.bak",), ("SHA256SUMS",), ("README.txt",), ("bundle.json", "SHA256SUMS"),
        ("bundle.json", "bundle.json.bak"), ("bundle.json", "bundle.json.bak", "SHA256SUMS", "README.txt"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("gone", [True, False])
def test_tables(with_parity: Path, lost: tuple[str, ...], gone: bool) -> None:
    right = contents_of(with_parity)
    for file in lost:
        if gone or file == "README.txt":
            (with_parity / file).unlink()
        else:
            flip(with_parity / file, 3)
    report = mend(with_parity)
    assert report.ok
    assert report.tables == tuple(sorted(lost))
    mended = contents_of(with_parity)
    if "README.txt" in lost:
        # Who made this one up knows nothing of the text that packs write.
        assert b"shop" in mended.pop("README.txt")
        del right["README.txt"]
    assert mended == right


def test_all_tables_from_another_copy(bundle: Path, other: Path) -> None:
    right = contents_of(bundle)
    for file in ("bundle.json", "bundle.json.bak"):
        (bundle / file).unlink()
    with pytest.raises(NotABundle):
        repair(bundle)
    assert mend(bundle, other).tables == ("bundle.json", "bundle.json.bak")
    assert contents_of(bundle) == right


def test_a_directory_that_is_no_bundle_gets_none(tmp_path: Path, other: Path) -> None:
    (tmp_path / "wrong").mkdir()
    with pytest.raises(NotABundle):
        repair(tmp_path / "wrong", [other])
    assert contents_of(tmp_path / "wrong") == {}


def test_two_tables_and_parity_decides(with_parity: Path) -> None:
    right = contents_of(with_parity)
    table = right["bundle.json"].replace(b'"version":"1"', b'"version":"2"')
    (with_parity / "bundle.json").write_bytes(table)
    (with_parity / "SHA256SUMS").write_bytes(b"")
    assert mend(with_parity).ok
    assert contents_of(with_parity) == right


def flipped(table: bytes, version: str = "3") -> bytes:
    """Return the table with one bit changed; it makes sense as before."""
    return table.replace(b'"version":"1"', f'"version":"{version}"'.encode())


def test_two_tables_and_nobody_decides(bundle: Path, other: Path) -> None:
    right = contents_of(bundle)
    (bundle / "bundle.json").write_bytes(flipped(right["bundle.json"]))
    (bundle / "SHA256SUMS").unlink()
    before = contents_of(bundle)
    for _ in range(2):
        with pytest.raises(UndecidedTable):
            repair(bundle)
        assert contents_of(bundle) == before
    assert mend(bundle, other).ok
    assert contents_of(bundle) == right


def test_one_table_against_the_sums(bundle: Path, other: Path, tmp_path: Path) -> None:
    right = contents_of(bundle)
    (bundle / "bundle.json").write_bytes(flipped(right["bundle.json"]))
    (bundle / "bundle.json.bak").unlink()
    before = contents_of(bundle)
    make_bundle(tmp_path / "another", name="another")
    for others in ([], [tmp_path / "another"]):
        with pytest.raises(UndecidedTable):
            repair(bundle, others)
        assert contents_of(bundle) == before
    assert mend(bundle, other).ok
    assert contents_of(bundle) == right


@pytest.mark.parametrize(
    ("tables", "with_sums"),
    [
        (("3", ""), True), (("3", ""), False), (("", "3"), True), (("", "3"), False),
        (("3", "5"), True), (("3", "5"), False), (("3", "3"), True), (("3", "1"), True),
    ],
)  # fmt: skip
def test_parity_json_proves_the_table(with_parity: Path, tables: tuple[str, str], with_sums: bool) -> None:
    """Of bundle.json and its copy each has another version, or is lost; and a part is gone too."""
    right = contents_of(with_parity)
    for file, version in zip(("bundle.json", "bundle.json.bak"), tables, strict=True):
        (with_parity / file).write_bytes(flipped(right[file], version))
        if not version:
            (with_parity / file).unlink()
    if not with_sums:
        (with_parity / "SHA256SUMS").unlink()
    (with_parity / THIRD).unlink()
    assert verify(open_bundle(with_parity), "quick").exit_status == ExitStatus.MENDABLE
    assert mend(with_parity).ok
    assert contents_of(with_parity) == right


def test_tables_that_are_lost_beside_the_sums_of_another_bundle(bundle: Path, tmp_path: Path) -> None:
    make_bundle(tmp_path / "another", name="another")
    for file in ("bundle.json", "bundle.json.bak"):
        (bundle / file).unlink()
    before = contents_of(bundle)
    with pytest.raises(UsageError, match="SHA256SUMS is of the bundle"):
        repair(bundle, [tmp_path / "another"])
    assert contents_of(bundle) == before


@pytest.mark.parametrize("file", ["parity.001", "parity.json"])
@pytest.mark.parametrize("gone", [True, False])
def test_damaged_parity(with_parity: Path, file: str, gone: bool) -> None:
    right = contents_of(with_parity)
    if gone:
        (with_parity / file).unlink()
    else:
        flip(with_parity / file, 100)
    assert verify(open_bundle(with_parity), "quick").exit_status == ExitStatus.MENDABLE
    report = mend(with_parity)
    assert report.ok
    assert not report.left
    assert verify(open_bundle(with_parity), "quick").ok
    assert len(contents_of(with_parity)["parity.001"]) == len(right["parity.001"])
    assert {**contents_of(with_parity), **dict.fromkeys(("parity.001", "parity.json"))} == {
        **right, **dict.fromkeys(("parity.001", "parity.json")),
    }  # fmt: skip


def test_a_table_of_parity_from_another_copy(with_parity: Path, other: Path) -> None:
    right = contents_of(with_parity)
    (with_parity / "parity.json").unlink()
    assert mend(with_parity, other).tables == ("parity.json",)
    assert contents_of(with_parity) == right


def test_a_lost_table_of_parity_after_parts_came_from_another_copy(with_parity: Path, other: Path) -> None:
    for file in (FIRST, "parity.json"):
        (with_parity / file).unlink()
    for file in ("parity.001", "parity.json"):
        (other / file).unlink()
    assert mend(with_parity).exit_status == ExitStatus.INCOMPLETE
    report = mend(with_parity, other)
    assert (report.exit_status, report.tables) == (ExitStatus.DONE, ("parity.json",))
    assert verify(open_bundle(with_parity), "quick").ok


def test_parity_that_cannot_be_made_again_is_no_failure(
    with_parity: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (with_parity / "parity.json").unlink()
    report = mend(with_parity, output=tmp_path / "output")
    assert (report.ok, report.changed, [one.file for one in report.left]) == (True, False, ["parity.json"])
    monkeypatch.setattr("bundler.bundle.parity.making.free_bytes", lambda path: 0)
    (with_parity / "parity.001").rename(with_parity / "parity.004")
    report = mend(with_parity)
    assert (report.ok, report.changed, [one.file for one in report.left]) == (True, False, ["parity.json"])


def test_a_copy_that_was_cut_and_lacks_a_part_that_parity_makes(with_parity: Path) -> None:
    right = contents_of(with_parity)
    (with_parity / "bundle.json").rename(with_parity / "bundle.json.partial")
    assert verify(open_bundle(with_parity), "quick").exit_status == ExitStatus.INCOMPLETE
    (with_parity / THIRD).unlink()
    assert verify(open_bundle(with_parity), "quick").exit_status == ExitStatus.MENDABLE
    assert mend(with_parity).ok
    assert contents_of(with_parity) == right


def test_parity_that_lies_elsewhere(bundle: Path, manifest: BundleManifest, other: Path) -> None:
    write_parity(other, manifest, K, M)
    right = contents_of(bundle)
    for part in manifest.parts:
        (other / part.file).unlink()
    flip(bundle / FIRST, 3)
    assert origins(mend(bundle, other)) == {FIRST: (0, BLOCK)}
    # It lay elsewhere, and stays there.
    assert contents_of(bundle) == right


def test_not_enough(with_parity: Path) -> None:
    """Blocks 0, 2 and 4 of the joined parts lie in one stripe."""
    flip(with_parity / FIRST, 0)
    flip(with_parity / FIRST, 2 * BLOCK)
    flip(with_parity / SECOND, 0)
    flip(with_parity / SECOND, BLOCK)
    report = mend(with_parity)
    assert report.exit_status == ExitStatus.DAMAGED
    assert report.blocks_needed == 1
    assert [(found.file, found.offset, found.length, found.mendable) for found in report.left] == [
        (SECOND, BLOCK, BLOCK, True),
        (FIRST, 0, BLOCK, False),
        (FIRST, 2 * BLOCK, BLOCK, False),
        (SECOND, 0, BLOCK, False),
    ]
    hit = {found.offset: found.images for found in report.left if found.file == FIRST}
    assert hit == {0: ("docker.io/library/web:1",), 2 * BLOCK: ()}
    assert [found.mendable for found in verify(open_bundle(with_parity), "quick").findings] == [
        False, False, False, True,
    ]  # fmt: skip


def test_parts_that_are_merely_missing(bundle: Path) -> None:
    (bundle / SECOND).unlink()
    report = mend(bundle)
    assert report.exit_status == ExitStatus.INCOMPLETE
    assert report.blocks_needed == 4
    assert [(found.file, found.offset, found.length) for found in report.left] == [(SECOND, 0, 4 * BLOCK)]


def test_partial(with_parity: Path, other: Path) -> None:
    right = contents_of(with_parity)
    test_not_enough(with_parity)
    flip(with_parity / THIRD, BLOCK + 1)
    damaged = contents_of(with_parity)
    report = mend(with_parity, partial=True)
    assert report.exit_status == ExitStatus.DAMAGED
    assert [(one.file, one.is_whole) for one in report.mended] == [(SECOND, False), (THIRD, True)]
    now = contents_of(with_parity)
    assert now == {
        **damaged,
        THIRD: right[THIRD],
        f"{SECOND}.partial": bytes(BLOCK) + right[SECOND][BLOCK : 2 * BLOCK],
    }
    # What is there already is not made again, and everybody finds it.
    assert [found.file for found in verify(open_bundle(with_parity), "quick").findings if not found.mendable] == [
        FIRST, FIRST, SECOND,
    ]  # fmt: skip
    flip(other / FIRST, 0)
    assert origins(mend(with_parity, other)) == {FIRST: (BLOCK, BLOCK), SECOND: (BLOCK, 0)}
    assert contents_of(with_parity) == right


def test_a_stranger_is_not_removed(with_parity: Path) -> None:
    right = contents_of(with_parity)
    (with_parity / "web.oci.tar").write_bytes(b"stranger")
    flip(with_parity / FIRST, 0)
    report = mend(with_parity)
    assert [found.code for found in report.left] == ["stranger"]
    assert report.exit_status == ExitStatus.DAMAGED
    assert contents_of(with_parity) == {**right, "web.oci.tar": b"stranger"}


def test_into_another_directory(with_parity: Path, tmp_path: Path) -> None:
    output, right = tmp_path / "output", contents_of(with_parity)
    (with_parity / FIRST).unlink()
    flip(with_parity / "bundle.json", 9)
    _grow(with_parity / THIRD)
    damaged = contents_of(with_parity)
    report = mend(with_parity, output=output)
    assert report.ok
    tables = ("README.txt", "SHA256SUMS", "bundle.json", "bundle.json.bak")
    assert contents_of(output) == {name: right[name] for name in (FIRST, THIRD, *tables)}
    both = verify(open_bundle(with_parity, output), "quick")
    assert all(found.mendable for found in both.findings)
    assert contents_of(with_parity) == damaged
    # Again: nothing more is written; and with more damage only what that is.
    assert mend(with_parity, output=output).mended == ()
    flip(with_parity / SECOND, 1)
    assert origins(mend(with_parity, output=output)) == {SECOND: (0, BLOCK)}


def test_into_another_directory_what_is_lost_is_not_finished(with_parity: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    for place in (0, 2 * BLOCK):
        flip(with_parity / FIRST, place)
        flip(with_parity / SECOND, place)
    flip(with_parity / THIRD, BLOCK)
    assert mend(with_parity, output=output).changed is False
    assert not output.exists()
    report = mend(with_parity, output=output, partial=True)
    assert [one.file for one in report.mended] == [THIRD]
    assert {name for name in contents_of(output) if ".oci.tar" in name} == {THIRD}
    assert not (output / "bundle.json").exists()
    assert open_bundle(with_parity, output).is_unfinished


def test_places_that_contradict_each_other(bundle: Path, tmp_path: Path) -> None:
    make_bundle(tmp_path / "strange", name="strange")
    flip(bundle / FIRST, 0)
    refused: list[tuple[type[AirbundleError], list[Path], Path | None]] = [
        (UsageError, [tmp_path / "strange"], None),
        (UsageError, [bundle], None),
        (NotFound, [tmp_path / "nowhere"], None),
        (UsageError, [], bundle),
        (UsageError, [], bundle / "below"),
    ]
    for kind, others, output in refused:
        with pytest.raises(kind):
            repair(bundle, others, output=output)
    make_bundle(tmp_path / "full", name="full")
    with pytest.raises(NotABundle):
        repair(tmp_path)


def test_an_output_that_holds_something_else(with_parity: Path, tmp_path: Path) -> None:
    make_bundle(tmp_path / "output", name="strange")
    before = contents_of(tmp_path / "output")
    flip(with_parity / FIRST, 0)
    with pytest.raises(OutputExists):
        repair(with_parity, output=tmp_path / "output")
    assert contents_of(tmp_path / "output") == before


def test_another_version(bundle: Path) -> None:
    kind = "application/vnd.airbundle.manifest.v2+json"
    rewrite(bundle, lambda table: table.update(mediaType=kind))
    with pytest.raises(UnsupportedVersion):
        repair(bundle)


def test_a_copy_that_was_cut_is_finished(with_parity: Path) -> None:
    right = contents_of(with_parity)
    (with_parity / "bundle.json").rename(with_parity / "bundle.json.partial")
    for file in ("bundle.json.bak", "SHA256SUMS"):
        (with_parity / file).unlink()
    (with_parity / FIRST).rename(with_parity / f"{FIRST}.partial")
    os.truncate(with_parity / f"{FIRST}.partial", 3 * BLOCK + 1)
    report = mend(with_parity)
    assert report.ok
    assert origins(report) == {FIRST: (0, BLOCK)}
    assert contents_of(with_parity) == right


def test_blocks_that_only_seem_right(with_parity: Path, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums that somebody got around, as is possible with xxh3: the sha256 of the part tells."""

    right = contents_of(with_parity)
    blocks = [data[start : start + BLOCK] for data in right.values() for start in range(0, len(data), BLOCK)]
    known = {block[:-1]: block_sum(block) for block in blocks}

    def weak(data: memoryview) -> str:
        """Not see the last byte."""
        return known.get(bytes(data[:-1]), block_sum(data))

    for module in ("part_scan", "repair.whereabouts", "repair.new_file"):
        monkeypatch.setattr(f"bundler.bundle.{module}.block_sum", weak)
    flip(with_parity / FIRST, BLOCK - 1)
    report = mend(with_parity)
    # Of a file of four blocks, all of which may be wrong, each stripe lacks two.
    assert origins(report) == {FIRST: (0, 4 * BLOCK)}
    assert contents_of(with_parity) == right
    flip(with_parity / FIRST, BLOCK - 1)
    flip(other / FIRST, BLOCK - 1)
    for file in ("parity.001", "parity.json"):
        (with_parity / file).unlink()
    report = mend(with_parity, other)
    assert [found.code for found in report.left] == ["damaged-block"]
    assert f"{FIRST}.partial" not in contents_of(with_parity)
    assert report.exit_status == ExitStatus.DAMAGED


def test_an_answer_to_a_request(with_parity: Path, other: Path, tmp_path: Path) -> None:
    """With it the stripes lack no more than parity makes."""
    right = contents_of(with_parity)
    for file in (FIRST, SECOND):
        (with_parity / file).unlink()
    flip(with_parity / "parity.001", 1)
    request(open_bundle(with_parity), tmp_path / "request.json")
    answer(open_bundle(other), tmp_path / "request.json", tmp_path / "answer")
    report = mend(with_parity, tmp_path / "answer")
    assert report.ok
    # Four of the five data blocks of each stripe are lost, and in one a parity block too.
    copied, made = (sum(counts) for counts in zip(*origins(report).values(), strict=True))
    assert (copied, made) == (5 * BLOCK, 4 * BLOCK)
    assert contents_of(with_parity) == right


def test_a_copy_that_was_cut_gets_its_parity_too(with_parity: Path) -> None:
    right = contents_of(with_parity)
    for file in ("bundle.json", "parity.json"):
        (with_parity / file).rename(with_parity / f"{file}.partial")
    (with_parity / "parity.001").rename(with_parity / "parity.001.partial")
    os.truncate(with_parity / "parity.001.partial", BLOCK)
    (with_parity / FIRST).unlink()
    assert mend(with_parity).exit_status == ExitStatus.INCOMPLETE
    (with_parity / FIRST).write_bytes(right[FIRST])
    assert mend(with_parity).ok
    assert contents_of(with_parity) == right


def test_what_may_not_be_read_is_not_called_lost(
    bundle: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything: only the system's answer is made up."""
    opened = os.open

    def denied(path: os.PathLike[str], flags: int, *rest: int, **more: int) -> int:
        if Path(path) == other / FIRST:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, flags, *rest, **more)

    flip(bundle / FIRST, 0)
    before = contents_of(bundle)
    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(NotReadable, match=FIRST):
        repair(bundle, [other])
    assert contents_of(bundle) == before
    # Where something else makes up for it nobody need be told.
    third = shutil.copytree(bundle, tmp_path / "third")
    flip(third / FIRST, 0)
    assert mend(bundle, other, third).ok
