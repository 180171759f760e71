"""Whatever bytes come as a document: a value or a declared error, nothing else."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from bundler.content.hashing import sha256
from bundler.content.trees import collect_tree
from bundler.errors import AirbundleError
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.image_config import parse_image_config
from bundler.model.json_documents import canonical_json, parse_json
from bundler.model.limits import Limits
from bundler.model.manifest import Index, Manifest, parse_manifest
from tests.fakes.memory import MemorySource
from tests.property.hostile import nearly

LIMITS = Limits(document_bytes=3000, json_depth=10, documents=20)
TYPES = st.sampled_from(["", *media_types.ACCEPTED, "text/html"])


def valid_documents() -> list[bytes]:
    source = MemorySource()
    images = [source.make_image([b"base", b"1"], "x", platform=f"linux/{name}") for name in ("amd64", "arm64")]
    index = source.make_index([*images, source.make_artifact(b"x", "x", subject=images[0].tree.root)], "web")
    return list(index.tree.documents.values())


DOCUMENTS = valid_documents()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=15,
)


@given(nearly([*DOCUMENTS, b'{"a":[1,"\\ud83d\\udc33"]}', b'["\\\\\\"",{}]']))
def test_json(data: bytes) -> None:
    try:
        value = parse_json(data, "it", limit=3000, limits=LIMITS)
    except AirbundleError:
        return
    # What was accepted can be written, and is the same value then.
    again = parse_json(canonical_json(value), "it", limit=100_000, limits=LIMITS)
    assert again == value == json.loads(data)


@given(JSON)
def test_json_that_python_writes(value: object) -> None:
    data = json.dumps(value).encode()
    try:
        assert parse_json(data, "it", limit=3000, limits=LIMITS) == value
    except AirbundleError:
        # Surrogates, NaN, infinities, depth and size: not everything that Python writes is taken.
        return


@given(nearly(DOCUMENTS), TYPES)
def test_manifests(data: bytes, media_type: str) -> None:
    try:
        found = parse_manifest(data, media_type, LIMITS)
    except AirbundleError:
        return
    assert found.raw == data
    assert found.media_type in media_types.MANIFESTS | media_types.INDEXES
    assert isinstance(found, Manifest) is (found.media_type in media_types.MANIFESTS)
    assert all(child.size >= 0 for child in found.children)


KEYS = ["schemaVersion", "mediaType", "config", "layers", "manifests", "subject", "annotations", "artifactType"]


@given(st.sampled_from(DOCUMENTS), st.lists(st.tuples(st.sampled_from(KEYS), JSON), min_size=1, max_size=2), TYPES)
def test_manifests_with_any_value_in_any_place(
    data: bytes, changes: list[tuple[str, object]], media_type: str
) -> None:
    document = {**json.loads(data), **dict(changes)}
    try:
        found = parse_manifest(json.dumps(document).encode(), media_type, LIMITS)
    except AirbundleError:
        return
    assert isinstance(found, (Manifest, Index))


@given(nearly(DOCUMENTS))
def test_image_configs(data: bytes) -> None:
    try:
        assert parse_image_config(data, LIMITS).raw == data
    except AirbundleError:
        return


@given(
    st.sampled_from(DOCUMENTS), st.sampled_from(["architecture", "os", "variant", "os.version", "rootfs"]), JSON
)
def test_image_configs_with_any_value_in_any_place(data: bytes, key: str, value: object) -> None:
    try:
        parse_image_config(json.dumps({**json.loads(data), key: value}).encode(), LIMITS)
    except AirbundleError:
        return


@given(st.lists(nearly(DOCUMENTS), min_size=1, max_size=4))
def test_trees_of_changed_documents(documents: list[bytes]) -> None:
    """Each document is reachable from an index with its right digest, so that only its form can be wrong."""
    blobs = {sha256(data): data for data in documents}
    children = [
        {"mediaType": media_types.ACCEPTED[number % 4], "digest": digest, "size": len(data)}
        for number, (digest, data) in enumerate(blobs.items())
    ]
    index = canonical_json({"schemaVersion": 2, "manifests": children})
    root = Descriptor(media_type=media_types.OCI_INDEX, digest=sha256(index), size=len(index))
    blobs[root.digest] = index
    try:
        tree = collect_tree(root, lambda wanted: blobs.get(wanted.digest), LIMITS)
        assert {descriptor.digest for descriptor in tree.blobs()} >= {root.digest}
        assert len(tree.platform_images()) <= len(documents)
    except AirbundleError:
        return
