"""Signed on the near side, checked on the far side: registry, bundle, registry, with openssl as the judge."""

from __future__ import annotations

import base64
import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import bundles, layouts
from tests.e2e.command import Airbundle
from tests.requirements import require, why_no_program
from tests.servers.engine import RealEngine
from tests.servers.registry import RealRegistry

_ACCEPT = f"{layouts.MANIFEST}, {layouts.INDEX}"
_REPOSITORY = "shop/signed"


def ask(address: str, method: str, path: str, data: bytes | None = None, **headers: str) -> tuple[Any, bytes]:
    """Ask a registry; nothing of the product is used."""
    url = path if path.startswith("http") else f"http://{address}/v2/{_REPOSITORY}/{path}"
    request = urllib.request.Request(url, data, {"Accept": _ACCEPT, **headers}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.headers, answer.read()


def put(address: str, image: layouts.Image, *tags: str) -> None:
    """Push everything of an image, manifests as such, children before parents, and give it tags."""
    for digest, content in image.blobs.items():
        document = json.loads(content) if content[:1] == b"{" else {}
        if "schemaVersion" not in document:
            headers, _ = ask(address, "POST", "blobs/uploads/", b"")
            upload = f"{headers['Location']}&digest={digest}"
            ask(address, "PUT", upload, content, **{"Content-Type": "application/octet-stream"})
    documents = [content for content in image.blobs.values() if b'"schemaVersion"' in content]
    for content in sorted(documents, key=lambda content: b'"manifests"' in content):
        media_type = json.loads(content)["mediaType"]
        digest = layouts.sha256(content)
        for name in tags if tags and digest == image.manifest["digest"] else (digest,):
            ask(address, "PUT", f"manifests/{name}", content, **{"Content-Type": media_type})


@dataclass
class Signed:
    """An index that is signed, with an SBOM of one of its platforms.

    Attributes:
        public_key: of whoever signed it, in PEM form.
    """

    index: layouts.Image
    signature: layouts.Image
    sbom: layouts.Image
    sbom_tag: str
    public_key: Path

    @classmethod
    def make(cls, directory: Path) -> Signed:
        key, public, payload = directory / "key.pem", directory / "key.pub", directory / "payload"
        one, two = (layouts.Image.of(layouts.layer(name, 3_000), architecture=name) for name in ("amd64", "arm64"))
        index = layouts.index_of({"amd64": one, "arm64": two})
        what = {
            "image": {"docker-manifest-digest": index.manifest["digest"]},
            "type": "cosign container image signature",
        }
        payload.write_bytes(json.dumps({"critical": what, "optional": None}).encode())
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        openssl("ec", "-in", key, "-pubout", "-out", public)
        signed = base64.b64encode(openssl("dgst", "-sha256", "-sign", key, payload)).decode()
        sbom = layouts.artifact(b'{"sbom": 1}', two.manifest)
        tag = two.manifest["digest"].replace(":", "-")
        return cls(index, layouts.signature(payload.read_bytes(), signed), sbom, tag, public)


def openssl(*words: object) -> bytes:
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True).stdout


@pytest.fixture(scope="module")
def road(
    shared_airbundle: Airbundle, registry: RealRegistry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Signed, str, Path]]:
    """What was signed, the address of the far registry after the push, and the bundle between."""
    require(why_no_program("openssl"))
    directory = tmp_path_factory.mktemp("signed")
    signed = Signed.make(directory)
    with RealRegistry() as far:
        put(registry.address, signed.index, "1")
        put(registry.address, signed.signature, layouts.cosign_tag(signed.index))
        put(registry.address, signed.sbom)
        listed = {"schemaVersion": 2, "mediaType": layouts.INDEX, "manifests": [signed.sbom.manifest]}
        raw = json.dumps(listed).encode()
        index = layouts.Image({layouts.sha256(raw): raw}, layouts.descriptor(layouts.INDEX, raw))
        put(registry.address, index, signed.sbom_tag)
        image = f"docker://{registry.address}/{_REPOSITORY}:1"
        plan = shared_airbundle("plan", f"shop={image}", "--plain-http", "--platform", "all", "--json").json
        assert plan["referrers"]["count"] == 2
        shared_airbundle("pack", f"shop={image}", "--platform", "all", "--plain-http", "-o", directory / "bundle")
        shared_airbundle("verify", directory / "bundle", "--level", "deep")
        pushed = shared_airbundle("push", directory / "bundle", far.address, "--plain-http", "--json").json
        assert pushed["images"][0]["referrers"] == {"put": 2, "there": 0, "left_out": 0}
        yield signed, far.address, directory / "bundle"


def test_the_signature_still_checks(road: tuple[Signed, str, Path], tmp_path: Path) -> None:
    signed, far, _ = road
    headers, index = ask(far, "GET", "manifests/1")
    assert headers["Docker-Content-Digest"] == layouts.sha256(index) == signed.index.manifest["digest"]
    _, raw = ask(far, "GET", f"manifests/{layouts.cosign_tag(signed.index)}")
    assert layouts.sha256(raw) == signed.signature.manifest["digest"]
    (layer,) = json.loads(raw)["layers"]
    _, payload = ask(far, "GET", f"blobs/{layer['digest']}")
    what, signature = tmp_path / "payload", tmp_path / "signature"
    what.write_bytes(payload)
    signature.write_bytes(base64.b64decode(layer["annotations"]["dev.cosignproject.cosign/signature"]))
    assert json.loads(payload)["critical"]["image"]["docker-manifest-digest"] == layouts.sha256(index)
    said = openssl("dgst", "-sha256", "-verify", signed.public_key, "-signature", signature, what)
    assert said == b"Verified OK\n"


def test_the_far_registry_lists_what_the_near_one_listed(road: tuple[Signed, str, Path]) -> None:
    """Distribution has no API for it: clients find the list under the tag of the specification."""
    signed, far, _ = road
    with pytest.raises(urllib.error.HTTPError):
        ask(far, "GET", f"referrers/{signed.index.manifest['digest']}")
    _, raw = ask(far, "GET", f"manifests/{signed.sbom_tag}")
    (entry,) = json.loads(raw)["manifests"]
    assert (entry["digest"], entry["artifactType"]) == (
        signed.sbom.manifest["digest"],
        "application/vnd.test.sbom",
    )
    _, sbom = ask(far, "GET", f"manifests/{entry['digest']}")
    assert layouts.sha256(sbom) == entry["digest"]


def test_without_referrers_the_image_is_alone(
    road: tuple[Signed, str, Path], airbundle: Airbundle, tmp_path: Path
) -> None:
    _, _, bundle = road
    airbundle("pack", f"shop=bundle:{bundle}", "--no-referrers", "--platform", "all", "-o", tmp_path / "alone")
    (image,) = bundles.images(tmp_path / "alone").values()
    assert "referrers" not in image
    (before,) = bundles.images(bundle).values()
    assert len(before["blobs"]) == len(image["blobs"]) + 6


def test_an_engine_that_keeps_manifests_takes_them(
    road: tuple[Signed, str, Path], airbundle: Airbundle, engine_26_containerd: RealEngine
) -> None:
    signed, _, bundle = road
    loading = airbundle.with_environment(DOCKER_HOST=engine_26_containerd.host)
    (image,) = loading("load", bundle, "--json").json["images"]
    assert image["image_id"] == signed.index.manifest["digest"]
    assert image["referrers"] == {"put": 2, "there": 0, "left_out": 0}
