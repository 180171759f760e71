"""From the words of the command line and the configuration to a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.cli.request import Wishes, read_request
from bundler.content.compression import Encoder
from bundler.errors import UsageError

NOTHING = Wishes(None, None, None, None, None)


def _encoder(wishes: Wishes, config: str = "", directory: Path | None = None) -> Encoder:
    items = ["a=busybox:1"]
    if directory is not None:
        path = directory / "pack.yaml"
        path.write_text(f"applications: {{b: {{images: [busybox:1]}}}}\n{config}\n")
        items.append(str(path))
    return read_request(items, wishes)[1].encoder


def test_small_is_a_recipe_of_its_own(tmp_path: Path) -> None:
    assert _encoder(NOTHING) == Encoder.choose()
    small = Wishes(None, None, None, None, None, small=True)
    assert small.has_options
    assert _encoder(small) == Encoder.small() == _encoder(NOTHING, "small: true", tmp_path)


def test_the_command_line_goes_before_the_configuration(tmp_path: Path) -> None:
    level = Wishes(None, None, None, None, 5)
    assert _encoder(level, "small: true", tmp_path) == Encoder.choose("zstd", 5)
    gzip = Wishes(None, None, None, "gzip", None)
    assert _encoder(gzip, "small: true", tmp_path) == Encoder.choose("gzip")
    small = Wishes(None, None, None, None, None, small=True)
    assert _encoder(small, "compression: gzip", tmp_path) == Encoder.small()


@pytest.mark.parametrize(("compression", "level"), [("gzip", None), (None, 9), ("zstd", 3)])
def test_small_contradicts_a_recipe(compression: str | None, level: int | None) -> None:
    with pytest.raises(UsageError):
        _encoder(Wishes(None, None, None, compression, level, small=True))
