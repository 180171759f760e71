"""The command, run in this process on small inputs."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from bundler.cli.main import main
from tests.builders import SMALL, TwoApplications, layer
from tests.fakes.layouts import entry, layout_files, write_directory
from tests.fakes.memory import MemorySource


@dataclass(frozen=True)
class Said:
    """What one run printed, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The one JSON object on stderr."""
        (line,) = self.err.splitlines()
        return dict(json.loads(line)["error"])


class Airbundle(Protocol):
    """Runs the command."""

    def __call__(self, *arguments: object, status: int = 0) -> Said:
        """Run it; fail unless it exits with ``status``."""


@pytest.fixture
def airbundle(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Airbundle]:
    monkeypatch.setenv("COLUMNS", "200")
    before = signal.getsignal(signal.SIGTERM)

    def run(*arguments: object, status: int = 0) -> Said:
        capsys.readouterr()
        found = main([str(argument) for argument in arguments])
        sys.stdout.flush()
        captured = capsys.readouterr()
        assert found == status, captured
        return Said(found, captured.out, captured.err)

    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of two applications."""
    TwoApplications().pack(tmp_path / "bundle", SMALL)
    return tmp_path / "bundle"


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """An OCI layout with the images ``reg.test/x:1`` and ``reg.test/y:1``, which share a layer."""
    source = MemorySource()
    images = [
        source.make_image([layer("base", 90_000), layer(name, 2000)], f"reg.test/{name}:1") for name in ("x", "y")
    ]
    files = layout_files(source, [entry(image, str(image.reference)) for image in images])
    return write_directory(tmp_path / "layout", files)
