"""The output directory: what may lie there, what is cleaned, and when there is no room."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from bundler.content import files
from bundler.errors import DamagedContent, NoSpace, NotFound, OutputExists, Unreachable
from bundler.packing.writing import output as output_module
from bundler.packing.writing.output import UNFINISHED, OutputDirectory, free_bytes
from tests.builders import SMALL, TwoApplications, contents_of, final_names, no_thread_is_left


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
    with pytest.raises(OutputExists, match="already holds a bundle"):
        TwoApplications().pack(tmp_path)
    assert contents_of(tmp_path) == before


def test_what_an_unfinished_pack_left_is_cleaned(tmp_path: Path) -> None:
    packed = TwoApplications()
    packed.pack(tmp_path / "right")
    left = tmp_path / "left"
    left.mkdir()
    for name in ("shop.oci.tar.001", "shop.oci.tar.077", "old.oci.tar", "old.oci.tar.002.partial", "README.txt",
                 "SHA256SUMS", "bundle.json.bak", "README.txt.partial", "SHA256SUMS.partial",
                 "bundle.json.bak.partial", UNFINISHED):  # fmt: skip
        (left / name).write_text("left over")
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


def test_free_space_is_that_of_the_nearest_directory(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "a" / "b" / "c") > 0
    (tmp_path / "file").touch()
    with pytest.raises(NotFound):
        free_bytes(tmp_path / "file" / "x")


def refusing(*names: str) -> Callable[[Path, bytes], None]:
    """Return a ``write_file`` that fails for some names, the last moment being after the rename."""

    def write(path: Path, data: bytes) -> None:
        if path.name in names:
            files.write_file(path, data)
            raise NoSpace(f"{path}: no room for the directory's own entry")
        files.write_file(path, data)

    return write


@pytest.mark.parametrize("name", ["README.txt", "SHA256SUMS", "bundle.json.bak", "bundle.json"])
def test_an_error_behind_a_table_leaves_no_final_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(output_module, "write_file", refusing(name))
    with no_thread_is_left(), pytest.raises(NoSpace):
        TwoApplications().pack(tmp_path / "left")
    assert final_names(tmp_path / "left") == []
    monkeypatch.undo()
    TwoApplications().pack(tmp_path / "left")
    TwoApplications().pack(tmp_path / "right")
    assert contents_of(tmp_path / "left") == contents_of(tmp_path / "right")


def test_what_cannot_be_taken_back_does_not_stop_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = TwoApplications().pack(tmp_path)
    replace = Path.replace

    def refuse_one(self: Path, target: Path) -> Path:
        if self.name == manifest.parts[0].file:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse_one)
    OutputDirectory(tmp_path).withdraw(part.file for part in manifest.parts)
    assert final_names(tmp_path) == [manifest.parts[0].file]


def test_an_error_in_the_second_application(tmp_path: Path) -> None:
    packed = TwoApplications()
    last = packed.web.tree.platform_images()[0].manifest.layers[1].digest
    packed.registry.blobs[last] = packed.registry.blobs[last][:-1] + b"!"
    with no_thread_is_left(), pytest.raises(DamagedContent, match="damaged"):
        packed.pack(tmp_path)
    assert final_names(tmp_path) == []
    assert (tmp_path / UNFINISHED).exists()


def test_an_interruption_leaves_no_final_name(tmp_path: Path) -> None:
    packed = TwoApplications()
    contents = packed.registry.contents

    def interrupted(*arguments: object) -> object:
        raise KeyboardInterrupt

    packed.registry.contents = interrupted  # type: ignore[method-assign,assignment]
    with no_thread_is_left(), pytest.raises(KeyboardInterrupt):
        packed.pack(tmp_path)
    assert final_names(tmp_path) == []
    packed.registry.contents = contents  # type: ignore[method-assign]
    packed.pack(tmp_path, SMALL)


def test_a_source_that_is_gone_leaves_no_final_name(tmp_path: Path) -> None:
    packed = TwoApplications()

    def gone(*arguments: object) -> object:
        raise Unreachable("gone")

    packed.registry.contents = gone  # type: ignore[method-assign,assignment]
    with no_thread_is_left(), pytest.raises(Unreachable):
        packed.pack(tmp_path)
    assert final_names(tmp_path) == []
