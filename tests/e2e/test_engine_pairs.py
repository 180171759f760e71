"""From each kind of engine into each kind of engine: what stays is what the stores of the two can keep.

Three kinds: the machine's own, engine 26 with the classic store, engine 26 with containerd's. A classic store has
no manifests: an image is known there by the digest of its config. A containerd store knows it by the digest of its
manifest or index. Both check what they are given only in part, so each pair is looked at with the engine's eyes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.e2e import bundles, layouts
from tests.e2e.command import Airbundle
from tests.servers.engine import RealEngine, import_busybox
from tests.servers.registry import RealRegistry

OWN, CLASSIC_26, CONTAINERD_26 = "own", "classic 26", "containerd 26"
KINDS = (OWN, CLASSIC_26, CONTAINERD_26)
_FIXTURES = {OWN: "second_engine", CLASSIC_26: "engine_26", CONTAINERD_26: "engine_26_containerd"}
_BASE = "airbundle.test/pairs/base:1"
_SAYS = "all of it arrived\n"
#: What must be the same in every engine's eyes, whatever it knows the image by.
_KEPT = ("Cmd", "Env", "Labels", "WorkingDir")


@dataclass(frozen=True)
class Packed:
    """A bundle of one image, and what the engine that it came from said of the image (``{}`` for a registry)."""

    bundle: Path
    name: str
    facts: dict[str, Any]
    kept_manifest: bool

    @property
    def image(self) -> dict[str, Any]:
        return bundles.images(self.bundle)[self.name]


class Kinds:
    """The engines, each started when the first test needs it, and one bundle from each."""

    def __init__(self, request: pytest.FixtureRequest, airbundle: Airbundle, directory: Path) -> None:
        self._request = request
        self._airbundle = airbundle
        self._directory = directory
        self._packed: dict[str, Packed] = {}

    def engine(self, kind: str) -> RealEngine:
        engine: RealEngine = self._request.getfixturevalue(_FIXTURES[kind])
        return engine

    def command(self, engine: RealEngine) -> Airbundle:
        return self._airbundle.with_environment(DOCKER_HOST=engine.host)

    def packed(self, kind: str) -> Packed:
        """Return a bundle of an image that an engine of this kind built; it does not have it any more."""
        if kind not in self._packed:
            engine = self.engine(kind)
            name = f"airbundle.test/pairs/{kind.replace(' ', '-')}:1"
            bundle = self._directory / kind
            engine.empty()
            _build(engine, name, self._directory / f"context {kind}")
            self.command(engine)("pack", f"app=docker-daemon:{name}", "-o", bundle)
            self._packed[kind] = Packed(bundle, name, engine.facts(name), engine.keeps_digests)
        return self._packed[kind]


@pytest.fixture(scope="module")
def kinds(
    request: pytest.FixtureRequest, shared_airbundle: Airbundle, tmp_path_factory: pytest.TempPathFactory
) -> Kinds:
    """The three kinds."""
    return Kinds(request, shared_airbundle, tmp_path_factory.mktemp("pairs"))


def _build(engine: RealEngine, name: str, context: Path, says: str = _SAYS) -> None:
    """Make an image of three layers, with the engine's own builder."""
    context.mkdir()
    import_busybox(engine.client, _BASE)
    (context / "first").write_text(says)
    (context / "second").write_bytes(bytes(range(256)) * 2_000)
    (context / "Dockerfile").write_text(
        f'FROM {_BASE}\nCOPY first /srv/first\nCOPY second /srv/second\nLABEL maker="airbundle"\n'
        'ENV WHERE=far\nWORKDIR /srv\nCMD ["cat", "/srv/first"]\n'
    )
    engine.client.images.build(path=str(context), tag=name, rm=True, forcerm=True)


def _only(document: Any) -> dict[str, Any]:
    (image,) = document["images"]
    return dict(image)


# ---- the nine pairs ----------------------------------------------------------------------


@pytest.mark.parametrize("far", KINDS)
@pytest.mark.parametrize("near", KINDS)
def test_what_one_engine_has_another_one_gets(kinds: Kinds, near: str, far: str, tmp_path: Path) -> None:
    packed, engine = kinds.packed(near), kinds.engine(far)
    airbundle = kinds.command(engine)
    engine.empty()

    loaded = airbundle("load", packed.bundle, "--json").json
    facts = engine.facts(packed.name)
    _check_loaded(packed, engine, facts)
    assert _only(loaded)["status"] == "loaded"
    assert _only(loaded)["image_id"] == facts["Id"]
    assert loaded["bytes_sent"] > 1_000_000

    again = airbundle("load", packed.bundle, "--json").json
    assert (_only(again)["status"], again["bytes_sent"]) == ("skipped", 0)
    assert _only(again)["image_id"] == facts["Id"]

    airbundle("pack", f"app=docker-daemon:{packed.name}", "-o", tmp_path / "back")
    _check_packed_again(packed, engine, bundles.images(tmp_path / "back")[packed.name])


def _check_loaded(packed: Packed, engine: RealEngine, facts: dict[str, Any]) -> None:
    image = packed.image
    assert facts["RepoTags"] == [packed.name]
    assert facts["RootFS"]["Layers"] == packed.facts["RootFS"]["Layers"]
    assert {key: facts["Config"].get(key) for key in _KEPT} == {
        key: packed.facts["Config"].get(key) for key in _KEPT
    }
    if engine.keeps_digests:
        assert facts["Id"] == image["descriptor"]["digest"]
        assert facts["RepoDigests"] == [f"{packed.name.rpartition(':')[0]}@{facts['Id']}"]
    else:
        assert [facts["Id"]] == image["image_ids"]
    if engine.keeps_digests == packed.kept_manifest:
        # The same kind of store, so the same ID, whatever the release.
        assert facts["Id"] == packed.facts["Id"]
    assert image["digest_preserved"] is packed.kept_manifest
    if engine.can_run:
        assert engine.run(packed.name, None) == _SAYS


def _check_packed_again(packed: Packed, engine: RealEngine, back: dict[str, Any]) -> None:
    assert back["image_ids"] == packed.image["image_ids"]
    assert back["digest_preserved"] is engine.keeps_digests
    if engine.keeps_digests or not packed.kept_manifest:
        # Kept, or made a second time by the same rules: the same manifest, the same layers.
        assert back["descriptor"] == packed.image["descriptor"]
        assert sorted(back["blobs"]) == sorted(packed.image["blobs"])


# ---- from a registry -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def from_registry(kinds: Kinds, registry: RealRegistry) -> Packed:
    """A bundle of an image that a registry has."""
    first = kinds.packed(OWN)
    airbundle = kinds.command(kinds.engine(OWN))
    target = f"{registry.address}/pairs"
    pushed = _only(airbundle("push", first.bundle, target, "--plain-http", "--json").json)
    bundle = first.bundle.with_name("from registry")
    airbundle("pack", f"app=docker://{pushed['target']}", "-o", bundle, "--plain-http")
    assert bundles.images(bundle)[pushed["target"]]["descriptor"]["digest"] == pushed["digest"]
    return Packed(bundle, pushed["target"], first.facts, kept_manifest=True)


@pytest.mark.parametrize("far", KINDS)
def test_what_a_registry_has_an_engine_gets(kinds: Kinds, from_registry: Packed, far: str) -> None:
    engine = kinds.engine(far)
    engine.empty()
    loaded = _only(kinds.command(engine)("load", from_registry.bundle, "--json").json)
    facts, image = engine.facts(from_registry.name), from_registry.image
    assert facts["RepoTags"] == [from_registry.name]
    assert facts["RootFS"]["Layers"] == from_registry.facts["RootFS"]["Layers"]
    known_by = [image["descriptor"]["digest"]] if engine.keeps_digests else image["image_ids"]
    assert [facts["Id"]] == [loaded["image_id"]] == known_by


# ---- several platforms -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_platforms(kinds: Kinds, shared_airbundle: Airbundle, tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """A bundle of an index, made by hand, with images for amd64 and arm64."""
    name = "airbundle.test/pairs/index:1"
    image = layouts.index_of(
        {name: layouts.Image.of(layouts.layer(name, 20_000), architecture=name) for name in ("amd64", "arm64")}
    )
    directory = tmp_path_factory.mktemp("index")
    layout = layouts.write_layout(directory / "layout", {name: image})
    shared_airbundle("pack", f"app=oci:{layout}", "--platform", "all", "-o", directory / "bundle")
    return Packed(directory / "bundle", name, {}, kept_manifest=True)


@pytest.mark.parametrize("far", KINDS)
def test_an_index_arrives_whole_where_the_store_holds_one(kinds: Kinds, two_platforms: Packed, far: str) -> None:
    engine = kinds.engine(far)
    airbundle = kinds.command(engine)
    engine.empty()
    loaded = _only(airbundle("load", two_platforms.bundle, "--json").json)
    facts, image = engine.facts(two_platforms.name), two_platforms.image
    assert image["platforms"] == ["linux/amd64", "linux/arm64"]
    assert facts["Id"] == loaded["image_id"]
    if not engine.keeps_digests:
        # One platform: the engine's own.
        assert facts["Id"] == dict(zip(image["platforms"], image["image_ids"], strict=True))[_platform(engine)]
        return
    assert facts["Id"] == image["descriptor"]["digest"]
    assert facts["RepoDigests"] == [f"airbundle.test/pairs/index@{facts['Id']}"]
    back = two_platforms.bundle.with_name("back")
    airbundle("pack", f"app=docker-daemon:{two_platforms.name}", "--platform", "all", "-o", back)
    assert sorted(bundles.images(back)[two_platforms.name]["blobs"]) == sorted(image["blobs"])


def _platform(engine: RealEngine) -> str:
    version = engine.client.version()
    return f"{version['Os']}/{version['Arch']}"


# ---- names that move -----------------------------------------------------------------------


@pytest.mark.parametrize("far", KINDS)
def test_a_name_that_moves_is_reported(kinds: Kinds, two_platforms: Packed, far: str, tmp_path: Path) -> None:
    engine = kinds.engine(far)
    airbundle = kinds.command(engine)
    engine.empty()
    _build(engine, two_platforms.name, tmp_path / "context")
    before = engine.facts(two_platforms.name)["Id"]

    refused = airbundle("load", two_platforms.bundle, "--on-existing-tag", "error", status=7)
    assert before in refused.stderr
    kept = _only(airbundle("load", two_platforms.bundle, "--on-existing-tag", "skip", "--json").json)
    assert (kept["status"], kept["image_id"]) == ("skipped", before)
    assert engine.facts(two_platforms.name)["Id"] == before

    moved = _only(airbundle("load", two_platforms.bundle, "--json").json)
    assert moved["status"] == "loaded"
    assert moved["replaced"] == before
    assert engine.facts(two_platforms.name)["Id"] == moved["image_id"] != before
    if not engine.keeps_digests:
        # A containerd store of this release drops an image with its last name.
        assert engine.facts(before)["RepoTags"] == []
    again = _only(airbundle("load", two_platforms.bundle, "--json").json)
    assert again["status"] == ("loaded" if _cannot_tell_what_is_whole(engine) else "skipped")
    assert again.get("replaced") is None


def _cannot_tell_what_is_whole(engine: RealEngine) -> bool:
    """Tell whether the engine may have lost platforms of an image without a sign; it is sent them again then."""
    major, minor = engine.client.version()["ApiVersion"].split(".")
    return engine.keeps_digests and (int(major), int(minor)) < (1, 47)


def test_the_report_for_people_names_what_was_replaced(kinds: Kinds, tmp_path: Path) -> None:
    packed, engine = kinds.packed(OWN), kinds.engine(OWN)
    engine.empty()
    _build(engine, packed.name, tmp_path / "context", "an older one")
    before = engine.facts(packed.name)["Id"]
    run = kinds.command(engine)("load", packed.bundle)
    assert before in run.stdout + run.stderr


def test_an_image_that_was_only_untagged_is_not_sent_again(kinds: Kinds) -> None:
    packed, engine = kinds.packed(CLASSIC_26), kinds.engine(CLASSIC_26)
    airbundle = kinds.command(engine)
    engine.empty()
    airbundle("load", packed.bundle)
    image_id = engine.facts(packed.name)["Id"]
    engine.client.api.tag(image_id, "airbundle.test/pairs/other", "1")
    engine.client.api.remove_image(packed.name)
    with pytest.raises(docker.errors.ImageNotFound):
        engine.facts(packed.name)
    loaded = airbundle("load", packed.bundle, "--json").json
    assert (_only(loaded)["status"], loaded["bytes_sent"]) == ("loaded", 0)
    assert engine.facts(packed.name)["Id"] == image_id
