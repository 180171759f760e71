"""What a disk still takes, and what a file has taken already."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.content.free_space import free_bytes, taken_bytes
from bundler.errors import AirbundleError


def test_free_below_a_directory_that_does_not_exist_yet(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "a" / "b" / "c") > 0
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(AirbundleError):
        free_bytes(tmp_path / "file" / "x")


def test_a_hole_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert taken_bytes(path) == 0
    path.write_bytes(bytes(range(256)) * 400)
    assert taken_bytes(path) == 256 * 400
    with path.open("r+b") as file:
        file.seek(10 << 20)
        file.write(b"x")
    assert 256 * 400 < taken_bytes(path) <= 10 << 20
