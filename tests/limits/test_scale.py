"""Ten times as many images cost ten times as much, not a hundred times; and no limit stands in the way of many.

Counted are the lines of Python that run, also those of a loop in one line, and how often documents are read: both
are the same on every machine.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from bundler.cli.main import main
from tests.many_images import ManyImages

_FEW, _MANY = ManyImages(100), ManyImages(1000)
#: Lines for ten times as many images; what a run costs in any case makes it less than ten times as many.
_MOST = 10.5


class _Work:
    """What one run of the command did in the main thread."""

    def __init__(self) -> None:
        self.lines = 0
        self.calls: Counter[str] = Counter()

    def of(self, *arguments: object) -> _Work:
        """Run the command to a good end."""
        before = sys.gettrace()
        sys.settrace(self._call)
        try:
            status = main([*map(str, arguments), "--quiet"])
        finally:
            sys.settrace(before)
        assert status == 0, arguments
        return self

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        self.calls[frame.f_code.co_name] += 1
        return self._line

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self.lines += 1
        return self._line


def _configuration(path: Path, images: ManyImages, source: str) -> Path:
    """Write a configuration that names every image; return its path."""
    rows = "".join(f"      - {source}:{images.name(number)}\n" for number in range(images.images))
    path.write_text(f"applications:\n  many:\n    images:\n{rows}")
    return path


@pytest.fixture(scope="module", params=["oci", "docker-archive"])
def sources(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The names of two sources, of few images and of many."""
    folder = tmp_path_factory.mktemp("sources")
    names = []
    for images in (_FEW, _MANY):
        path = folder / str(images.images)
        written = images.write_layout(path) if request.param == "oci" else images.write_docker_archive(path)
        names.append(f"{request.param}:{written}")
    return names[0], names[1]


def test_a_plan_of_all_images_of_a_source(sources: tuple[str, str]) -> None:
    few, many = (_Work().of("plan", f"many={source}") for source in sources)
    assert many.lines < _MOST * few.lines
    # Once more where a table may list what refers to images: whether a manifest does, it says itself.
    assert many.calls["parse_manifest"] <= 3 * _MANY.images + 1
    assert many.calls["parse_image_config"] <= _MANY.images


def test_a_plan_that_names_every_image(sources: tuple[str, str], tmp_path: Path) -> None:
    few, many = (
        _Work().of("plan", _configuration(tmp_path / f"{images.images}.yaml", images, source))
        for images, source in zip((_FEW, _MANY), sources, strict=True)
    )
    assert many.lines < _MOST * few.lines
    assert many.calls["parse_manifest"] <= 3 * _MANY.images + 1


@pytest.mark.parametrize("command", [["inspect"], ["verify", "--level", "quick"]])
def test_the_table_of_a_bundle(tmp_path: Path, command: list[str]) -> None:
    few, many = (
        _Work().of(*command, images.write_bundle(tmp_path / str(images.images))) for images in (_FEW, _MANY)
    )
    assert many.lines < _MOST * few.lines
    assert many.calls["parse_bundle_manifest"] == 1, "bundle.json and its copy hold the same"
