"""Referrers in an index.json, in all the ways in which tools write them there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bundler.content.images import RegistryForm
from bundler.model import media_types
from bundler.model.referrers import Referrer, schema_tag
from bundler.sources.docker_archive import DockerArchiveSource
from bundler.sources.oci_layout import OciLayoutSource
from tests.fakes.layouts import write_archive, write_directory
from tests.fakes.memory import MemorySource, tar_of

_NAME, _FULL = "org.opencontainers.image.ref.name", "io.containerd.image.name"
_WEB = "shop.test/web:1"


class Made:
    """An index of two platforms, a signature of one of them, and an SBOM of the index."""

    def __init__(self) -> None:
        self.memory = memory = MemorySource()
        one = memory.make_image([tar_of({"a": b"one"})], "x/one:1")
        two = memory.make_image([tar_of({"a": b"two"})], "x/two:1", platform="linux/arm64")
        self.image = memory.make_index([one, two], _WEB)
        self.signature = memory.make_signature(two.tree.root)
        self.sbom = memory.make_referrer(b"sbom", self.image.tree.root)

    def entry(self, what: RegistryForm | Referrer, **annotations: str) -> dict[str, Any]:
        root = what.tree.root
        bare = {"mediaType": root.media_type, "digest": root.digest, "size": root.size}
        return {**bare, "annotations": annotations} if annotations else bare

    def files(self, *entries: dict[str, Any]) -> dict[str, bytes]:
        image = self.entry(self.image, **{_NAME: _WEB, _FULL: _WEB})
        index = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [image, *entries]}
        return {
            "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
            "index.json": json.dumps(index).encode(),
            **{f"blobs/sha256/{digest.hex}": data for digest, data in self.memory.blobs.items()},
        }


def entries_of(made: Made, way: str) -> list[dict[str, Any]]:
    signature, sbom = made.signature, made.sbom
    if way == "by bare tags":
        return [made.entry(signature, **{_NAME: signature.tag}), made.entry(sbom)]
    if way == "by full names":
        return [made.entry(signature, **{_NAME: f"shop.test/web:{signature.tag}"}), made.entry(sbom)]
    if way == "as archives of bundles do":
        return [json.loads(json.dumps(_plain(one.entry()))) for one in (signature, sbom)]
    list_of = made.memory.add(
        {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [sbom.listing()]}, "x/list:1"
    )
    tag = schema_tag(made.image.tree.root.digest)
    return [made.entry(signature, **{_NAME: signature.tag}), made.entry(list_of, **{_NAME: tag})]


def _plain(descriptor: Any) -> dict[str, Any]:
    return {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
        "annotations": descriptor.annotations,
    }


WAYS = ("by bare tags", "by full names", "as archives of bundles do", "in the index of the tag schema")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("archive", [False, True])
def test_they_are_found_and_are_no_images_of_their_own(tmp_path: Path, way: str, archive: bool) -> None:
    made = Made()
    files = made.files(*entries_of(made, way))
    path = tmp_path / "it"
    source = OciLayoutSource((write_archive if archive else write_directory)(path, files), archive=archive)
    (found,) = source.resolve("")
    assert isinstance(found, RegistryForm)
    assert {(one.digest, one.subject, one.tag) for one in found.referrers} == {
        (one.digest, one.subject, one.tag) for one in (made.signature, made.sbom)
    }
    assert found.left_out == ()
    source.close()


@pytest.mark.parametrize("way", WAYS)
def test_without_them_they_are_no_images_either(tmp_path: Path, way: str) -> None:
    made = Made()
    path = write_directory(tmp_path / "it", made.files(*entries_of(made, way)))
    (found,) = OciLayoutSource(path, archive=False, referrers=False).resolve("")
    assert isinstance(found, RegistryForm)
    assert found.referrers == ()


def test_one_whose_blobs_are_not_all_there_is_left_out(tmp_path: Path) -> None:
    made = Made()
    files = made.files(made.entry(made.sbom))
    del files[f"blobs/sha256/{made.sbom.node.children[1].digest.hex}"]
    (found,) = OciLayoutSource(write_directory(tmp_path / "it", files), archive=False).resolve("")
    assert isinstance(found, RegistryForm)
    assert found.referrers == ()
    assert made.sbom.digest in found.left_out[0]


def test_a_signature_alone_is_what_was_asked_for(tmp_path: Path) -> None:
    made = Made()
    files = made.files()
    index = {"schemaVersion": 2, "manifests": [made.entry(made.signature, **{_NAME: made.signature.tag})]}
    files["index.json"] = json.dumps(index).encode()
    (found,) = OciLayoutSource(write_directory(tmp_path / "it", files), archive=False).resolve("")
    assert isinstance(found, RegistryForm)
    assert found.tree.root.digest == made.signature.digest


def test_what_an_engine_saved_with_an_image(tmp_path: Path) -> None:
    """An engine with containerd's store saves what it bound to an image."""
    made = Made()
    one = made.image.tree.platform_images()[0]
    row = {
        "Config": f"blobs/sha256/{one.image_id.hex}",
        "RepoTags": [_WEB],
        "Layers": [f"blobs/sha256/{layer.digest.hex}" for layer in one.manifest.layers],
    }
    files = {**made.files(*entries_of(made, WAYS[2])), "manifest.json": json.dumps([row]).encode()}
    path = write_archive(tmp_path / "saved.tar", files)
    for wanted in (True, False):
        source = DockerArchiveSource(path, referrers=wanted)
        (found,) = source.resolve("")
        assert isinstance(found, RegistryForm)
        digests = {made.signature.digest, made.sbom.digest} if wanted else set()
        assert {referrer.digest for referrer in found.referrers} == digests
        source.close()
