"""The output directory: what may lie there, what is cleaned, and when there is no room."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from bundler.content import files
from bundler.errors import (
    DamagedBundle,
    DamagedContent,
    IncompleteBundle,
    NoSpace,
    NotFound,
    OutputExists,
    Unreachable,
)
from bundler.packing.writing import output as output_module
from bundler.packing.writing.output import UNFINISHED
from tests.builders import SMALL, TwoApplications, check_left, contents_of, final_names, flip, no_thread_is_left


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_new_directory_with_parents(tmp_path: Path) -> None:
    TwoApplications().pack(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / "bundle.json").exists()


def test_what_a_pack_leaves(tmp_path: Path) -> None:
    manifest = TwoApplications().pack(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["README.txt", "SHA256SUMS", "bundle.json", "bundle.json.bak", *(part.file for part in manifest.parts)]
    )
    assert (tmp_path / "bundle.json").read_bytes() == manifest.raw == (tmp_path / "bundle.json.bak").read_bytes()


def test_what_systems_leave_on_media_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    (tmp_path / "System Volume Information").mkdir()
    (tmp_path / "._x").touch()
    TwoApplications().pack(tmp_path)
    assert (tmp_path / "lost+found").is_dir()


@pytest.mark.parametrize(
    "name",
    ["holiday.jpg", "shop.oci.tar", "shop.oci.tar.001", "README.txt", "bundle.json.bak", "x.partial",
     "shop.oci.tar.001.partial"],
)  # fmt: skip
def test_what_no_unfinished_pack_left_is_never_touched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(OutputExists, match=name):
        TwoApplications().pack(tmp_path)
    assert contents_of(tmp_path) == {name: b"mine"}


def test_another_bundle_is_never_touched(tmp_path: Path) -> None:
    TwoApplications().pack(tmp_path)
    before = contents_of(tmp_path)
    for other in (replace(SMALL, version="2"), replace(SMALL, part_bytes=0), replace(SMALL, name="other")):
        with pytest.raises(OutputExists, match="already holds another bundle"):
            TwoApplications().pack(tmp_path, other)
    assert contents_of(tmp_path) == before


def test_the_same_bundle_is_checked_and_kept(tmp_path: Path) -> None:
    packed = TwoApplications()
    manifest = packed.pack(tmp_path)
    before = contents_of(tmp_path)
    packed.registry.opened.clear()
    assert packed.pack(tmp_path) == manifest
    assert (packed.registry.opened, contents_of(tmp_path)) == ([], before)
    flip(tmp_path / manifest.parts[0].file, 7)
    with pytest.raises(DamagedBundle, match=manifest.parts[0].file):
        packed.pack(tmp_path)
    (tmp_path / manifest.parts[0].file).unlink()
    with pytest.raises(IncompleteBundle, match=manifest.parts[0].file):
        packed.pack(tmp_path)
    packed.pack(tmp_path, restart=True)
    assert contents_of(tmp_path) == before


def test_a_signed_bundle_is_not_begun_anew(tmp_path: Path) -> None:
    TwoApplications().pack(tmp_path)
    (tmp_path / "bundle.json.sig").touch()
    before = contents_of(tmp_path)
    with pytest.raises(OutputExists, match=r"bundle\.json\.sig"):
        TwoApplications().pack(tmp_path, restart=True)
    assert contents_of(tmp_path) == before


def test_what_an_unfinished_pack_left_without_a_journal_is_cleaned(tmp_path: Path) -> None:
    packed = TwoApplications()
    packed.pack(tmp_path / "right")
    left = tmp_path / "left"
    left.mkdir()
    for name in ("shop.oci.tar.001", "shop.oci.tar.077", "old.oci.tar", "old.oci.tar.002.partial", "README.txt",
                 "SHA256SUMS", "bundle.json.bak", "README.txt.partial", "SHA256SUMS.partial",
                 "bundle.json.bak.partial"):  # fmt: skip
        (left / name).write_text("left over")
    (left / UNFINISHED).touch()
    packed.pack(left)
    assert contents_of(left) == contents_of(tmp_path / "right")


def test_a_stranger_beside_an_unfinished_pack(tmp_path: Path) -> None:
    for name in (UNFINISHED, "shop.oci.tar.001", "holiday.jpg"):
        (tmp_path / name).write_text("x")
    with pytest.raises(OutputExists, match=r"holiday\.jpg"):
        TwoApplications().pack(tmp_path)
    assert len(contents_of(tmp_path)) == 3


@pytest.mark.parametrize("name", [UNFINISHED, "shop.oci.tar.001.partial"])
def test_a_link_is_not_followed(tmp_path: Path, name: str) -> None:
    (tmp_path / "precious").write_text("precious")
    out = tmp_path / "out"
    out.mkdir()
    (out / UNFINISHED).touch()
    (out / name).unlink(missing_ok=True)
    (out / name).symlink_to(tmp_path / "precious")
    with pytest.raises(OutputExists):
        TwoApplications().pack(out)
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_directory_named_like_a_part(tmp_path: Path) -> None:
    (tmp_path / UNFINISHED).touch()
    (tmp_path / "shop.oci.tar.001").mkdir()
    with pytest.raises(OutputExists):
        TwoApplications().pack(tmp_path)


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(OutputExists, match="is a file"):
        TwoApplications().pack(tmp_path / "out")
    with pytest.raises(NotFound):
        TwoApplications().pack(tmp_path / "out" / "below")
    assert (tmp_path / "out").read_text() == "x"


def test_too_little_room_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = TwoApplications()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1, 1, 100_000))
    with pytest.raises(NoSpace, match=r"97\.7 KiB are free"):
        packed.pack(tmp_path)
    assert final_names(tmp_path) == []
    assert packed.registry.opened == []
    monkeypatch.undo()
    packed.pack(tmp_path)


def test_an_unfinished_copy_is_not_taken_for_a_pack(tmp_path: Path) -> None:
    manifest = TwoApplications().pack(tmp_path)
    (tmp_path / "bundle.json").rename(tmp_path / UNFINISHED)
    before = contents_of(tmp_path)
    with pytest.raises(OutputExists, match="unfinished copy"):
        TwoApplications().pack(tmp_path)
    assert contents_of(tmp_path) == before
    assert manifest.raw == before[UNFINISHED]


def refusing(*names: str) -> Callable[[Path, bytes], None]:
    """Return a ``write_file`` that fails for some names, the last moment being after the rename."""

    def write(path: Path, data: bytes) -> None:
        if path.name in names:
            files.write_file(path, data)
            raise NoSpace(f"{path}: no room for the directory's own entry")
        files.write_file(path, data)

    return write


@pytest.mark.parametrize("name", ["README.txt", "SHA256SUMS", "bundle.json.bak", "bundle.json"])
def test_an_error_behind_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    TwoApplications().pack(tmp_path / "right")
    monkeypatch.setattr(output_module, "write_file", refusing(name))
    with no_thread_is_left(), pytest.raises(NoSpace):
        TwoApplications().pack(tmp_path / "left")
    check_left(tmp_path / "left", contents_of(tmp_path / "right"))
    monkeypatch.undo()
    packed = TwoApplications()
    packed.pack(tmp_path / "left")
    assert (packed.registry.opened, packed.engine.opened) == ([], []), "all of it was there"
    assert final_names(tmp_path / "left") == final_names(tmp_path / "right")
    check_left(tmp_path / "left", contents_of(tmp_path / "right"))


def test_an_error_in_the_second_application(tmp_path: Path) -> None:
    TwoApplications().pack(tmp_path / "right")
    packed = TwoApplications()
    last = packed.web.tree.platform_images()[0].manifest.layers[1].digest
    whole = packed.registry.blobs[last]
    packed.registry.blobs[last] = whole[:-1] + b"!"
    with no_thread_is_left(), pytest.raises(DamagedContent, match="damaged"):
        packed.pack(tmp_path / "left")
    check_left(tmp_path / "left", contents_of(tmp_path / "right"))
    assert (tmp_path / "left" / UNFINISHED).exists()
    packed.registry.blobs[last] = whole
    packed.engine.opened.clear()
    packed.pack(tmp_path / "left")
    assert packed.engine.opened == [], "the first application was there"
    assert contents_of(tmp_path / "left") == contents_of(tmp_path / "right")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Unreachable("gone")], ids=["interrupted", "gone"])
def test_a_source_that_breaks_off(tmp_path: Path, error: BaseException) -> None:
    TwoApplications().pack(tmp_path / "right")
    packed = TwoApplications()
    contents = packed.registry.contents

    def broken(*arguments: object) -> object:
        raise error

    packed.registry.contents = broken  # type: ignore[method-assign,assignment]
    with no_thread_is_left(), pytest.raises(type(error)):
        packed.pack(tmp_path / "left")
    check_left(tmp_path / "left", contents_of(tmp_path / "right"))
    packed.registry.contents = contents  # type: ignore[method-assign]
    packed.pack(tmp_path / "left")
    assert contents_of(tmp_path / "left") == contents_of(tmp_path / "right")
