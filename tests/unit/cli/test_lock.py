"""``lock``, and ``pack`` and ``plan`` with what it wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bundler.bundle.reader import open_bundle
from tests.builders import layer as make_layer
from tests.fakes.layouts import entry, layout_files, write_directory
from tests.fakes.memory import MemorySource
from tests.unit.cli.conftest import Airbundle


@pytest.fixture
def config(layout: Path, tmp_path: Path) -> Path:
    path = tmp_path / "project" / "plant7.yaml"
    path.parent.mkdir()
    lines = [
        "applications:",
        "  one:",
        "    images:",
        f'    - {{image: "oci:{layout}:reg.test/x:1", smoke: [x, -v]}}',
    ]
    path.write_text("\n".join([*lines, f"    - oci:{layout}:reg.test/y:1", ""]))
    return path


def change(layout: Path) -> None:
    """Put other images under the same names."""
    source = MemorySource()
    images = [source.make_image([make_layer("new", 500)], f"reg.test/{name}:1") for name in ("x", "y")]
    layout.rename(layout.with_name("before"))
    write_directory(layout, layout_files(source, [entry(image, str(image.reference)) for image in images]))


def test_it_lies_beside_the_configuration(airbundle: Airbundle, config: Path) -> None:
    said = airbundle("lock", config, "two=oci:" + str(config.parent.parent / "layout"))
    lock = config.parent / "airbundle.lock"
    assert f"{lock} locks 3 images, 3 of them otherwise" in said.out
    assert [one["application"] for one in json.loads(lock.read_bytes())["images"]] == ["one", "one", "two"]
    again = airbundle("lock", config, "--json").document
    assert (again["lock"], again["images"]) == (str(lock), 2)
    assert [(one["kind"], one["image"][:4]) for one in again["changes"]] == [("removed", "oci:")]
    assert "is up to date" in airbundle("lock", config, "--check").out


def test_a_link_and_rights_stay(airbundle: Airbundle, config: Path) -> None:
    lock, kept = config.parent / "airbundle.lock", config.parent / "kept.lock"
    lock.symlink_to(kept.name)
    airbundle("lock", config)
    assert lock.is_symlink()
    kept.chmod(0o600)
    config.write_text(config.read_text().replace("one:", "two:"))
    airbundle("lock", config)
    assert lock.is_symlink()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert json.loads(kept.read_bytes())["images"][0]["application"] == "two"


def test_what_changed_is_said_and_refused(
    airbundle: Airbundle, config: Path, layout: Path, tmp_path: Path
) -> None:
    airbundle("lock", config, "-o", tmp_path / "my.lock", "-q")
    options = ["--lock-file", tmp_path / "my.lock"]
    airbundle("pack", config, *options, "-o", tmp_path / "out")
    image = open_bundle(tmp_path / "out").manifest.applications[0].images[0]
    assert (image.reference, image.smoke) == ("reg.test/x:1", ("x", "-v"))
    airbundle("plan", config, *options)
    change(layout)
    said = airbundle("lock", config, "--check", "-o", tmp_path / "my.lock", status=7)
    assert said.out.count("changed  ") == 2
    assert "2 of its images would change" in said.err
    for command in (["plan", config], ["pack", config, "-o", tmp_path / "out2"]):
        said = airbundle(*command, *options, "--json", status=7)
        assert said.error["code"] == "lock-refused"
    assert not (tmp_path / "out2").exists()


def test_no_lock_and_none_that_is_one(airbundle: Airbundle, config: Path) -> None:
    said = airbundle("plan", config, "--locked", "--json", status=2)
    assert "airbundle lock" in said.error["advice"]
    (config.parent / "airbundle.lock").write_text("{}")
    assert airbundle("plan", config, "--locked", "--json", status=2).error["code"] == "config"
    airbundle("lock", config, status=2)


def test_entries_that_contradict_themselves(airbundle: Airbundle, tmp_path: Path) -> None:
    for number, image in enumerate(
        [
            "{image: a, version: latest}",
            "{image: a, tags: '*', version: '1'}",
            "{image: a, smoke: ['']}",
            "{name: a}",
        ]
    ):
        path = tmp_path / f"{number}.yaml"
        path.write_text(f"applications: {{a: {{images: [{image}]}}}}\n")
        assert airbundle("lock", path, "--json", status=2).error["code"] == "config"


def test_inspect_and_plan_say_what_smoke_tests_there_are(
    airbundle: Airbundle, config: Path, tmp_path: Path
) -> None:
    (planned, other) = airbundle("plan", config, "--json").document["applications"][0]["images"]
    assert (planned["smoke"], "smoke" in other) == (["x", "-v"], False)
    airbundle("pack", config, "-o", tmp_path / "out", "-q")
    (image, other) = airbundle("inspect", tmp_path / "out", "--json").document["applications"][0]["images"]
    assert (image["smoke"], "smoke" in other) == (["x", "-v"], False)
    # Another smoke test is another bundle.
    config.write_text(config.read_text().replace("-v", "-t"))
    said = airbundle("pack", config, "-o", tmp_path / "out", status=2)
    assert "already holds another bundle" in said.err
