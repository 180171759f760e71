"""Files in the shapes of real projects, and what discover says of them."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from bundler.packing.planning.config import read_config
from tests.unit.cli.conftest import Airbundle
from tests.unit.discover.cases import CASES, Case

MARKS = ("guess", "build")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variables of whoever runs the tests, and no helm."""
    for name in list(os.environ):
        if name not in ("HOME", "TMPDIR", "COLUMNS"):
            monkeypatch.delenv(name)


def prepare(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case.directory)
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(case.standard_input)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_found(case: Case, airbundle: Airbundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prepare(case, monkeypatch)
    if case.refusal:
        error = airbundle("discover", *case.arguments, "--json", status=2).error
        assert case.refusal in error["message"]
        return
    document = airbundle("discover", *case.arguments, "--json").document
    found = {
        " ".join([application["name"], *(mark for mark in MARKS if image[mark]), image["reference"]])
        for application in document["applications"]
        for image in application["images"]
    }
    assert found == case.images
    unsaid = [note for note in case.notes if not any(note in said for said in document["notes"])]
    assert not unsaid, document["notes"]
    # Whatever is printed is a configuration, and names the same images.
    prepare(case, monkeypatch)
    (tmp_path / "pack.yaml").write_text(airbundle("discover", *case.arguments).out)
    config = read_config(tmp_path / "pack.yaml")
    assert {name: list(one.images) for name, one in config.applications.items()} == {
        application["name"]: [image["image"] for image in application["images"]]
        for application in document["applications"]
    }


def test_there_are_enough() -> None:
    assert len(CASES) >= 60
