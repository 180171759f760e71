"""What bundle.json says of platforms that were not taken, and what verify makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundler.api.one_by_one import each_once
from bundler.bundle.manifest import parse_bundle_manifest
from bundler.bundle.reader import open_bundle
from bundler.bundle.verify import verify_bundle
from bundler.errors import MalformedDocument
from bundler.model.platform_choice import PlatformChoice
from bundler.model.platforms import Platform
from tests.builders import pack_images, rewrite
from tests.compat.second_reader import Bundle as SecondReader
from tests.fakes.memory import MemorySource, multi_platform

ARM64 = PlatformChoice((Platform.parse("linux/arm64"),))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    memory = MemorySource()
    multi_platform(memory, "web:1")
    pack_images(tmp_path / "bundle", memory, {"web": memory.resolve("web:1", ARM64)})
    return tmp_path / "bundle"


def image_of(table: dict[str, Any]) -> dict[str, Any]:
    image: dict[str, Any] = table["applications"][0]["images"][0]
    return image


def test_what_was_chosen_is_whole(bundle: Path) -> None:
    (image,) = open_bundle(bundle).manifest.applications[0].images
    assert image.platforms == ("linux/arm64",)
    assert len(image.left_out) == 4
    assert list(image.left_out) == sorted(image.left_out)
    assert verify_bundle(open_bundle(bundle), "deep").ok
    assert SecondReader(bundle).verify() == []


def test_what_nobody_chose_has_no_such_key(tmp_path: Path) -> None:
    memory = MemorySource()
    pack_images(tmp_path / "all", memory, {"web": [multi_platform(memory, "web:1")]})
    assert b"left_out" not in (tmp_path / "all/bundle.json").read_bytes()


def _forget_one(image: dict[str, Any]) -> None:
    image["left_out"].pop()


def _invent_one(image: dict[str, Any]) -> None:
    image["left_out"] = sorted([*image["left_out"], f"sha256:{'0' * 64}"])


@pytest.mark.parametrize(("lie", "code"), [(_forget_one, "not-in-bundle"), (_invent_one, "not-in-image")])
def test_verify_compares_it_with_the_index(bundle: Path, lie: Callable[[dict[str, Any]], None], code: str) -> None:
    rewrite(bundle, lambda table: lie(image_of(table)))
    findings = verify_bundle(open_bundle(bundle), "full").findings
    assert [(finding.check, finding.code) for finding in findings] == [(6, code)]
    assert [check for check, _, _ in SecondReader(bundle).verify()] == [6]


def test_without_the_key_nothing_is_said(bundle: Path) -> None:
    rewrite(bundle, lambda table: image_of(table).pop("left_out"))
    assert verify_bundle(open_bundle(bundle), "full").ok


def test_what_is_there_cannot_be_left_out(bundle: Path) -> None:
    rewrite(bundle, lambda table: image_of(table)["left_out"].append(image_of(table)["blobs"][0]))
    with pytest.raises(MalformedDocument, match="both has and leaves out"):
        parse_bundle_manifest((bundle / "bundle.json").read_bytes())


def test_applications_with_platforms_of_their_own_go_together(tmp_path: Path) -> None:
    memory = MemorySource()
    multi_platform(memory, "web:1")
    amd64 = PlatformChoice((Platform.parse("linux/amd64"),))
    images = {"edge": memory.resolve("web:1", ARM64), "web": memory.resolve("web:1", amd64)}
    pack_images(tmp_path / "both", memory, images)
    opened = open_bundle(tmp_path / "both")
    (found,) = opened.resolve("web:1")
    assert found.digests == images["edge"][0].digests | images["web"][0].digests
    (image,) = each_once(opened.images())
    assert image.platforms == ("linux/amd64", "linux/arm64")
    assert set(image.blobs) == found.digests
    assert len(image.left_out) == 2
    assert image.blobs[0] == image.descriptor.digest
    (edge,) = each_once(opened.images(["edge"]))
    assert edge == opened.manifest.applications[0].images[0]


def test_a_bundle_as_a_source_gives_what_it_has(bundle: Path) -> None:
    opened = open_bundle(bundle)
    (found,) = opened.resolve("web:1", ARM64)
    assert set(opened.manifest.applications[0].images[0].blobs) == found.digests
