"""What a medium did to README.txt is damage; what a person wrote into it is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bundler.bundle.readme_check import check_readme

_TEXT = b"Bundle plant7 1\nid sha256:0\n1 part, 2.0 KiB\n"


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"", "the first 0 of 44 bytes"),
        (_TEXT[:16], "the first 16 of 44 bytes"),
        (_TEXT[:-1], "the first 43 of 44 bytes"),
        (_TEXT[:10] + bytes(34), "zeros in it"),
        (bytes(4096), "zeros in it"),
    ],
)
def test_damage(tmp_path: Path, raw: bytes, found: str) -> None:
    (tmp_path / "README.txt").write_bytes(raw)
    finding = check_readme(tmp_path, _TEXT)
    assert finding is not None
    assert (finding.check, finding.code, finding.file, finding.mendable) == (
        3,
        "damaged-readme",
        "README.txt",
        True,
    )
    assert finding.found == found


@pytest.mark.parametrize("raw", [_TEXT, _TEXT + b"Ask Kim.\n", b"Ask Kim.", _TEXT.replace(b"\n", b"\r\n")])
def test_what_somebody_may_have_written(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "README.txt").write_bytes(raw)
    assert check_readme(tmp_path, _TEXT) is None


def test_other_things_in_its_place(tmp_path: Path) -> None:
    assert check_readme(tmp_path, _TEXT) is None
    os.mkfifo(tmp_path / "README.txt")
    assert check_readme(tmp_path, _TEXT) is not None
