"""A pack that is killed at random moments, and started again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bundler.bundle.reader import open_bundle
from bundler.content.hashing import sha256
from tests.builders import contents_of, layer
from tests.fakes.engine_archives import tar
from tests.fakes.layouts import entry, layout_files, write_directory
from tests.fakes.memory import MemorySource, make_config
from tests.faults.kills import Command, Killer

MIB = 1 << 20
PART_BYTES = 3 * MIB
_BASE = layer("base", 5 * MIB)
_LAYERS = {name: [_BASE, layer(f"{name}1", 2 * MIB), layer(f"{name}2", 4 * MIB)] for name in ("a", "b")}
#: What one run may have written that the next one writes again, besides a blob: headers and tables.
_SMALL = 64 << 10


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two applications over one layer, in a layout: their blobs are taken as they are."""
    source = MemorySource()
    made = [source.make_image(layers, f"x.test/{name}:1") for name, layers in _LAYERS.items()]
    path = write_directory(
        tmp_path_factory.mktemp("layout"), layout_files(source, [entry(one, str(one.reference)) for one in made])
    )
    return [f"{name}=oci:{path}:x.test/{name}:1" for name in _LAYERS]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The same in engine form: layers are compressed here, and read together."""
    files: dict[str, bytes] = {}
    table = []
    for name, layers in _LAYERS.items():
        config = make_config(layers)
        blobs = {f"blobs/sha256/{sha256(data).hex}": data for data in (config, *layers)}
        files |= blobs
        table.append({"Config": next(iter(blobs)), "RepoTags": [f"x.test/{name}:1"], "Layers": list(blobs)[1:]})
    path = tmp_path_factory.mktemp("saved") / "saved.tar"
    path.write_bytes(tar({**files, "manifest.json": json.dumps(table).encode()}))
    return [f"{name}=docker-archive:{path}:x.test/{name}:1" for name in _LAYERS]


def on_disk(output: Path) -> int:
    """Return how many bytes of parts lie there, whole or not."""
    return sum(path.stat().st_size for path in output.glob("*.oci.tar*")) if output.exists() else 0


@pytest.fixture(scope="module")
def reused(saved: list[str], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The same where one of the two is in an older bundle, and a cache takes and gives what it can."""
    place = tmp_path_factory.mktemp("reused")
    Command.of("pack", saved[0], "-o", place / "old", "--json", "--quiet").finish()
    return [*saved, "--reuse", str(place / "old"), "--cache", str(place / "cache"), "--cache-size", "8MiB"]


@pytest.mark.parametrize("form", ["layout", "saved", "reused"])
def test_pack(form: str, request: pytest.FixtureRequest, tmp_path: Path, kills: int) -> None:
    images: list[str] = request.getfixturevalue(form)

    def command(output: Path) -> Command:
        return Command.of("pack", *images, "--part-size", PART_BYTES, "-o", output, "--json", "--quiet")

    seconds = command(tmp_path / "right").seconds()
    right = contents_of(tmp_path / "right")
    largest = max(blob.size for blob in open_bundle(tmp_path / "right").manifest.blobs)
    killer = Killer(kills // 2, form)
    number = 0
    while killer.goes_on:
        number += 1
        output = tmp_path / str(number)
        killer.kill(command(output), seconds)
        there = on_disk(output)
        said = command(output).finish()
        assert {name: data for name, data in contents_of(output).items() if "journal" not in name} == right
        assert there - said["bytes_kept"] <= largest + _SMALL, "no more than one blob is written twice"
