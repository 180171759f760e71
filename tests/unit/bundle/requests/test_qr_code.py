"""QR codes: what another program reads from the picture is the request."""

from __future__ import annotations

import builtins
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bundler.bundle.requests.qr_code import TOO_LARGE, QrCode, check_for_library, make_qr_code
from bundler.bundle.requests.request_file import write_request
from bundler.cli.request_view import draw
from bundler.errors import UsageError
from tests.builders import noise
from tests.requirements import require, why_no_program
from tests.unit.bundle.requests.test_request_file import REQUEST


def read_by_zbar(picture: Path) -> bytes:
    """Read the code in a picture with a program that has nothing to do with the one that made it."""
    require(why_no_program("zbarimg"))
    # It asks the desktop for a bus, and complains when there is none.
    found = subprocess.run(
        ["zbarimg", "--quiet", "--raw", "--oneshot", "-Sbinary", str(picture)],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return found.stdout


def picture_of(rows: list[list[bool]], path: Path) -> Path:
    """Write modules as a picture, in the plainest format that there is."""
    scale = 4
    lines = [b"".join((b"\1" if dark else b"\0") * scale for dark in row) for row in rows for _ in range(scale)]
    header = f"P5 {len(lines[0])} {len(lines)} 255\n".encode()
    path.write_bytes(header + b"".join(line.replace(b"\0", b"\xff").replace(b"\1", b"\0") for line in lines))
    return path


def modules_of(lines: list[str]) -> list[list[bool]]:
    """Read back what half blocks show on a dark terminal: ink is light."""
    halves = {" ": (True, True), "▄": (True, False), "▀": (False, True), "█": (False, False)}
    return [[halves[char][half] for char in line] for line in lines for half in (0, 1)]


def code_for(size: int) -> tuple[bytes, QrCode]:
    data = bytes(33 + value % 90 for value in noise(f"qr{size}", size))
    return data, make_qr_code(data)


def test_a_request(tmp_path: Path) -> None:
    raw = write_request(REQUEST)
    (tmp_path / "request.png").write_bytes(make_qr_code(raw).png)
    assert read_by_zbar(tmp_path / "request.png") == raw


@pytest.mark.parametrize("size", [1, 200, 1000, TOO_LARGE - 1])
def test_sizes(tmp_path: Path, size: int) -> None:
    data, code = code_for(size)
    (tmp_path / "code.png").write_bytes(code.png)
    assert read_by_zbar(tmp_path / "code.png") == data


@pytest.mark.parametrize("size", [20, 300, TOO_LARGE - 1])
def test_what_the_terminal_shows(tmp_path: Path, size: int) -> None:
    data, code = code_for(size)
    lines = draw(code)
    assert len({len(line) for line in lines}) == 1
    assert modules_of(lines)[: len(code.rows)] == [list(row) for row in code.rows]
    assert read_by_zbar(picture_of(modules_of(lines), tmp_path / "code.pgm")) == data


def test_larger_ones_are_refused() -> None:
    with pytest.raises(UsageError, match="2048 bytes are too many for a QR code: 2047 are the most"):
        make_qr_code(bytes(TOO_LARGE))


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import_module = builtins.__import__

    def without_segno(name: str, *rest: Any) -> Any:
        if name == "segno":
            raise ImportError(name)
        return import_module(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_segno)
    for attempt in (check_for_library, lambda: make_qr_code(b"x")):
        with pytest.raises(UsageError, match="segno") as caught:
            attempt()
        assert "airbundle[qr]" in str(caught.value.advice)
