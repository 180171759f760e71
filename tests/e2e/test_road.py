"""The road: from an engine into a bundle, over a stick, into another engine and a registry, and back.

One bundle is packed for the whole module, of a real image of at least 300 MB in at least five layers and of a
second application that shares its base; every test looks at one step of its journey.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from docker.errors import DockerException

from tests.e2e import bundles
from tests.e2e.command import Airbundle, Result
from tests.e2e.images import ERP, SHOP, SHOP_BYTES, SHOP_LAYERS
from tests.e2e.measures import Measures
from tests.requirements import require, why_no_program
from tests.servers.engine import RealEngine
from tests.servers.registry import RealRegistry

_MIB = 1 << 20
_APPLICATIONS = (f"shop=docker-daemon:{SHOP}", f"erp=docker-daemon:{ERP}")
_OPTIONS = ("--part-size", "64MiB", "--json")


@dataclass(frozen=True)
class Journey:
    """The bundle on the near side, its copy on the far side, and the run that packed it."""

    near: Path
    far: Path
    packing: Result
    airbundle: Airbundle


@pytest.fixture(scope="module")
def journey(
    applications: RealEngine,
    shared_airbundle: Airbundle,
    tmp_path_factory: pytest.TempPathFactory,
    measures: Measures,
) -> Iterator[Journey]:
    """Pack the two applications and copy the bundle as a user does."""
    directory = tmp_path_factory.mktemp("road")
    airbundle = shared_airbundle.with_environment(DOCKER_HOST=applications.host)
    packing = airbundle("pack", *_APPLICATIONS, "-o", directory / "near", *_OPTIONS)
    measures.add("pack", packing, _unpacked_bytes(directory / "near"))
    subprocess.run(["cp", "-r", directory / "near", directory / "far"], check=True)
    yield Journey(directory / "near", directory / "far", packing, airbundle)
    shutil.rmtree(directory)


@dataclass(frozen=True)
class Loading:
    """The far engine, which was empty before the bundle was loaded, and the run that loaded it."""

    engine: RealEngine
    result: Result


@pytest.fixture(scope="module")
def loading(journey: Journey, second_engine: RealEngine, measures: Measures) -> Loading:
    """Load the copy into an empty engine."""
    second_engine.empty()
    assert second_engine.client.images.list(all=True) == []
    far = journey.airbundle.with_environment(DOCKER_HOST=second_engine.host)
    result = far("load", journey.far, "--json")
    measures.add("load", result, _unpacked_bytes(journey.far))
    return Loading(second_engine, result)


@dataclass(frozen=True)
class Pushing:
    """A registry, empty before the bundle was pushed, and the run that pushed it."""

    address: str
    result: Result

    @property
    def targets(self) -> dict[str, str]:
        """Where each image went."""
        return {image["reference"]: image["target"] for image in self.result.json["images"]}


@pytest.fixture(scope="module")
def pushing(journey: Journey, empty_registry: RealRegistry, measures: Measures) -> Pushing:
    """Push the copy to an empty registry."""
    result = journey.airbundle("push", journey.far, empty_registry.address, "--plain-http", "--json")
    measures.add("push", result, bundles.total_bytes(journey.far))
    return Pushing(empty_registry.address, result)


def _unpacked_bytes(bundle: Path) -> int:
    return sum(blob.get("uncompressed_size") or blob["size"] for blob in bundles.table(bundle)["blobs"])


# ---- the bundle ------------------------------------------------------------------------


def test_the_bundle_is_cut_into_parts_and_holds_the_base_once(journey: Journey) -> None:
    shop, shared = bundles.parts(journey.near, "shop"), bundles.parts(journey.near, "shared")
    assert len(shop) >= 2
    assert all(part["size"] == 64 * _MIB for part in shop[:-1])
    for part in (*shop, *shared):
        assert (journey.near / part["file"]).stat().st_size == part["size"]
    layers = [blob for blob in bundles.table(journey.near)["blobs"] if blob.get("diff_id")]
    assert len({blob["diff_id"] for blob in layers}) == len(layers)
    assert sum(blob["uncompressed_size"] for blob in layers) >= SHOP_BYTES
    assert [blob["archive"] for blob in layers].count("shared") == 1


def test_the_bundle_keeps_image_ids_and_layers(journey: Journey, applications: RealEngine) -> None:
    found, blobs = bundles.images(journey.near), bundles.blobs_by_digest(journey.near)
    assert sorted(found) == [ERP, SHOP]
    for name, image in found.items():
        facts = applications.facts(name)
        diff_ids = [blobs[digest].get("diff_id") for digest in image["blobs"]]
        # Equal layers stand once in the list of blobs.
        assert [diff_id for diff_id in diff_ids if diff_id] == list(dict.fromkeys(facts["RootFS"]["Layers"]))
        assert facts["Id"] in (*image["image_ids"], image["descriptor"]["digest"])
    assert len(bundles.images(journey.near)[SHOP]["blobs"]) >= SHOP_LAYERS + 2


def test_packing_writes_every_byte_once(journey: Journey) -> None:
    written = bundles.total_bytes(journey.near)
    allowed = int(written * 1.02) + 4 * _MIB
    assert written <= journey.packing.written <= allowed
    assert journey.packing.dirtied <= allowed


def test_packing_again_gives_the_same_bytes(journey: Journey, tmp_path: Path) -> None:
    journey.airbundle("pack", *_APPLICATIONS, "-o", tmp_path / "near", *_OPTIONS)
    assert bundles.finished_files(tmp_path / "near") == bundles.finished_files(journey.near)
    assert (tmp_path / "near/SHA256SUMS").read_bytes() == (journey.near / "SHA256SUMS").read_bytes()
    _check_sums(tmp_path / "near")
    shutil.rmtree(tmp_path / "near")


def test_deep_verification_finds_nothing(journey: Journey, measures: Measures) -> None:
    for level in ("quick", "full", "deep"):
        result = journey.airbundle("verify", journey.near, "--level", level, "--json")
        measures.add(f"verify {level}", result, bundles.total_bytes(journey.near))
        assert result.json["ok"] is True
        assert result.json["findings"] == []
        assert result.json["level"] == level


def test_sha256sum_agrees(journey: Journey) -> None:
    _check_sums(journey.near)
    _check_sums(journey.far)


def _check_sums(bundle: Path) -> None:
    run = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=bundle, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    named = {line.split(":")[0] for line in run.stdout.splitlines()}
    files = {part["file"] for archive in bundles.table(bundle)["archives"] for part in archive["parts"]}
    assert named >= files | {"bundle.json"}


def test_inspect_names_applications_and_images(journey: Journey) -> None:
    text = journey.airbundle("inspect", journey.far).stdout
    assert all(word in text for word in ("shop", "erp", SHOP, ERP))
    assert journey.airbundle("inspect", journey.far, "--json").json


# ---- the far engine --------------------------------------------------------------------


def test_the_far_engine_has_the_same_images(loading: Loading, applications: RealEngine) -> None:
    reported = {image["reference"]: image for image in loading.result.json["images"]}
    assert sorted(reported) == [ERP, SHOP]
    for name in (SHOP, ERP):
        assert loading.engine.layers(name) == applications.layers(name)
        far_id = loading.engine.facts(name)["Id"]
        assert reported[name]["image_id"] == far_id
        if loading.engine.keeps_digests == applications.keeps_digests:
            assert far_id == applications.facts(name)["Id"]


def test_a_container_of_the_far_image_has_the_same_files(loading: Loading, applications: RealEngine) -> None:
    # Where containers cannot run, the test above compared IDs and layers.
    if not loading.engine.can_run:
        pytest.skip("containers cannot run here")
    assert loading.engine.run(SHOP, None) == "shop is open\n"
    assert loading.engine.run(ERP, None) == "erp is open\n"
    # The total counts blocks of the disk, which is none of the image.
    look = ["sh", "-c", "cd /srv && ls -ln | grep -v ^total && sha256sum *"]
    assert loading.engine.run(SHOP, look) == applications.run(SHOP, look)


def test_a_classic_store_gets_the_base_once_and_nothing_again(loading: Loading, journey: Journey) -> None:
    if loading.engine.keeps_digests:
        pytest.skip("a containerd store is given everything")
    # Each layer once at most, plain or compressed, and the little around it.
    sent = loading.result.json["bytes_sent"]
    assert 0 < sent <= _unpacked_bytes(journey.far) + _MIB
    far = journey.airbundle.with_environment(DOCKER_HOST=loading.engine.host)
    again = far("load", journey.far, "--json").json
    assert again["bytes_sent"] < _MIB
    assert len(again["images"]) == 2


# ---- the registry ----------------------------------------------------------------------


def test_the_registry_holds_what_the_bundle_says(
    pushing: Pushing, journey: Journey, measures: Measures, tmp_path: Path
) -> None:
    require(why_no_program("skopeo"))
    for name, image in bundles.images(journey.far).items():
        layout = tmp_path / image["descriptor"]["digest"].removeprefix("sha256:")
        source = f"docker://{pushing.targets[name]}"
        _skopeo("copy", "--all", "--preserve-digests", "--src-tls-verify=false", source, f"oci:{layout}:x")
        _assert_same_image(layout, image)
        reported = next(entry for entry in pushing.result.json["images"] if entry["reference"] == name)
        assert reported["digest"] == image["descriptor"]["digest"]


def test_pushing_again_sends_no_blob(pushing: Pushing, journey: Journey) -> None:
    first = pushing.result.json
    assert first["bytes_sent"] > sum(part["size"] for part in bundles.parts(journey.far, "shop")) * 0.9
    again = journey.airbundle("push", journey.far, pushing.address, "--plain-http", "--json").json
    assert again["bytes_sent"] == 0
    assert again["bytes_skipped"] > 0
    assert [image["digest"] for image in again["images"]] == [image["digest"] for image in first["images"]]


def test_packing_from_the_registry_keeps_every_digest(pushing: Pushing, journey: Journey, tmp_path: Path) -> None:
    names = [f"{app}=docker://{pushing.targets[name]}" for app, name in (("shop", SHOP), ("erp", ERP))]
    journey.airbundle("pack", *names, "-o", tmp_path / "again", "--plain-http", *_OPTIONS)
    before, after = bundles.images(journey.near), bundles.images(tmp_path / "again")
    for name in (SHOP, ERP):
        image = after[pushing.targets[name]]
        assert image["descriptor"]["digest"] == before[name]["descriptor"]["digest"]
        assert image["digest_preserved"] is True
        assert sorted(image["blobs"]) == sorted(before[name]["blobs"])
    journey.airbundle("verify", tmp_path / "again", "--level", "deep")
    shutil.rmtree(tmp_path / "again")


# ---- without airbundle -----------------------------------------------------------------


@pytest.mark.parametrize(("application", "name"), [("shop", SHOP), ("erp", ERP)])
def test_skopeo_reads_the_joined_parts(journey: Journey, tmp_path: Path, application: str, name: str) -> None:
    require(why_no_program("skopeo"))
    joined = _join(journey.far, application, tmp_path)
    archive = f"oci-archive:{joined}:{name}"
    _skopeo("--tmpdir", tmp_path, "copy", "--all", "--preserve-digests", archive, f"oci:{tmp_path / 'layout'}:x")
    _assert_same_image(tmp_path / "layout", bundles.images(journey.far)[name])


def test_the_far_engine_reads_the_joined_parts(
    journey: Journey, applications: RealEngine, second_engine: RealEngine, tmp_path: Path
) -> None:
    second_engine.empty()
    with _join(journey.far, "shop", tmp_path).open("rb") as archive:
        if second_engine.version < (23, 0):
            # These read no zstd layers, as the README of the bundle says; airbundle sends them plain ones.
            with pytest.raises(DockerException):
                second_engine.client.images.load(archive)
            assert not second_engine.holds(SHOP)
            return
        second_engine.client.images.load(archive)
    assert second_engine.layers(SHOP) == applications.layers(SHOP)


def _join(bundle: Path, application: str, directory: Path) -> Path:
    """Do what the README of the bundle says."""
    joined = directory / "joined.tar"
    command = f"cat shared.oci.tar* {application}.oci.tar* > {joined}"
    subprocess.run(["sh", "-c", command], cwd=bundle, check=True)
    return joined


def _skopeo(*arguments: object) -> None:
    # No policy file: what a fresh system has of it depends on its packages.
    command = ["skopeo", "--insecure-policy", *map(str, arguments)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def _assert_same_image(layout: Path, image: dict[str, Any]) -> None:
    index = json.loads((layout / "index.json").read_text())
    assert [entry["digest"] for entry in index["manifests"]] == [image["descriptor"]["digest"]]
    held = {f"sha256:{path.name}" for path in (layout / "blobs/sha256").iterdir()}
    assert held == set(image["blobs"])
