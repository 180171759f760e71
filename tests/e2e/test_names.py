"""Names on the far side, in a real registry, as skopeo sees them; and a kustomization that kubectl renders."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e import bundles
from tests.e2e.archives import PLAIN_LAYER, config_of, image_of
from tests.e2e.command import Airbundle
from tests.e2e.layouts import Image, layer, write_layout
from tests.requirements import require, why_no_program
from tests.servers.registry import RealRegistry

_BASE = layer("base", 20_000)
_NGINX, _WEB, _FLAT = "docker.io/library/nginx:1.10", "names.test:5000/shop/web:1", "names.test:5000/shop-web:1"
_POD = """
apiVersion: v1
kind: Pod
metadata: {name: shop}
spec:
  initContainers: [{name: a, image: nginx}]
  containers: [{name: b, image: "docker.io/library/nginx:1.10"}, {name: c, image: "names.test:5000/shop/web:1"}]
"""


def _image(name: str) -> Image:
    layers = [_BASE, layer(name, 3_000)]
    return image_of([(f"{PLAIN_LAYER}+gzip", gzip.compress(data, mtime=0)) for data in layers], config_of(layers))


@pytest.fixture
def bundle(airbundle: Airbundle, tmp_path: Path) -> Path:
    """Three images, and rules that name the first one."""
    layout = write_layout(tmp_path / "layout", {name: _image(name) for name in (_NGINX, _WEB, _FLAT)})
    (tmp_path / "names.txt").write_text("nginx web/nginx\n")
    config = tmp_path / "pack.yaml"
    config.write_text(f"applications: {{shop: {{images: ['oci:{layout}']}}}}\nrename: [{{table: names.txt}}]\n")
    airbundle("pack", config, "-o", tmp_path / "bundle")
    return tmp_path / "bundle"


def _digest_at(target: str) -> str:
    require(why_no_program("skopeo"))
    command = ["skopeo", "inspect", "--tls-verify=false", "--raw", f"docker://{target}"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    done = subprocess.run(["sha256sum"], input=raw, check=True, capture_output=True)
    return f"sha256:{done.stdout.split()[0].decode()}"


def test_names_as_skopeo_sees_them(
    airbundle: Airbundle, bundle: Path, empty_registry: RealRegistry, tmp_path: Path
) -> None:
    digests = {name: image["descriptor"]["digest"] for name, image in bundles.images(bundle).items()}
    far = f"{empty_registry.address}/far"
    push = ("push", bundle, far, "--plain-http", "--json")
    said = airbundle(*push, "--dry-run").json["images"]
    assert [(image["there"], image["existing"]) for image in said] == [("absent", None)] * 3
    assert '"PUT' not in empty_registry.log
    assert '"POST' not in empty_registry.log

    mapping = tmp_path / "mapping.json"
    airbundle(*push, "--rename", "names.test:5000/shop=s", "--keep-registry-name", "--mapping", mapping)
    for image in json.loads(mapping.read_text())["images"]:
        assert _digest_at(image["target"]) == _digest_at(image["pinned"]) == digests[image["reference"]]
    airbundle(*push)
    assert _digest_at(f"{far}/web/nginx:1.10") == digests[_NGINX]

    # Flat, two of them would get one name: nothing is sent, not even of the third one.
    before = empty_registry.log.count('"PUT')
    said = airbundle(*push, "--flatten", status=2)
    assert all(name in said.error["message"] for name in (_WEB, _FLAT))
    assert empty_registry.log.count('"PUT') == before
    flat = f"{empty_registry.address}/flat"
    airbundle("push", bundle, flat, "--plain-http", "--flatten", "--image", _WEB)
    assert _digest_at(f"{flat}/shop-web:1") == digests[_WEB]


def test_a_tag_that_stands_for_another_image(
    airbundle: Airbundle, bundle: Path, empty_registry: RealRegistry
) -> None:
    digests = {name: image["descriptor"]["digest"] for name, image in bundles.images(bundle).items()}
    far = f"{empty_registry.address}/tags"
    push = ("push", bundle, far, "--plain-http", "--json")
    airbundle(*push, "--image", _WEB, "--rename", "names.test:5000/shop/web=shop-web")
    assert airbundle(*push, "--dry-run", status=7).error["code"] == "policy-refused"
    refused = airbundle(*push, status=7)
    assert sorted(image["status"] for image in refused.json["images"]) == ["failed", "pushed", "pushed"]
    assert _digest_at(f"{far}/shop-web:1") == digests[_WEB]
    airbundle(*push, "--on-existing-tag", "skip")
    assert _digest_at(f"{far}/shop-web:1") == digests[_WEB]
    puts = empty_registry.log.count('"PUT /v2/tags/web/nginx/manifests')
    moved = {
        image["reference"]: image for image in airbundle(*push, "--on-existing-tag", "overwrite").json["images"]
    }
    assert moved[_FLAT]["replaced"] == digests[_WEB]
    assert _digest_at(f"{far}/shop-web:1") == digests[_FLAT]
    assert empty_registry.log.count('"PUT /v2/tags/web/nginx/manifests') == puts, "what is equal is not put again"


def test_kubectl_applies_the_kustomize_block(airbundle: Airbundle, bundle: Path, tmp_path: Path) -> None:
    digests = {name: image["descriptor"]["digest"] for name, image in bundles.images(bundle).items()}
    block = airbundle(
        "push",
        bundle,
        "far.test:5000",
        "--dry-run",
        "--offline",
        "--mapping",
        "-",
        "--mapping-format",
        "kustomize",
    ).stdout
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed; unit tests apply the block by the rules of discover")
    (tmp_path / "kustomization.yaml").write_text(f"resources: [pod.yaml]\n{block}")
    (tmp_path / "pod.yaml").write_text(_POD)
    rendered = subprocess.run(
        ["kubectl", "kustomize", tmp_path], check=True, capture_output=True, text=True
    ).stdout
    assert rendered.count(f"image: far.test:5000/web/nginx:1.10@{digests[_NGINX]}") == 2
    assert rendered.count(f"image: far.test:5000/shop/web:1@{digests[_WEB]}") == 1
