"""A pack that was cut, and what is left of it changed: what is right is kept, the rest made again, the same."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.bundle.names import PACK_JOURNAL
from bundler.content.images import Content, FoundImage
from bundler.errors import OutputExists, Unreachable
from bundler.model.digest import Digest
from bundler.packing.planning.options import PackOptions
from bundler.progress import Task
from tests.builders import KIB, SMALL, TwoApplications, contents_of, flip, layer, pack_images
from tests.fakes.memory import MemorySource


class Cut(MemorySource):
    """Breaks off behind so many contents."""

    def __init__(self, kind: str = "docker") -> None:
        super().__init__(kind)
        self.left = 1 << 30

    def contents(self, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task) -> Iterator[Content]:
        for content in super().contents(images, wanted, task):
            if not self.left:
                raise Unreachable("cut")
            self.left -= 1
            yield content


def images(source: MemorySource) -> dict[str, list[FoundImage]]:
    """Two applications of two images each over one base, all compressed here, of 100 to 300 KiB."""
    base = layer("base", 170 * KIB)
    return {
        name: [
            source.make_engine_image([base, layer(f"{name}{number}", 130 * KIB)], f"x.test/{name}{number}:1")
            for number in (1, 2)
        ]
        for name in ("a", "b")
    }


CONTENTS = 9  # five layers and four configs


def pack(directory: Path, behind: int = 1 << 30, options: PackOptions = SMALL) -> list[Digest]:
    """Pack, and break off behind so many contents; return what was read of the source."""
    source = Cut()
    wanted = images(source)
    source.left = behind
    if behind < CONTENTS:
        with pytest.raises(Unreachable):
            pack_images(directory, source, wanted, options)
    else:
        pack_images(directory, source, wanted, options)
    return source.opened


@pytest.fixture(scope="module", params=[64 * KIB, 150_000, 0], ids=["64 KiB", "150 kB", "not cut"])
def options(request: pytest.FixtureRequest) -> PackOptions:
    """Part sizes, one of them no multiple of anything."""
    return replace(SMALL, part_bytes=request.param)


@pytest.fixture(scope="module")
def right(options: PackOptions, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every file of the bundle when nothing is cut."""
    directory = tmp_path_factory.mktemp("right")
    assert len(pack(directory, options=options)) == CONTENTS
    return contents_of(directory)


@pytest.mark.parametrize("behind", range(CONTENTS))
def test_nothing_is_read_twice(tmp_path: Path, options: PackOptions, right: dict[str, bytes], behind: int) -> None:
    first = pack(tmp_path, behind, options)
    again = pack(tmp_path, options=options)
    assert contents_of(tmp_path) == right
    # What the source gave last broke off before it was read.
    assert set(first[:behind]) & set(again) == set()
    assert len(again) == CONTENTS - behind


def test_cut_again_and_again(tmp_path: Path, options: PackOptions, right: dict[str, bytes]) -> None:
    for _ in range(CONTENTS - 1):
        pack(tmp_path, 1, options)
    pack(tmp_path, options=options)
    assert contents_of(tmp_path) == right


def _flip_somewhere(path: Path, chance: random.Random) -> None:
    flip(path, chance.randrange(path.stat().st_size))


def _truncate(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size))


def _zero_the_end(path: Path, chance: random.Random) -> None:
    size = path.stat().st_size
    _truncate(path, chance)
    os.truncate(path, size)


def _append(path: Path, chance: random.Random) -> None:
    with path.open("ab") as file:
        file.write(bytes(chance.randrange(1, 2000)))


def _remove(path: Path, chance: random.Random) -> None:
    path.unlink()


def _link(path: Path, chance: random.Random) -> None:
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def _rename_to_partial(path: Path, chance: random.Random) -> None:
    if path.suffix != ".partial":
        path.rename(path.with_name(path.name + ".partial"))


@pytest.mark.parametrize(
    "change", [_flip_somewhere, _truncate, _zero_the_end, _append, _remove, _rename_to_partial]
)
@pytest.mark.parametrize("behind", [2, 4, 6, 8])
def test_what_was_changed_is_made_again(
    tmp_path: Path,
    options: PackOptions,
    right: dict[str, bytes],
    change: Callable[[Path, random.Random], None],
    behind: int,
) -> None:
    cut = tmp_path / "cut"
    pack(cut, behind, options)
    for name in sorted(path.name for path in cut.iterdir() if path.name not in ("bundle.json.partial",)):
        again = tmp_path / name
        shutil.copytree(cut, again)
        if (again / name).stat().st_size:
            change(again / name, random.Random(f"{name} {behind}"))
        pack(again, options=options)
        assert contents_of(again) == right, name


def test_a_link_in_place_of_a_part_is_refused(tmp_path: Path, options: PackOptions) -> None:
    cut = tmp_path / "cut"
    pack(cut, 4, options)
    part = next(path for path in sorted(cut.iterdir()) if ".oci.tar" in path.name)
    before = part.read_bytes()
    _link(part, random.Random())
    with pytest.raises(OutputExists):
        pack(cut, options=options)
    assert (tmp_path / "elsewhere").read_bytes() == before


def test_other_inputs_or_options_are_refused_and_restart_begins_anew(tmp_path: Path) -> None:
    packed = TwoApplications()
    pack(tmp_path, 4)
    before = contents_of(tmp_path)
    for change, said in [
        (replace(SMALL, part_bytes=0), "the part size is 0, it was 65536"),
        (replace(SMALL, version="2"), "the version is 2, it was 0"),
        (replace(SMALL, name="z"), "the name is z, it was a-b"),
    ]:
        with pytest.raises(OutputExists, match=said) as caught:
            pack_images(tmp_path, (source := Cut()), images(source), change)
        assert "--restart" in (caught.value.advice or "")
    with pytest.raises(OutputExists, match="unfinished pack of something else: the image"):
        packed.pack(tmp_path)
    assert contents_of(tmp_path) == before
    packed.pack(tmp_path, restart=True)
    packed.pack(tmp_path.with_name("right"))
    assert contents_of(tmp_path) == contents_of(tmp_path.with_name("right"))


def test_another_number_of_workers_is_no_other_option(tmp_path: Path) -> None:
    pack(tmp_path / "right")
    pack(tmp_path / "left", 4)
    assert len(pack(tmp_path / "left", options=replace(SMALL, workers=2))) == CONTENTS - 4
    assert contents_of(tmp_path / "left") == contents_of(tmp_path / "right")


@pytest.mark.parametrize("restart", [False, True])
def test_the_mark_alone_is_lost(tmp_path: Path, restart: bool) -> None:
    pack(tmp_path / "right")
    pack(tmp_path / "left", 4)
    (tmp_path / "left" / "bundle.json.partial").unlink()
    source = Cut()
    pack_images(tmp_path / "left", source, images(source), restart=restart)
    assert len(source.opened) == (CONTENTS if restart else CONTENTS - 4)
    assert contents_of(tmp_path / "left") == contents_of(tmp_path / "right")


def test_a_journal_of_nonsense_is_none(tmp_path: Path, options: PackOptions, right: dict[str, bytes]) -> None:
    pack(tmp_path, 4, options)
    (tmp_path / PACK_JOURNAL).write_bytes(b"nonsense\n")
    assert len(pack(tmp_path, options=options)) == CONTENTS
    assert contents_of(tmp_path) == right


def test_blobs_of_registries_are_kept_too(tmp_path: Path) -> None:
    TwoApplications().pack(tmp_path / "right")
    packed = TwoApplications()
    last = packed.tools.tree.platform_images()[0].manifest.layers[1].digest
    whole = packed.registry.blobs.pop(last)
    with pytest.raises(Exception, match="is not there"):
        packed.pack(tmp_path / "left")
    read = set(packed.registry.opened + packed.engine.opened)
    packed.registry.blobs[last] = whole
    packed.registry.opened.clear()
    packed.engine.opened.clear()
    packed.pack(tmp_path / "left")
    assert not read & set(packed.registry.opened + packed.engine.opened)
    assert contents_of(tmp_path / "left") == contents_of(tmp_path / "right")
