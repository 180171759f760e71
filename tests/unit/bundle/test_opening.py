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
from bundler.bundle.opening import open_manifest
from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.errors import (
    DamagedBundle,
    DiskError,
    ExitStatus,
    IncompleteBundle,
    NotABundle,
    NotFound,
    NotWritable,
    UnsupportedVersion,
)
from tests.builders import TwoApplications, flip, within

MAIN, COPY, SUMS = "bundle.json", "bundle.json.bak", "SHA256SUMS"


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


def test_two_tables_that_make_sense_and_no_sum_that_decides(bundle: Path) -> None:
    _alter(bundle / MAIN, "one")
    _alter(bundle / COPY, "two")
    manifest, findings = open_manifest(bundle)
    assert manifest.name == "one"
    assert findings[0].file == COPY
    assert not findings[0].mendable
    assert worst(findings) == ExitStatus.DAMAGED


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


@pytest.mark.parametrize("with_copy", [True, False])
def test_an_unfinished_bundle_is_never_taken_for_a_whole_one(bundle: Path, with_copy: bool) -> None:
    (bundle / MAIN).rename(bundle / "bundle.json.partial")
    if not with_copy:
        (bundle / COPY).unlink()
    with pytest.raises(IncompleteBundle):
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


@pytest.mark.parametrize(("number", "kind"), [(errno.EIO, DiskError), (errno.EACCES, NotWritable)])
def test_what_cannot_be_read_at_all_is_not_called_damaged(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[DiskError]
) -> None:
    _Unreadable(monkeypatch, {MAIN, COPY}, number)
    with pytest.raises(kind):
        open_manifest(bundle)
