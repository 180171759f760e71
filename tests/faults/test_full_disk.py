"""A disk that is full, or gone, at every single operation of a pack; and then the same pack again."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.content.images import EngineForm, FoundImage
from bundler.errors import DiskError, ExitStatus, IncompleteBundle, NoSpace, NotABundle
from tests.builders import KIB, check_left, contents_of, final_names, layer, no_thread_is_left, pack_images, within
from tests.fakes.memory import MemorySource
from tests.faults.disks import failing_disk
from tests.requirements import require, why_no_program, why_not_root


def images(source: MemorySource) -> dict[str, list[FoundImage]]:
    """Two applications over one layer, which comes from an engine: its header is owed until it ends."""
    base = layer("base", 70 * KIB)
    return {
        "a": [source.make_engine_image([base], "x/a:1")],
        "b": [source.make_engine_image([base, layer("top", 66 * KIB)], "x/b:1")],
    }


def pack(directory: Path) -> None:
    source = MemorySource("docker")
    pack_images(directory, source, images(source))


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every file of the bundle when nothing fails."""
    directory = tmp_path_factory.mktemp("right")
    pack(directory)
    return contents_of(directory)


def test_the_disk_sees_every_file(tmp_path: Path, right: dict[str, bytes]) -> None:
    """Were an operation not counted, the tests below would prove nothing about it."""
    with failing_disk(tmp_path, gone=True) as disk:
        pack(tmp_path)
    assert contents_of(tmp_path) == right
    # Created, written, synced and renamed at least.
    assert disk.done >= 4 * len(right)


@pytest.mark.parametrize("lasting", [True, False], ids=["full from there on", "full once"])
def test_full_at_every_operation(tmp_path: Path, right: dict[str, bytes], lasting: bool) -> None:
    for number in itertools.count(1):
        directory = tmp_path / str(number)
        directory.mkdir()
        with no_thread_is_left(), failing_disk(directory, number, lasting=lasting) as disk:
            try:
                within(20, partial(pack, directory))
            except NoSpace:
                assert disk.failed
            else:
                assert not disk.failed
                assert contents_of(directory) == right
                break
        check_left(directory, right)
        pack(directory)
        assert contents_of(directory) == right
    assert number > 40


def check_is_unfinished(directory: Path) -> None:
    """Check that nobody takes a directory for a whole bundle, also where the table was all but in its place."""
    try:
        bundle = open_bundle(directory)
    except (IncompleteBundle, NotABundle):
        return
    assert verify_bundle(bundle, "deep").exit_status == ExitStatus.INCOMPLETE


def test_gone_or_killed_at_every_operation(tmp_path: Path, right: dict[str, bytes]) -> None:
    """From one operation on nothing works any more: what is left is what a kill leaves, whenever it comes."""
    finished = 0
    for number in itertools.count(1):
        directory = tmp_path / str(number)
        directory.mkdir()
        with no_thread_is_left(), failing_disk(directory, number, gone=True) as disk:
            try:
                within(20, partial(pack, directory))
            except DiskError:
                assert disk.failed
            else:
                break
        check_left(directory, right)
        if "bundle.json" in final_names(directory):
            # Only what comes behind the last rename had failed.
            assert verify_bundle(open_bundle(directory), "deep").ok
            finished += 1
        else:
            check_is_unfinished(directory)
        pack(directory)
        assert contents_of(directory) == right
    assert number > 60
    assert finished <= 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 192 KiB."""
    require(why_not_root() or why_no_program("mount", "umount"))
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", place], capture_output=True, text=True
    )
    require(f"cannot mount a file system: {mounted.stderr.strip()}" if mounted.returncode else None)
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_small_file_system(small_disk: Path, tmp_path: Path) -> None:
    source, out = MemorySource("docker"), small_disk / "out"
    wanted: dict[str, list[FoundImage]] = {
        name: [source.make_engine_image([layer(name, 150 * KIB)], f"x/{name}:1")] for name in ("a", "b")
    }
    with no_thread_is_left(), pytest.raises(NoSpace):
        pack_images(out, source, wanted)
    pack_images(tmp_path / "right", source, wanted)
    check_left(out, contents_of(tmp_path / "right"))
    subprocess.run(["mount", "-o", "remount,size=2m", small_disk], check=True)
    source.opened.clear()
    pack_images(out, source, wanted)
    assert contents_of(out) == contents_of(tmp_path / "right")
    first = wanted["a"][0]
    assert isinstance(first, EngineForm)
    assert not {*first.diff_ids, first.config_digest} & set(source.opened), "the first application was there"


def test_a_small_file_system_is_refused_at_once_where_sizes_are_known(small_disk: Path) -> None:
    source = MemorySource("registry")
    image = source.make_image([layer("a", 300 * KIB)], "x/a:1")
    with pytest.raises(NoSpace, match="are needed"):
        pack_images(small_disk / "out", source, {"a": [image]})
    assert source.opened == []


def test_a_file_system_that_is_read_only(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(DiskError, match="Read-only"):
        pack(small_disk / "out")
