"""A registry of a thousand images, packed and pushed: requests are counted, and nothing is asked for twice."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.command import Airbundle
from tests.e2e.layouts import CONFIG, MANIFEST, descriptor, sha256
from tests.e2e.measures import Measures
from tests.fakes.memory import tar_of
from tests.requirements import require, why_no_program
from tests.servers.registry import PROGRAM, RealRegistry

_REPOSITORIES, _TAGS = 100, 10
_IMAGES = _REPOSITORIES * _TAGS
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_REQUEST = re.compile(r'"(GET|HEAD|POST|PATCH|PUT) (/v2/[^ "?]*)[^"]*" (\d{3}) ')


class Storage:
    """What a registry keeps on its disk (distribution 2.8), written without asking it."""

    def __init__(self, registry: RealRegistry) -> None:
        self._root = registry.storage / "docker" / "registry" / "v2"

    def add(self, repository: str, tag: str, layers: list[bytes]) -> None:
        """Let a tag stand for an image of uncompressed layers, with a config of its own."""
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Labels": {"name": f"{repository}:{tag}"}},
                "rootfs": {"type": "layers", "diff_ids": [sha256(data) for data in layers]},
            }
        ).encode()
        rows = [{"mediaType": _LAYER, "digest": sha256(data), "size": len(data)} for data in layers]
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, config),
            "layers": rows,
        }
        manifest = json.dumps(document).encode()
        place = self._root / "repositories" / repository
        for data in (*layers, config):
            self._link(place / "_layers", self._blob(data))
        digest = self._blob(manifest)
        self._link(place / "_manifests" / "revisions", digest)
        self._link(place / "_manifests" / "tags" / tag / "index", digest)
        current = place / "_manifests" / "tags" / tag / "current"
        current.mkdir(parents=True)
        (current / "link").write_text(digest)

    def _blob(self, data: bytes) -> str:
        digest = sha256(data)
        hexadecimal = digest.removeprefix("sha256:")
        path = self._root / "blobs" / "sha256" / hexadecimal[:2] / hexadecimal
        if not path.exists():
            path.mkdir(parents=True)
            (path / "data").write_bytes(data)
        return digest

    def _link(self, place: Path, digest: str) -> None:
        path = place / digest.replace(":", "/")
        path.mkdir(parents=True, exist_ok=True)
        (path / "link").write_text(digest)


def names() -> Iterator[tuple[str, str]]:
    """Yield repository and tag of every image."""
    for number in range(_REPOSITORIES):
        for tag in range(_TAGS):
            yield f"many/image{number}", f"1.{tag}.0"


def requests(registry: RealRegistry) -> Counter[tuple[str, str]]:
    """Count the requests that a registry answered, by method and path; of uploads without their number."""
    found: Counter[tuple[str, str]] = Counter()
    for method, path, _ in _REQUEST.findall(registry.log):
        found[method, re.sub(r"(/blobs/uploads/).+", r"\1", path)] += 1
    return found


def by_kind(found: Counter[tuple[str, str]]) -> dict[str, int]:
    """Add up requests by method and what they are about."""
    kinds: Counter[str] = Counter()
    for (method, path), count in found.items():
        kind = re.search(r"/(manifests|blobs/uploads|blobs|tags)/", path)
        kinds[f"{method} {kind[1] if kind else path}"] += count
    return dict(sorted(kinds.items()))


@pytest.mark.registry
def test_nothing_is_asked_for_twice(airbundle: Airbundle, tmp_path: Path, measures: Measures) -> None:
    require(why_no_program(PROGRAM))
    base = tar_of({"base": bytes(2000)})
    bundle = tmp_path / "bundle"
    with RealRegistry() as near, RealRegistry() as far:
        storage = Storage(near)
        for repository, tag in names():
            storage.add(repository, tag, [base, tar_of({"own": repository.encode()})])
        lines = [f"    - docker://{near.address}/{repository}:{tag}" for repository, tag in names()]
        config = tmp_path / "many.yaml"
        config.write_text("\n".join(["applications:", "  many:", "    images:", *lines, ""]))
        packed = airbundle("pack", config, "-o", bundle, "--plain-http", "--no-referrers")
        pulled = requests(near)
        pushed = airbundle("push", bundle, far.address, "--plain-http", "--json")
        put = requests(far)
        checked = airbundle("check", bundle, far.address, "--plain-http", "--json")
        looked = requests(far) - put
    for step, run, count in (("pack", packed, pulled), ("push", pushed, put), ("check", checked, looked)):
        measures.add(f"{step} 1000 images, {sum(count.values())} requests: {by_kind(count)}", run, 1)
    assert len(pushed.json["images"]) == len(checked.json["images"]) == _IMAGES
    # Near side: of each image its manifest and config, of each repository its layer, and the base layer of all.
    contents = _IMAGES + _REPOSITORIES + 1
    assert by_kind(pulled) == {"GET manifests": _IMAGES, "GET blobs": contents}
    assert set(pulled.values()) == {1}
    # Far side: whether a name and a blob are there is asked once each, and each is put once.
    asked = {key: count for key, count in put.items() if key[0] in ("GET", "HEAD")}
    assert max(asked.values()) == 1, [key for key, count in asked.items() if count > 1][:5]
    kinds = by_kind(put)
    assert kinds["HEAD manifests"] == kinds["PUT manifests"] == _IMAGES
    assert kinds["HEAD blobs"] == _IMAGES + 2 * _REPOSITORIES
    assert kinds["PUT blobs/uploads"] == contents
    assert by_kind(looked) == {"HEAD manifests": _IMAGES}
