"""A pack that is killed, at several moments, and started again."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.errors import IncompleteBundle, NotABundle
from tests.builders import check_left, contents_of, layer
from tests.fakes.layouts import entry, layout_files, write_directory
from tests.fakes.memory import MemorySource

MIB = 1 << 20
SIZE = 24 * MIB


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command line without its output: two applications over one layer."""
    source = MemorySource()
    base = layer("base", SIZE // 3)
    images = [
        source.make_image([base, layer(name, SIZE // 3)], f"x.test/{name}:1", compression="none")
        for name in ("a", "b")
    ]
    files = layout_files(source, [entry(image, str(image.reference)) for image in images])
    layout = write_directory(tmp_path_factory.mktemp("layout"), files)
    wanted = [f"{name}=oci:{layout}:x.test/{name}:1" for name in ("a", "b")]
    return [sys.executable, "-m", "bundler", "pack", *wanted, "--part-size", "1MiB", "--quiet"]


def start(command: list[str], output: Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    return subprocess.Popen([*command, "-o", str(output)], cwd=root, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    _, err = process.communicate(timeout=60)
    return process.returncode, err


def written(output: Path) -> int:
    """Return how many bytes lie there now."""
    total = 0
    for path in list(output.iterdir()) if output.exists() else []:
        with contextlib.suppress(FileNotFoundError):  # it has another name by now
            total += path.stat().st_size
    return total


def stop_when(process: subprocess.Popen[bytes], output: Path, size: int, number: signal.Signals) -> int:
    """Send a signal as soon as so many bytes were written, or the process has ended; return its status."""
    deadline = time.monotonic() + 60
    while process.poll() is None and written(output) < size:
        assert time.monotonic() < deadline
    process.send_signal(number)
    return finish(process)[0]


def test_killed_again_and_again(command: list[str], tmp_path: Path) -> None:
    assert finish(start(command, tmp_path / "right")) == (0, b"")
    output, killed = tmp_path / "out", 0
    for size in (1, 1, SIZE // 9, SIZE // 5, SIZE // 3, SIZE // 2, 2 * SIZE // 3, SIZE - MIB):
        status = stop_when(start(command, output), output, size, signal.SIGKILL)
        if (output / "bundle.json").exists():
            break  # it was quicker than the one who watched
        assert status == -signal.SIGKILL
        killed += 1
        with pytest.raises((IncompleteBundle, NotABundle)):
            open_bundle(output)
    assert killed >= 4
    if not (output / "bundle.json").exists():
        assert finish(start(command, output)) == (0, b"")
    assert verify_bundle(open_bundle(output), "deep").ok
    assert contents_of(output) == contents_of(tmp_path / "right")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(command: list[str], tmp_path: Path, number: signal.Signals) -> None:
    process = start(command, tmp_path / "out")
    deadline = time.monotonic() + 60
    while process.poll() is None and written(tmp_path / "out") < SIZE // 4:
        assert time.monotonic() < deadline
    process.send_signal(number)
    status, err = finish(process)
    assert status == 130
    assert err.startswith(b"airbundle: error: interrupted")
    assert b"Traceback" not in err
    assert finish(start(command, tmp_path / "right")) == (0, b"")
    check_left(tmp_path / "out", contents_of(tmp_path / "right"))
    assert finish(start(command, tmp_path / "out")) == (0, b"")
    assert contents_of(tmp_path / "out") == contents_of(tmp_path / "right")
