"""An image of several platforms, whole and in part: from a registry through a bundle to registries and engines."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import bundles, layouts
from tests.e2e.command import Airbundle
from tests.requirements import require
from tests.servers.containerd import RealContainerd, why_no_containerd
from tests.servers.engine import RealEngine, busybox_layer
from tests.servers.registry import RealRegistry

_IN_LAYOUT = "multi.test/shop/web:1"
_HERE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "")
_ARCHITECTURES = ("amd64", "arm64", "s390x")


@dataclass(frozen=True)
class Near:
    """The image at the near side's registry, and its blobs as they were made by hand."""

    registry: RealRegistry
    image: layouts.Image
    of: dict[str, layouts.Image]
    attestations: dict[str, layouts.Image]

    @property
    def name(self) -> str:
        return f"{self.registry.address}/near/shop/web:1"

    @property
    def index(self) -> str:
        return str(self.image.manifest["digest"])


@pytest.fixture(scope="module")
def near(registry: RealRegistry, shared_airbundle: Airbundle, tmp_path_factory: pytest.TempPathFactory) -> Near:
    base, directory = busybox_layer(), tmp_path_factory.mktemp("near")
    images = {
        name: layouts.Image.of(base, layouts.layer(name, 20_000), architecture=name) for name in _ARCHITECTURES
    }
    attestations = {
        name: layouts.artifact(f"made of {name}".encode(), images[name].manifest) for name in ("amd64", "arm64")
    }
    image = layouts.index_of(images, attestations)
    layout = layouts.write_layout(directory / "layout", {_IN_LAYOUT: image})
    shared_airbundle("pack", f"web=oci:{layout}", "--platform", "all", "-o", directory / "bundle")
    shared_airbundle("push", directory / "bundle", f"{registry.address}/near", "--plain-http")
    return Near(registry, image, images, attestations)


@pytest.fixture
def pack(near: Near, airbundle: Airbundle, tmp_path: Path) -> Any:
    def packed(*options: str) -> Path:
        bundle = tmp_path / "bundle"
        airbundle("pack", f"web=docker://{near.name}", "--plain-http", "-o", bundle, *options)
        assert airbundle("verify", bundle, "--level", "deep", "--json").json["findings"] == []
        return bundle

    return packed


def at_registry(registry: RealRegistry, repository: str, reference: str) -> bytes:
    """Return a manifest as the registry gives it, to the byte."""
    accept = {"Accept": ", ".join((layouts.INDEX, layouts.MANIFEST))}
    address = f"http://{registry.address}/v2/{repository}/manifests/{reference}"
    with urllib.request.urlopen(urllib.request.Request(address, headers=accept)) as answer:
        return bytes(answer.read())


def push(airbundle: Airbundle, bundle: Path, near: Near, prefix: str, *options: str) -> dict[str, Any]:
    result = airbundle("push", bundle, f"{near.registry.address}/{prefix}", "--plain-http", "--json", *options)
    (image,) = result.json["images"]
    return dict(image)


def test_all_platforms_make_the_round_trip_with_equal_digests(
    near: Near, airbundle: Airbundle, pack: Any, tmp_path: Path
) -> None:
    bundle = pack("--platform", "all")
    image = bundles.images(bundle)[near.name]
    assert set(image["blobs"]) == near.image.blobs.keys()
    assert "left_out" not in image
    pushed = push(airbundle, bundle, near, "all")
    assert pushed["digest"] == near.index
    assert pushed["notes"] == []
    repository = "all/near/shop/web"
    assert at_registry(near.registry, repository, "1") == near.image.blobs[near.index]
    for one in (*near.of.values(), *near.attestations.values()):
        digest = one.manifest["digest"]
        assert at_registry(near.registry, repository, digest) == near.image.blobs[digest]
    airbundle("pack", f"web=bundle:{bundle}", "--platform", "all", "-o", tmp_path / "again")
    assert bundles.images(tmp_path / "again")[near.name]["blobs"] == image["blobs"]


@pytest.mark.skipif(not _HERE, reason="the image is not made for this processor")
def test_without_the_option_this_machines_platform_is_taken_and_plan_says_so(
    near: Near, airbundle: Airbundle, pack: Any
) -> None:
    planned = airbundle("plan", f"web=docker://{near.name}", "--plain-http", "--json").json
    (image,) = planned["applications"][0]["images"]
    assert image["platforms"] == [f"linux/{_HERE}"]
    assert image["platforms_listed"] == [f"linux/{name}" for name in _ARCHITECTURES]
    assert "this machine" in image["platform_reason"]
    text = airbundle("plan", f"web=docker://{near.name}", "--plain-http").stdout
    assert f"linux/{_HERE} (of 3)" in text
    assert f"platform linux/{_HERE}, this machine's platform" in text
    row = bundles.images(pack())[near.name]
    assert set(row["blobs"]) == {near.index, *near.of[_HERE].blobs, *near.attestations[_HERE].blobs}


def test_one_platform_is_pushed_as_its_own_manifest(near: Near, airbundle: Airbundle, pack: Any) -> None:
    bundle = pack("--platform", "linux/arm64/v8")
    arm64 = near.of["arm64"].manifest["digest"]
    pushed = push(airbundle, bundle, near, "one", "--sparse-index")
    assert (pushed["digest"], pushed["original_digest"]) == (arm64, near.index)
    assert any("refuses the index" in note for note in pushed["notes"])
    assert at_registry(near.registry, "one/near/shop/web", "1") == near.image.blobs[arm64]
    again = push(airbundle, bundle, near, "one", "--on-existing-tag", "error")
    assert (again["status"], again["digest"]) == ("skipped", arm64)


def test_two_of_three_are_pushed_as_an_index_of_just_these(near: Near, airbundle: Airbundle, pack: Any) -> None:
    bundle = pack("--platform", "linux/amd64,linux/s390x")
    left_out = [near.of["arm64"].manifest["digest"], near.attestations["arm64"].manifest["digest"]]
    assert bundles.images(bundle)[near.name]["left_out"] == sorted(left_out)
    pushed = push(airbundle, bundle, near, "two")
    made = at_registry(near.registry, "two/near/shop/web", "1")
    assert pushed["digest"] == layouts.sha256(made)
    document = json.loads(made)
    assert document["annotations"] == {"org.airbundle.filtered-from": near.index}
    kept = [one for one in json.loads(near.image.blobs[near.index])["manifests"] if one["digest"] not in left_out]
    assert document["manifests"] == kept
    if shutil.which("skopeo"):
        source = f"docker://{near.registry.address}/two/near/shop/web:1"
        words = ["skopeo", "--override-arch", "s390x", "inspect", "--tls-verify=false", "--config", source]
        found = subprocess.run(words, capture_output=True, check=True)
        assert json.loads(found.stdout)["architecture"] == "s390x"
    assert push(airbundle, bundle, near, "two")["status"] == "skipped"


def test_a_platform_that_the_image_has_not_is_refused_before_anything_is_packed(
    near: Near, airbundle: Airbundle, tmp_path: Path
) -> None:
    for command in (["plan"], ["pack", "-o", tmp_path / "bundle"]):
        words = [*command, f"web=docker://{near.name}", "--plain-http", "--platform", "linux/ppc64le", "--json"]
        result = airbundle(*words, status=2)
        assert result.error["code"] == "no-such-platform"
        assert "linux/amd64, linux/arm64, linux/s390x" in result.error["message"]
    assert not (tmp_path / "bundle").exists()


def test_applications_may_have_platforms_of_their_own(near: Near, airbundle: Airbundle, tmp_path: Path) -> None:
    config = tmp_path / "pack.yaml"
    config.write_text(
        "platforms: [linux/amd64]\napplications:\n"
        f"  web:\n    images: ['docker://{near.name}']\n"
        f"  edge:\n    images: ['docker://{near.name}']\n    platforms: linux/arm64, linux/s390x\n"
    )
    bundle = tmp_path / "bundle"
    airbundle("pack", config, "--plain-http", "-o", bundle)
    assert airbundle("verify", bundle, "--level", "deep", "--json").json["ok"]
    edge, web = (application["images"][0] for application in bundles.table(bundle)["applications"])
    assert (web["platforms"], edge["platforms"]) == (["linux/amd64"], ["linux/arm64", "linux/s390x"])
    # At the destination there is one name: it stands for all three, and so for the index to the byte.
    assert push(airbundle, bundle, near, "own")["digest"] == near.index
    assert len(json.loads(at_registry(near.registry, "own/near/shop/web", "1"))["manifests"]) == 5
    planned = airbundle("plan", config, "--plain-http", "--platform", "all", "--json").json
    assert {len(one["images"][0]["platforms"]) for one in planned["applications"]} == {3}


@pytest.mark.skipif(_HERE != "amd64", reason="the expectations are those of an amd64 machine")
def test_an_engine_gets_its_own_platform(
    near: Near, airbundle: Airbundle, tmp_path: Path, second_engine: RealEngine
) -> None:
    loading = airbundle.with_environment(DOCKER_HOST=second_engine.host)
    for platforms, loaded in (("linux/amd64,linux/arm64", "amd64"), ("linux/arm64", "arm64")):
        second_engine.empty()
        bundle = tmp_path / loaded
        words = [f"web=docker://{near.name}", "--plain-http", "--platform", platforms, "-o", bundle]
        airbundle("pack", *words)
        (image,) = loading("load", bundle, "--json").json["images"]
        assert second_engine.facts(near.name)["Architecture"] == loaded
        assert any("qemu-aarch64" in note for note in image["notes"]) is (loaded == "arm64")
    second_engine.empty()
    words = [f"web=docker://{near.name}", "--plain-http", "--platform", "linux/arm64,linux/s390x"]
    airbundle("pack", *words, "-o", tmp_path / "far")
    result = loading("load", tmp_path / "far", "--json", status=2)
    assert result.error["code"] == "no-such-platform"
    assert "linux/arm64, linux/s390x" in result.error["message"]
    assert not second_engine.holds(near.name)


@pytest.mark.skipif(not _HERE, reason="the image is not made for this processor")
def test_containerd_keeps_the_digest_of_a_sparse_index(near: Near, pack: Any) -> None:
    require(why_no_containerd())
    bundle = pack()
    with RealContainerd() as containerd:
        words = ["ctr", "--address", str(containerd.socket), "--namespace", "k8s.io", "image", "import"]
        subprocess.run([*words, str(bundle / "web.oci.tar")], check=True, capture_output=True)
        assert containerd.images("k8s.io") == {near.name: near.index}
        assert containerd.complete("k8s.io") == {near.name}
