"""What users may call an image of a layout, and which entries that finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.errors import InvalidReference
from bundler.sources.layout_names import LayoutNames
from bundler.transports.layout_files import DirectoryFiles
from bundler.transports.oci_layout import OciLayout
from tests.fakes.layouts import entry, layout_files, write_directory
from tests.fakes.memory import MemorySource

#: What ``ref.name`` says of each image; the last two are one image.
_NAMES = ["reg.test/web:1", "2", "busybox:1", "reg.test/web:1", "Not A Name", "reg.test/tools:3"]


@pytest.fixture
def layout(tmp_path: Path) -> OciLayout:
    memory = MemorySource()
    images = [memory.make_image([b"%d" % number], f"x{number}") for number in range(len(_NAMES) - 1)]
    images.append(images[-1])
    files = layout_files(memory, [entry(image, name, None) for image, name in zip(images, _NAMES, strict=True)])
    return OciLayout(DirectoryFiles(write_directory(tmp_path / "own", files)), "own")


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("reg.test/web:1", [0, 3]),
        ("2", [1]),
        ("own:2", [1]),
        ("docker.io/library/own:2", [1]),
        ("busybox:1", [2]),
        ("docker.io/library/busybox:1", [2]),
        ("Not A Name", [4]),
        ("reg.test/web", []),
        ("reg.test/web:9", []),
    ],
)
def test_by_name(layout: OciLayout, name: str, places: list[int]) -> None:
    assert LayoutNames(layout).find(name) == [layout.entries[place] for place in places]


def test_by_digest(layout: OciLayout) -> None:
    names, digests = LayoutNames(layout), [one.descriptor.digest for one in layout.entries]
    assert names.find(f"@{digests[0]}") == [layout.entries[0]]
    assert names.find(f"@{digests[4]}") == [layout.entries[4], layout.entries[5]]
    assert names.find(f"reg.test/web@{digests[0]}") == [layout.entries[0]]
    assert names.find(f"reg.test/web:1@{digests[0]}") == [layout.entries[0]]
    # The same bytes under another name, or another tag, are not what was asked for.
    assert names.find(f"reg.test/tools@{digests[4]}") == [layout.entries[5]]
    assert names.find(f"reg.test/web:2@{digests[0]}") == []
    assert names.find(f"reg.test/other@{digests[0]}") == []
    assert names.find(f"@sha256:{'0' * 64}") == []


@pytest.mark.parametrize("name", ["Also No Name", "@sha256:short"])
def test_what_is_no_name(layout: OciLayout, name: str) -> None:
    with pytest.raises(InvalidReference):
        LayoutNames(layout).find(name)
