"""The option --platform, its place in the configuration, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.cli.request import Wishes, read_request
from bundler.content.machine import this_machine
from bundler.errors import ConfigError, UsageError
from bundler.model.platform_choice import PlatformChoice
from bundler.model.platforms import Platform
from bundler.packing.planning.platforms import PlatformWishes
from tests.fakes.layouts import entry, layout_files, write_directory
from tests.fakes.memory import MemorySource, multi_platform
from tests.unit.cli.conftest import Airbundle

CONFIG = "applications: {web: {images: [x:1]}, edge: {images: [x:1], platforms: 'linux/arm64, linux/arm/v7'}}\n"


def wishes(tmp_path: Path, text: str, *options: str) -> PlatformWishes:
    path = tmp_path / "pack.yaml"
    path.write_text(CONFIG + text)
    said = Wishes(None, None, None, None, None, platforms=options or None)
    return read_request([str(path)], said)[1].platforms


@pytest.mark.parametrize(
    ("text", "options", "web", "edge"),
    [
        ("", [], None, "linux/arm64,linux/arm/v7"),
        ("platforms: all", [], "all", "linux/arm64,linux/arm/v7"),
        ("platforms: [linux/s390x, linux/amd64]", [], "linux/s390x,linux/amd64", "linux/arm64,linux/arm/v7"),
        ("platforms: all", ["linux/386"], "linux/386", "linux/386"),
        ("", ["linux/386,linux/arm", "linux/amd64"], *["linux/386,linux/arm,linux/amd64"] * 2),
    ],
)  # fmt: skip
def test_who_says_what_is_taken(tmp_path: Path, text: str, options: list[str], web: str | None, edge: str) -> None:
    found = wishes(tmp_path, text, *options)
    assert str(found.of("edge")) == edge
    assert str(found.of("web")) == (web or str(this_machine()))
    assert found.of("web").is_default is (web is None)


def test_the_default_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for machine, expected in (("x86_64", "linux/amd64"), ("AMD64", "linux/amd64"), ("armv7l", "linux/arm/v7")):
        monkeypatch.setattr("platform.machine", lambda machine=machine: machine)
        assert PlatformWishes().of("web") == PlatformChoice((Platform.parse(expected),), is_default=True)


@pytest.mark.parametrize(
    "text", ["platforms: amd64", "platforms: []", "platforms: [all, linux/amd64]", "platforms: 7"]
)
def test_what_the_configuration_may_not_say(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        wishes(tmp_path, text)


def test_what_the_option_may_not_say(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        wishes(tmp_path, "", "amd64")


@pytest.fixture
def multi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A layout with an image for three platforms, and with one for arm64 that has no index."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    memory = MemorySource()
    images = [
        multi_platform(memory, "multi.test/web:1"),
        memory.make_image([b"1"], "multi.test/lone:1", platform="linux/arm64"),
    ]
    entries = [entry(image, str(image.reference)) for image in images]
    return write_directory(tmp_path / "multi", layout_files(memory, entries))


def test_the_plan_says_what_is_taken_and_why(airbundle: Airbundle, multi: Path) -> None:
    said = airbundle("plan", f"a=oci:{multi}:multi.test/web:1")
    assert "linux/amd64 (of 3)" in said.out
    assert "platform linux/amd64, this machine's platform" in said.out
    assert "--platform takes others" in said.out
    assert said.err == ""
    said = airbundle("plan", f"a=oci:{multi}:multi.test/web:1", "--platform", "linux/s390x,linux/arm64")
    assert "linux/arm64,linux/s390x (of 3)" in said.out
    assert "platform linux/s390x,linux/arm64, as was asked" in said.out
    said = airbundle("plan", f"a=oci:{multi}:multi.test/web:1", "--platform", "all")
    assert "platform all platforms, as was asked" in said.out


def test_a_foreign_image_is_warned_about(airbundle: Airbundle, multi: Path, tmp_path: Path) -> None:
    name = f"a=oci:{multi}:multi.test/lone:1"
    for words in (["plan", name], ["pack", name, "-o", tmp_path / "out"]):
        assert "qemu-aarch64" in airbundle(*words).err
        if words[0] == "plan":
            (image,) = airbundle(*words, "--json").document["applications"][0]["images"]
            assert (image["platforms"], image["platform_reason"]) == (
                ["linux/arm64"],
                "the only one that the image has",
            )
            assert "qemu-aarch64" in image["notes"][0]
    assert airbundle("plan", name, "--platform", "linux/arm64").err == ""
    assert "what was asked for runs linux/s390x" in airbundle("plan", name, "--platform", "linux/s390x").err


def test_a_platform_that_is_not_there(airbundle: Airbundle, multi: Path) -> None:
    said = airbundle("plan", f"a=oci:{multi}:multi.test/web:1", "--platform", "linux/ppc64le", status=2)
    assert "it has: linux/amd64, linux/arm64, linux/s390x" in said.err


def test_inspect_says_that_there_was_more(airbundle: Airbundle, multi: Path, tmp_path: Path) -> None:
    airbundle("pack", f"a=oci:{multi}", "-o", tmp_path / "out")
    assert "linux/amd64 of more" in airbundle("inspect", tmp_path / "out").out
    document = airbundle("inspect", tmp_path / "out", "--json").document
    assert [len(image["left_out"]) for image in document["applications"][0]["images"]] == [0, 4]
    readme = (tmp_path / "out/README.txt").read_text()
    assert "--override-os linux --override-arch amd64 copy --preserve-digests" in readme
    assert "  - multi.test/web:1: linux/amd64" in readme


def test_a_pack_of_other_platforms_does_not_go_on(airbundle: Airbundle, multi: Path, tmp_path: Path) -> None:
    name = f"a=oci:{multi}:multi.test/web:1"
    airbundle("pack", name, "-o", tmp_path / "out")
    airbundle("pack", name, "-o", tmp_path / "out", "--platform", "linux/amd64")
    said = airbundle("pack", name, "-o", tmp_path / "out", "--platform", "linux/arm64", status=2)
    assert "output-exists" in airbundle(
        "pack", name, "-o", tmp_path / "out", "--platform", "all", "--json", status=2
    ).err  # fmt: skip
    assert "exists" in said.err or "holds" in said.err


def test_what_is_the_same_for_many_images_is_said_once(
    airbundle: Airbundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    memory = MemorySource()
    images = [memory.make_image([b"1"], f"multi.test/lone:{tag}", platform="linux/arm64") for tag in range(7)]
    entries = [entry(image, str(image.reference)) for image in images]
    layout = write_directory(tmp_path / "many", layout_files(memory, entries))
    (line,) = airbundle("plan", f"a=oci:{layout}").err.splitlines()
    assert "multi.test/lone:4 and 2 more: " in line
