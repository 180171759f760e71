"""Image manifests, indexes and configs."""

from __future__ import annotations

import json

import pytest

from bundler.errors import MalformedDocument
from bundler.model import media_types
from bundler.model.digest import Digest
from bundler.model.image_config import parse_image_config
from bundler.model.limits import Limits
from bundler.model.manifest import Index, Manifest, parse_manifest
from bundler.model.platforms import Platform

OCI, LIST = media_types.OCI_MANIFEST, media_types.OCI_INDEX


def descriptor(number: int = 1, **more: object) -> dict[str, object]:
    return {"mediaType": "a/b", "digest": f"sha256:{number:064x}", "size": number, **more}


def manifest(**change: object) -> dict[str, object]:
    return {"schemaVersion": 2, "config": descriptor(1), "layers": [descriptor(2), descriptor(3)], **change}


def index(**change: object) -> dict[str, object]:
    return {"schemaVersion": 2, "manifests": [descriptor(1), descriptor(2)], **change}


def parse(value: object, media_type: str = "", limits: Limits | None = None) -> Manifest | Index:
    return parse_manifest(json.dumps(value).encode(), media_type, limits or Limits())


@pytest.mark.parametrize(
    ("inside", "outside", "result"),
    [
        (None, "", OCI),
        (None, OCI, OCI),
        (OCI, "", OCI),
        (OCI, OCI, OCI),
        (media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST),
        (None, media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST),
    ],
)
def test_manifests(inside: str | None, outside: str, result: str) -> None:
    found = parse(manifest(**({"mediaType": inside} if inside else {})), outside)
    assert isinstance(found, Manifest)
    assert found.media_type == result
    assert [child.size for child in found.children] == [1, 2, 3]


@pytest.mark.parametrize(
    ("inside", "outside", "result"),
    [
        (None, "", LIST),
        (LIST, "", LIST),
        (LIST, LIST, LIST),
        (None, media_types.DOCKER_LIST, media_types.DOCKER_LIST),
    ],
)
def test_indexes(inside: str | None, outside: str, result: str) -> None:
    found = parse(index(**({"mediaType": inside} if inside else {})), outside)
    assert isinstance(found, Index)
    assert found.media_type == result
    assert [child.size for child in found.children] == [1, 2]


def test_the_raw_bytes_are_kept() -> None:
    raw = b' {"layers":[], "schemaVersion":2,\n"config":' + json.dumps(descriptor()).encode() + b"} "
    assert parse_manifest(raw, OCI).raw == raw


def test_artifacts_and_subjects() -> None:
    found = parse(manifest(artifactType="x/y", subject=descriptor(9)))
    assert isinstance(found, Manifest)
    assert found.artifact_type == "x/y"
    assert found.subject is not None
    assert found.subject.size == 9
    listed = parse(index(subject=descriptor(9)))
    assert listed.subject is not None


@pytest.mark.parametrize(
    "value", [manifest(layers=None), manifest(layers=[]), index(manifests=None), index(manifests=[])]
)
def test_a_list_of_nothing_may_be_null(value: dict[str, object]) -> None:
    # Tools written in Go write null for it.
    assert [child.size for child in parse(value).children] == ([1] if "config" in value else [])


@pytest.mark.parametrize(
    ("value", "media_type"),
    [
        ([], ""),
        (None, ""),
        ("x", ""),
        ({}, ""),
        ({"schemaVersion": 2}, OCI),
        (manifest(schemaVersion=1), ""),
        (manifest(schemaVersion="2"), ""),
        (manifest(schemaVersion=None), ""),
        (manifest(config=None), ""),
        (manifest(layers=[None]), ""),
        (manifest(layers={}), ""),
        (manifest(manifests=[]), ""),
        (index(layers=[]), ""),
        (index(config=descriptor()), ""),
        (manifest(mediaType=LIST), ""),
        (index(mediaType=OCI), ""),
        (manifest(mediaType=OCI), media_types.DOCKER_MANIFEST),
        (manifest(mediaType=OCI), LIST),
        (manifest(), LIST),
        (index(), OCI),
        (manifest(mediaType="application/vnd.docker.distribution.manifest.v1+json"), ""),
        (manifest(mediaType=7), ""),
        (manifest(mediaType=["x"]), ""),
        (manifest(), "text/html"),
        (manifest(annotations={"a": 1}), ""),
        (manifest(subject="x"), ""),
        (index(schemaVersion=3), ""),
        (index(manifests=[descriptor(size=-1)]), ""),
        (index(manifests=[descriptor(digest="sha512:" + "0" * 128)]), ""),
    ],
)
def test_refuses_what_is_neither(value: object, media_type: str) -> None:
    with pytest.raises(MalformedDocument):
        parse(value, media_type)


def test_bounds() -> None:
    limits = Limits(annotation_count=2, document_bytes=2000)
    two, three = {"a": "", "b": ""}, {"a": "", "b": "", "c": ""}
    parse(manifest(annotations=two, layers=[descriptor(annotations=two)]), "", limits)
    for value in (
        manifest(annotations=three),
        manifest(layers=[descriptor(annotations=three)]),
        manifest(config=descriptor(annotations=three)),
        index(annotations=three),
        index(manifests=[descriptor(annotations=three)]),
    ):
        with pytest.raises(MalformedDocument, match="annotations"):
            parse(value, "", limits)
    with pytest.raises(MalformedDocument, match="the limit document_bytes is 2000"):
        parse(manifest(annotations={"a": "x" * 2000}), "", limits)


def config(**change: object) -> bytes:
    ids = [f"sha256:{number:064x}" for number in (1, 2)]
    value = {"architecture": "arm", "os": "linux", "variant": "v7", "rootfs": {"type": "layers", "diff_ids": ids}}
    return json.dumps({**value, **change}).encode()


def test_image_configs() -> None:
    raw = config(**{"os.version": "10.0", "config": {"Cmd": ["x"]}, "history": [{"empty_layer": True}]})
    found = parse_image_config(raw)
    assert found.raw == raw
    assert found.platform == Platform("arm", "linux", "v7", "10.0")
    assert found.diff_ids == (Digest(f"sha256:{1:064x}"), Digest(f"sha256:{2:064x}"))


@pytest.mark.parametrize("root", [{"type": "layers", "diff_ids": None}, {"diff_ids": []}, {"type": "layers"}])
def test_image_configs_without_layers(root: object) -> None:
    assert parse_image_config(config(rootfs=root)).diff_ids == ()


@pytest.mark.parametrize(
    "change",
    [{"rootfs": None}, {"rootfs": []}, {"rootfs": {"type": "x"}}, {"rootfs": {"diff_ids": "x"}},
     {"rootfs": {"diff_ids": ["sha256:0"]}}, {"rootfs": {"diff_ids": [None]}}, {"architecture": None}, {"os": 1},
     {"variant": {}}],
)  # fmt: skip
def test_broken_image_configs(change: dict[str, object]) -> None:
    with pytest.raises(MalformedDocument, match="the image config"):
        parse_image_config(config(**change))


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b"{", b'{"rootfs":{"diff_ids":[]},"rootfs":{}}'])
def test_what_is_no_image_config(raw: bytes) -> None:
    with pytest.raises(MalformedDocument, match="the image config"):
        parse_image_config(raw)
