"""Two packs into one directory: the second one refuses, and the first one's bundle is whole."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pytest

from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.content.file_lock import FileLock
from bundler.content.images import Content, FoundImage
from bundler.errors import DamagedContent, OutputExists
from bundler.model.digest import Digest
from bundler.progress import Task
from tests.builders import layer, pack_images
from tests.fakes.memory import MemorySource


class SlowSource(MemorySource):
    """Stops in the middle of an image until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go_on = threading.Event(), threading.Event()

    def contents(self, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task) -> Iterator[Content]:
        for content in super().contents(images, wanted, task):
            self.reached.set()
            assert self.go_on.wait(30)
            yield content


def test_the_second_pack_refuses_and_the_first_is_whole(tmp_path: Path) -> None:
    slow, quick = SlowSource(), MemorySource()
    first = {"shop": [slow.make_image([layer("a", 1 << 18)], "shop/web:1")]}
    second = {"erp": [quick.make_image([layer("b", 1 << 10)], "erp/core:1")]}
    thread = threading.Thread(target=pack_images, args=(tmp_path / "out", slow, first))
    thread.start()
    assert slow.reached.wait(30)

    with pytest.raises(OutputExists, match="another run is writing"):
        pack_images(tmp_path / "out", quick, second)

    slow.go_on.set()
    thread.join(30)
    bundle = open_bundle(tmp_path / "out")
    assert [application.name for application in bundle.manifest.applications] == ["shop"]
    assert verify_bundle(bundle, "deep").ok


def test_a_pack_that_failed_gives_the_directory_back(tmp_path: Path) -> None:
    source = MemorySource()
    image = source.make_image([layer("a", 1 << 18)], "shop/web:1")
    whole = dict(source.blobs)
    source.blobs[image.tree.platform_images()[0].manifest.layers[0].digest] = b"x"
    with pytest.raises(DamagedContent):
        pack_images(tmp_path / "out", source, {"shop": [image]})

    source.blobs = whole
    pack_images(tmp_path / "out", source, {"shop": [image]})

    assert verify_bundle(open_bundle(tmp_path / "out")).ok


def test_a_lock_is_not_taken_from_a_file_that_has_another_name_by_now(tmp_path: Path) -> None:
    held = FileLock(tmp_path / "mark")
    (tmp_path / "mark").replace(tmp_path / "done")
    other = FileLock(tmp_path / "mark")
    with pytest.raises(OutputExists):
        FileLock(tmp_path / "mark")
    other.release()
    held.release()
    FileLock(tmp_path / "mark").release()
