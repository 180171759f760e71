"""Which of the two tables counts, and what a directory without a right one is called."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.bundle.findings import worst
from bundler.bundle.manifest import BundleManifest, parse_bundle_manifest
from bundler.bundle.names import PACK_JOURNAL
from bundler.bundle.opening import open_manifest, open_manifests
from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.errors import (
    DamagedBundle,
    DiskError,
    ExitStatus,
    IncompleteBundle,
    NotABundle,
    NotFound,
    NotReadable,
    UndecidedTable,
    UnsupportedVersion,
    UsageError,
)
from bundler.model.limits import Limits
from tests.builders import TwoApplications, flip, within

MAIN, COPY, SUMS = "bundle.json", "bundle.json.bak", "SHA256SUMS"
UNFINISHED = "bundle.json.partial"


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("intact") / "bundle"
    TwoApplications().pack(directory)
    return directory


@pytest.fixture
def bundle(intact: Path, tmp_path: Path) -> Path:
    return shutil.copytree(intact, tmp_path / "bundle")


Harm = Callable[[Path], object]


def _replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _replace_by_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def _alter(path: Path, name: str = "other") -> None:
    """Make it another table that makes sense."""
    path.write_bytes(json.dumps({**json.loads(path.read_bytes()), "name": name}).encode())


def _version(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"manifest.v1+json", b"manifest.v3+json"))


HARMS: dict[str, Harm] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: os.truncate(path, 100),
    "a flipped byte": lambda path: flip(path, 5),
    "another table": _alter,
    "a bit of its version": _version,
    "a directory": _replace_by_directory,
    "a pipe": _replace_by_pipe,
    "a link": _replace_by_link,
    "more behind": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "huge": lambda path: os.truncate(path, 300 << 20),
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
@pytest.mark.parametrize("file", [MAIN, COPY])
def test_one_of_the_two_is_harmed(bundle: Path, intact: Path, file: str, harm: Harm) -> None:
    right = (intact / MAIN).read_bytes()
    harm(bundle / file)
    manifest, findings = within(20, lambda: open_manifest(bundle))
    assert manifest.raw == right
    (finding,) = findings
    assert (finding.check, finding.file, finding.mendable) == (1, file, True)
    assert finding.expected != finding.found
    assert worst(findings) == ExitStatus.MENDABLE
    # What can be mended hinders nobody from reading.
    assert verify_bundle(open_bundle(bundle)).exit_status == ExitStatus.MENDABLE


@pytest.mark.parametrize("harm", [name for name in HARMS if name not in ("another table", "a bit of its version")])
def test_the_sums_are_harmed(bundle: Path, harm: str) -> None:
    HARMS[harm](bundle / SUMS)
    _, findings = within(20, lambda: open_manifest(bundle))
    (finding,) = findings
    assert (finding.check, finding.file, finding.mendable) == (3, SUMS, True)


def test_two_tables_that_make_sense_and_no_sum_that_decides(bundle: Path, intact: Path) -> None:
    _alter(bundle / MAIN, "one")
    _alter(bundle / COPY, "two")
    with pytest.raises(UndecidedTable, match=r"bundle\.json for .*bundle\.json\.bak for .*SHA256SUMS for "):
        open_manifest(bundle)
    # The sums speak for the table of the other directory.
    assert open_manifests([bundle, intact])[0].raw == (intact / MAIN).read_bytes()
    (bundle / SUMS).unlink()
    for directories in ([bundle], [bundle, intact], [intact, bundle]):
        with pytest.raises(UndecidedTable) as caught:
            open_manifests(directories)
        assert caught.value.exit_status == ExitStatus.DAMAGED


@pytest.mark.parametrize("file", [MAIN, COPY])
def test_a_lone_table_that_the_sums_contradict(bundle: Path, intact: Path, file: str) -> None:
    (bundle / (MAIN if file == COPY else COPY)).unlink()
    _alter(bundle / file)
    with pytest.raises(UndecidedTable):
        open_manifest(bundle)
    manifest, findings = open_manifests([bundle, intact])
    assert manifest.raw == (intact / MAIN).read_bytes()
    assert [(one.file, one.mendable) for one in findings] == [(MAIN, True), (COPY, True)]


def test_a_lone_table_that_nothing_contradicts(bundle: Path, intact: Path) -> None:
    for file in (COPY, SUMS):
        (bundle / file).unlink()
    manifest, findings = open_manifest(bundle)
    assert manifest.raw == (intact / MAIN).read_bytes()
    assert [(one.file, one.code, one.mendable) for one in findings] == [
        (COPY, "missing", True),
        (SUMS, "missing", True),
    ]


def test_a_directory_without_tables_whose_sums_are_of_another_bundle(bundle: Path, intact: Path) -> None:
    for file in (MAIN, COPY):
        flip(bundle / file, 5)
    assert open_manifests([bundle, intact])[0].raw == (intact / MAIN).read_bytes()
    sums = (bundle / SUMS).read_text()
    (bundle / SUMS).write_text(sums.replace(open_manifest(intact)[0].id.hex, "0" * 64))
    with pytest.raises(UsageError, match="SHA256SUMS is of the bundle sha256:000"):
        open_manifests([bundle, intact])


def test_the_sums_decide_for_the_copy(bundle: Path, intact: Path) -> None:
    _alter(bundle / MAIN)
    manifest, findings = open_manifest(bundle)
    assert manifest.raw == (intact / MAIN).read_bytes()
    assert [(finding.file, finding.mendable) for finding in findings] == [(MAIN, True)]


@pytest.mark.parametrize("harm", ["empty", "cut", "a flipped byte", "a directory", "a pipe", "a link"])
def test_both_are_harmed(bundle: Path, harm: str) -> None:
    for file in (MAIN, COPY):
        if harm == "a link":
            (bundle / file).unlink()
            (bundle / file).symlink_to("/dev/zero")
        else:
            HARMS[harm](bundle / file)
    with pytest.raises(DamagedBundle):
        within(20, lambda: open_manifest(bundle))


def test_both_are_missing(bundle: Path) -> None:
    for file in (MAIN, COPY):
        (bundle / file).unlink()
    with pytest.raises(NotABundle):
        open_manifest(bundle)


def test_both_are_of_another_version(bundle: Path) -> None:
    for file in (MAIN, COPY):
        _version(bundle / file)
    with pytest.raises(UnsupportedVersion):
        open_manifest(bundle)
    # One is damaged as well: it is still another version, and not damage that a copy of the parts would mend.
    flip(bundle / MAIN, 5)
    with pytest.raises(UnsupportedVersion):
        open_manifest(bundle)


@pytest.mark.parametrize("proof", [SUMS, COPY])
def test_an_unfinished_copy_is_never_taken_for_a_whole_one(bundle: Path, intact: Path, proof: str) -> None:
    (bundle / MAIN).rename(bundle / UNFINISHED)
    (bundle / (SUMS if proof == COPY else COPY)).unlink()
    manifest, findings = open_manifest(bundle)
    assert manifest.raw == (intact / MAIN).read_bytes()
    # That its other files are not there yet follows from it, and is not said again.
    assert [(one.check, one.code, one.file, one.mendable) for one in findings] == [(3, "unfinished", MAIN, False)]
    assert worst(findings) == ExitStatus.INCOMPLETE


@pytest.mark.parametrize("with_copy", [True, False])
def test_a_table_of_an_unfinished_copy_that_nothing_proves(bundle: Path, intact: Path, with_copy: bool) -> None:
    (bundle / MAIN).rename(bundle / UNFINISHED)
    (bundle / SUMS).unlink()
    if with_copy:
        _alter(bundle / COPY, "one")
        _alter(bundle / UNFINISHED, "two")
    else:
        (bundle / COPY).unlink()
    with pytest.raises(IncompleteBundle, match="nothing proves") as caught:
        open_manifest(bundle)
    assert "Run the copy again" in caught.value.advice
    # What another stick says is enough.
    manifest, findings = open_manifests([intact, bundle])
    assert manifest.raw == (intact / MAIN).read_bytes()
    damaged = [UNFINISHED, COPY] if with_copy else []
    assert [(one.code, one.file) for one in findings] == [
        ("unfinished", MAIN),
        *(("damaged-table", file) for file in damaged),
    ]


@pytest.mark.parametrize("harm", ["empty", "cut", "a flipped byte", "another table", "a bit of its version"])
@pytest.mark.parametrize("file", [UNFINISHED, COPY])
def test_one_table_of_an_unfinished_copy_is_harmed(bundle: Path, intact: Path, file: str, harm: str) -> None:
    (bundle / MAIN).rename(bundle / UNFINISHED)
    HARMS[harm](bundle / file)
    manifest, findings = open_manifest(bundle)
    assert manifest.raw == (intact / MAIN).read_bytes()
    assert [(one.code, one.file, one.mendable) for one in findings] == [
        ("unfinished", MAIN, False),
        ("damaged-table", file, True),
    ]
    assert worst(findings) == ExitStatus.INCOMPLETE


@pytest.mark.parametrize("harm", ["empty", "cut", "a flipped byte", "a directory", "a pipe", "a link"])
@pytest.mark.parametrize("with_copy", [True, False])
def test_an_unfinished_pack_holds_no_bundle_yet(bundle: Path, harm: str, with_copy: bool) -> None:
    (bundle / MAIN).rename(bundle / UNFINISHED)
    (bundle / PACK_JOURNAL).touch()
    HARMS[harm](bundle / UNFINISHED)
    if not with_copy:
        (bundle / COPY).unlink()
    with pytest.raises(IncompleteBundle, match="packing was not finished") as caught:
        within(20, lambda: open_manifest(bundle))
    assert "pack" in caught.value.advice


def test_an_unfinished_copy_of_another_version(bundle: Path) -> None:
    (bundle / MAIN).rename(bundle / UNFINISHED)
    for file in (UNFINISHED, COPY):
        _version(bundle / file)
    with pytest.raises(UnsupportedVersion):
        open_manifest(bundle)


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        open_manifest(tmp_path / "absent")
    (tmp_path / "file").touch()
    with pytest.raises(NotFound):
        open_manifest(tmp_path / "file")
    with pytest.raises(NotABundle):
        open_manifest(tmp_path)


class _Unreadable:
    """Lets the reading of some files fail as a bad sector or a permission does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, names: set[str], number: int) -> None:
        original = os.open

        def refuse(path: Path, flags: int, *rest: int) -> int:
            if Path(path).name in names:
                raise OSError(number, os.strerror(number))
            return original(path, flags, *rest)

        monkeypatch.setattr(os, "open", refuse)


@pytest.mark.parametrize("file", [MAIN, COPY])
def test_a_bad_sector_under_one_of_the_two(
    bundle: Path, intact: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    _Unreadable(monkeypatch, {file}, errno.EIO)
    manifest, findings = open_manifest(bundle)
    monkeypatch.undo()
    assert manifest.raw == (intact / MAIN).read_bytes()
    assert [(finding.file, finding.mendable) for finding in findings] == [(file, True)]


def test_a_bad_sector_under_the_sums(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _Unreadable(monkeypatch, {SUMS}, errno.EIO)
    _, findings = open_manifest(bundle)
    assert [(finding.check, finding.file) for finding in findings] == [(3, SUMS)]


@pytest.mark.parametrize(("number", "kind"), [(errno.EIO, DiskError), (errno.EACCES, NotReadable)])
def test_what_cannot_be_read_at_all_is_not_called_damaged(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[DiskError]
) -> None:
    _Unreadable(monkeypatch, {MAIN, COPY}, number)
    with pytest.raises(kind):
        open_manifest(bundle)


@pytest.mark.parametrize("file", [MAIN, COPY, SUMS])
def test_one_that_must_not_be_read_is_not_called_damaged(
    bundle: Path, intact: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    _Unreadable(monkeypatch, {file}, errno.EACCES)
    manifest, findings = open_manifest(bundle)
    opened = open_bundle(bundle)
    with pytest.raises(NotReadable, match="Permission denied") as caught:
        verify_bundle(opened)
    monkeypatch.undo()
    assert manifest.raw == (intact / MAIN).read_bytes()
    assert [(finding.code, finding.file) for finding in findings] == [("denied", file)]
    assert "read" in caught.value.advice
    assert "write" not in caught.value.advice


# -- several directories ------------------------------------------------------------------------------------


@pytest.fixture
def other(intact: Path, tmp_path: Path) -> Path:
    return shutil.copytree(intact, tmp_path / "other")


@pytest.mark.parametrize("harm", [name for name in HARMS if name not in ("another table", "huge")])
def test_both_are_harmed_in_one_of_two_directories(bundle: Path, other: Path, intact: Path, harm: str) -> None:
    for file in (MAIN, COPY):
        if harm != "a bit of its version" and not (harm == "missing" and file == COPY):
            HARMS[harm](bundle / file)
    flip(bundle / COPY, 9) if harm == "missing" else None
    for order in ([bundle, other], [other, bundle]):
        manifest, findings = within(20, lambda order=order: open_manifests(order))  # type: ignore[misc]
        assert manifest.raw == (intact / MAIN).read_bytes()
        assert all(one.mendable and one.directory == str(bundle) for one in findings)
        assert len(findings) == (0 if harm == "a bit of its version" else 2)
        assert worst(findings) == (ExitStatus.MENDABLE if findings else ExitStatus.DONE)


def test_directories_of_two_bundles(bundle: Path, other: Path) -> None:
    for file in (MAIN, COPY):
        _alter(other / file)
    (other / SUMS).unlink()
    ids = [str(open_manifest(one)[0].id) for one in (bundle, other)]
    assert len(set(ids)) == 2
    with pytest.raises(UsageError) as caught:
        open_bundle(bundle, other)
    assert all(text in str(caught.value) for text in (*ids, str(bundle), str(other)))


def test_a_directory_that_cannot_decide_is_decided_by_the_other(bundle: Path, other: Path, intact: Path) -> None:
    _alter(bundle / MAIN)
    (bundle / SUMS).unlink()
    manifest, findings = open_manifests([bundle, other])
    assert manifest.raw == (intact / MAIN).read_bytes()
    assert {(one.file, one.directory, one.mendable) for one in findings} == {
        (MAIN, str(bundle), True),
        (SUMS, str(bundle), True),
    }


def test_what_is_no_damage_is_not_passed_over_for_another_directory(
    bundle: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    for wrong, kind in ((tmp_path / "empty", NotABundle), (tmp_path / "absent", NotFound)):
        with pytest.raises(kind):
            open_manifests([bundle, wrong])
    for file in (MAIN, COPY):
        _version(other / file)
    with pytest.raises(UnsupportedVersion):
        open_manifests([bundle, other])


def test_no_directory_at_all() -> None:
    with pytest.raises(UsageError):
        open_bundle()


def test_a_directory_named_twice_is_one(bundle: Path) -> None:
    assert open_bundle(bundle, str(bundle)).locations.directories == (bundle,)


def test_the_same_bytes_are_read_once(bundle: Path, other: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def parse(raw: bytes, limits: Limits) -> BundleManifest:
        seen.append(raw)
        return parse_bundle_manifest(raw, limits)

    monkeypatch.setattr("bundler.bundle.opening.parse_bundle_manifest", parse)
    open_manifests([bundle, other])
    assert len(seen) == 1
    flip(other / COPY, 100)
    open_manifests([bundle, other])
    assert len(seen) == 3, "the four files hold two different bytes"
