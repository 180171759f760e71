"""Targets: documents of images and bundles, and the configuration file."""

from __future__ import annotations

import json

from bundler.bundle.manifest import BundleManifest, parse_bundle_manifest
from bundler.bundle.reader import Bundle
from bundler.content.compression import Encoder
from bundler.content.hashing import block_sum, sha256
from bundler.content.trees import collect_tree
from bundler.errors import AirbundleError, ConfigError, DamagedContent, MalformedDocument, UnsupportedVersion
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.image import ImageTree
from bundler.model.image_config import parse_image_config
from bundler.model.json_documents import canonical_json, parse_json
from bundler.model.manifest import Index, Manifest, parse_manifest
from bundler.packing.locking.lock_file import Lock, LockedImage, LockEntry, parse_lock, write_lock
from bundler.packing.planning.config import PackConfig, parse_config
from bundler.packing.resume.journal import parse_journal
from bundler.packing.reuse.entries import Entry, parse_entry, write_entry
from bundler.transports.docker_archive import parse_table, write_table
from bundler.transports.engine.v1_ids import v1_ids
from bundler.transports.saved_index import named_roots
from tests.fakes.memory import MemorySource
from tests.fuzz.target import LIMITS, SAMPLES, Target, attempt, scratch

_TYPES = ("", *media_types.ACCEPTED, "text/html")
_MOST_BYTES = 16 << 10


def _json(data: bytes) -> None:
    found = attempt(lambda: (parse_json(data, "it", limit=_MOST_BYTES, limits=LIMITS),), MalformedDocument)
    if isinstance(found, tuple):
        # What is taken can be written, and is then the same; and the standard library reads the same.
        assert parse_json(canonical_json(found[0]), "it", limit=1 << 20, limits=LIMITS) == found[0]
        assert json.loads(data) == found[0]


def _manifest(data: bytes) -> None:
    media_type = _TYPES[data[0] % len(_TYPES)] if data else ""
    for raw, said in ((data, ""), (data[1:], media_type)):
        found = attempt(lambda raw=raw, said=said: parse_manifest(raw, said, LIMITS), MalformedDocument)  # type: ignore[misc]
        if isinstance(found, (Manifest, Index)):
            assert found.raw == raw
            assert found.media_type in media_types.MANIFESTS | media_types.INDEXES
            assert all(0 <= child.size < 1 << 63 for child in found.children)


def _config(data: bytes) -> None:
    attempt(lambda: parse_image_config(data, LIMITS), MalformedDocument)


def _tree(data: bytes) -> None:
    """Each line is a document that an index lists with its right digest, under each type in turn."""
    documents = {sha256(line): line for line in data.split(b"\n")}
    children = [
        Descriptor(media_type=_TYPES[number % len(_TYPES)], digest=digest, size=len(line))
        for number, (digest, line) in enumerate(documents.items())
    ]
    index = canonical_json({"schemaVersion": 2, "manifests": children})
    root = Descriptor(media_type=media_types.OCI_INDEX, digest=sha256(index), size=len(index))
    documents[root.digest] = index
    found = attempt(
        lambda: collect_tree(root, lambda wanted: documents.get(wanted.digest), LIMITS, lambda _: True),
        MalformedDocument,
        DamagedContent,
    )
    if isinstance(found, ImageTree):
        assert next(iter(found.blobs())) == root
        attempt(found.platform_images, MalformedDocument)


def _bundle(data: bytes) -> None:
    found = attempt(lambda: parse_bundle_manifest(data, LIMITS), MalformedDocument, UnsupportedVersion)
    if not isinstance(found, BundleManifest):
        return
    assert found.raw == data
    # Whatever a table says: its files lie in the bundle's own directory, and its blobs in its archives.
    assert all(set(part.file) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-") for part in found.parts)
    bundle = Bundle(scratch() / "none", found, limits=LIMITS)
    for application, image in bundle.images():
        assert application.name in found.archive_by_name
        attempt(lambda image=image: bundle.outgoing(image), AirbundleError)  # type: ignore[misc]


def _table(data: bytes) -> None:
    found = attempt(lambda: parse_table(data, LIMITS), MalformedDocument)
    if isinstance(found, tuple):
        again = parse_table(write_table(found), LIMITS)
        assert [(entry.config, entry.layers or ()) for entry in again] == [
            (entry.config, entry.layers or ()) for entry in found
        ]
        for entry in found:
            attempt(lambda entry=entry: entry.references, MalformedDocument)  # type: ignore[misc]


def _index(data: bytes) -> None:
    attempt(lambda: named_roots(data, LIMITS), MalformedDocument)


def _journal(data: bytes) -> None:
    """As it is, and with each line behind the sum that it would need."""
    summed = b"".join(block_sum(line).encode() + line + b"\n" for line in data.split(b"\n"))
    for raw in (data, summed):
        found = attempt(lambda raw=raw: (parse_journal(raw, LIMITS),))  # type: ignore[misc]
        assert isinstance(found, tuple)
        (records,) = found
        if records is not None:
            # What is kept of a torn journal says the same.
            assert 0 < records.length <= len(raw)
            assert parse_journal(raw[: records.length], LIMITS) == records


def _cache_entry(data: bytes) -> None:
    found = attempt(lambda: parse_entry(data, LIMITS), MalformedDocument)
    if isinstance(found, Entry):
        assert found.size >= 0
        assert parse_entry(write_entry(found), LIMITS) == found


def _v1_ids(data: bytes) -> None:
    """Any bytes as an image config: a name for the top layer, or none, and never another one for those below."""
    layers = [sha256(b"below"), sha256(b"top")]
    below, top = v1_ids(layers, "1970-01-01T00:00:00Z", data)
    assert below == v1_ids(layers, "1970-01-01T00:00:00Z")[0]
    if top is not None:
        assert len(bytes.fromhex(top)) == 32
        assert isinstance(json.loads(data), dict)


def _yaml(data: bytes) -> None:
    found = attempt(lambda: parse_config(data, "pack.yaml"), ConfigError)
    if isinstance(found, PackConfig):
        assert found.applications


def _lock(data: bytes) -> None:
    found = attempt(lambda: parse_lock(data, "airbundle.lock", LIMITS), ConfigError)
    if isinstance(found, Lock):
        assert parse_lock(write_lock(found), "airbundle.lock") == found
        assert all(entry.where.isprintable() and entry.images for entry in found.entries)
        assert all(
            (image.digest is None) != (image.image_id is None) for entry in found.entries for image in entry.images
        )


_LOCK = write_lock(
    Lock(
        (
            LockEntry(
                application="shop",
                image="docker://reg.test/app",
                version=">=1.4 <2",
                source="registry",
                where="reg.test",
                resolved="2026-11-30T10:00:00Z",
                images=(
                    LockedImage(reference="reg.test/app:1.4.9", digest=sha256(b""), platforms=("linux/arm64",)),
                ),
            ),
        )
    )
)


def _image_documents() -> list[bytes]:
    source = MemorySource()
    images = [source.make_image([b"base", b"1"], "x", platform=f"linux/{name}") for name in ("amd64", "arm64")]
    index = source.make_index([*images, source.make_artifact(b"x", "x", subject=images[0].tree.root)], "web")
    stored = [path.read_bytes() for path in sorted(SAMPLES.glob("images/*/blobs/sha256/*"))]
    return [*index.tree.documents.values(), *(raw for raw in stored if raw[:1] == b"{" and len(raw) < 4000)]


_DOCUMENTS = tuple(_image_documents())
_TABLE_ROW = b'{"Config":"blobs/sha256/a","RepoTags":["a:1"],"Layers":["b/layer.tar","c.tar"]}'
_NAMED = (
    b'{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:'
    + b"0" * 64
    + b'","size":7,"annotations":{"io.containerd.image.name":"docker.io/library/a:1",'
    b'"org.opencontainers.image.ref.name":"1"}}]}'
)

_JOURNAL = (
    b'{"identity":{"the name":"a"}}\n'
    + b'{"blob":{"archive":"a","digest":"sha256:' + b"0" * 64 + b'","mediaType":"x","offset":512,"size":7}}\n'
    + b'{"archive":"a","number":1,"part":{"blocks":["' + b"0" * 16 + b'"],"file":"a.oci.tar.001","sha256":"'
    + b"0" * 64 + b'","size":9,"xxh3_128":"' + b"0" * 32 + b'"}}\n{"config":"{}"}\n{"archive":"a","size":9}'
)  # fmt: skip

_CACHE_ENTRY = write_entry(Entry(digest=sha256(b""), size=9, diff_id=sha256(b"x"), encoder=Encoder.choose()))
_V1_CONFIG = (
    b'{"architecture":"amd64","created":"2021-02-03T04:05:06.120Z","os":"linux","Size":7,"author":"<\\u2028>",'
    b'"container_config":{"Hostname":"h","Tty":true,"Volumes":{"/a":{}}},"config":{"Env":["A=1"],"Cmd":null,'
    b'"Labels":{"b":"","a":"1"},"Healthcheck":{"Test":["NONE"],"Interval":5},"StopTimeout":1,"Shell":["/bin/sh"]}}'
)

TARGETS = (
    Target("json", _json, (*_DOCUMENTS, b'{"a":[1,-2.5e3,"\\ud83d\\udc33",null,true]}', b'["\\\\\\"",{}]')),
    Target("manifest", _manifest, (*_DOCUMENTS, *(b"\1" + raw for raw in _DOCUMENTS))),
    Target("image-config", _config, _DOCUMENTS),
    Target("tree", _tree, (b"\n".join(_DOCUMENTS[:4]), *_DOCUMENTS)),
    Target(
        "bundle-json",
        _bundle,
        tuple(path.read_bytes() for path in sorted(SAMPLES.glob("bundles/v1/*/bundle.json"))),
    ),
    Target(
        "docker-table", _table, (b"[" + _TABLE_ROW + b"]", b"[" + _TABLE_ROW + b"," + _TABLE_ROW + b"]", b"[]")
    ),
    Target("saved-index", _index, (_NAMED, *_DOCUMENTS)),
    Target("pack-journal", _journal, (_JOURNAL, *_JOURNAL.split(b"\n"))),
    Target("cache-entry", _cache_entry, (_CACHE_ENTRY, write_entry(Entry(digest=sha256(b""), size=0)))),
    Target("v1-ids", _v1_ids, (_V1_CONFIG, *_DOCUMENTS)),
    Target(
        "lock", _lock, (_LOCK, _LOCK.replace(b'"digest"', b'"image_id"'), json.dumps(json.loads(_LOCK)).encode())
    ),
    Target(
        "pack-config",
        _yaml,
        (
            b"name: plant7\nversion: 2026.11.1\npart_size: fat32\napplications:\n  shop:\n"
            b"    images: [shop/web:1, shop/api:1]\n",
            b'{"applications": {"a": {"images": ["oci:x"]}}, "level": 3, "compression": "gzip"}',
            b"a: &x [1, 2]\nb: *x\nc: 2026-11-01\n",
            b"applications:\n  a:\n    images:\n    - {image: 'docker://r.test/a', version: '>=1.4 <2 || ^3'}\n"
            b"    - {image: r.test/b, tags: 'v1.*-alpine', smoke: [nginx, -v]}\n",
        ),
    ),
)
