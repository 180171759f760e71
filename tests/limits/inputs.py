"""Input for each limit: how much of it there is, and who reads it. Each is valid but for the limit."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import zstandard
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bundler.api.locking import read_lock
from bundler.bundle.manifest import parse_bundle_manifest
from bundler.bundle.parity.table import parse_parity_table
from bundler.content.compression import CREDIT_BYTES, DecompressedStream
from bundler.content.hashing import sha256
from bundler.content.referrers import collect_referrers
from bundler.content.streams import MemoryStream, read_all
from bundler.content.tar import END_OF_ARCHIVE, TarReader, file_header
from bundler.content.trees import collect_tree
from bundler.discover.compose.interpolation import Interpolation
from bundler.discover.compose.options import ComposeOptions
from bundler.discover.projects import Inputs, find_projects
from bundler.discover.yaml_documents import parse_documents
from bundler.errors import ConfigError, LimitExceeded, ProtocolError, SignatureRefused, UsageError
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image_config import parse_image_config
from bundler.model.json_documents import canonical_json, parse_json
from bundler.model.limits import Limits
from bundler.model.manifest import parse_manifest
from bundler.model.naming.table import parse_table as parse_renames
from bundler.model.referrers import Lead
from bundler.packing.locking.lock_file import Lock, LockedImage, LockEntry, parse_lock, write_lock
from bundler.packing.planning.config import read_config
from bundler.packing.reuse.entries import Entry, parse_entry, write_entry
from bundler.transports.archive_files import open_archive
from bundler.transports.docker_archive import parse_table
from bundler.transports.engine import EngineClient
from bundler.transports.engine.load_answer import read_load_answer
from bundler.transports.layout_files import DirectoryFiles
from bundler.transports.oci_layout import OciLayout
from bundler.transports.registry.address import RegistryAddress
from bundler.transports.registry.client import RegistryClient, Repository
from bundler.transports.registry.referrers import find_referrers, parse_referrers
from bundler.transports.registry.tags import list_tags
from bundler.transports.saved_index import named_roots
from bundler.trust.signatures import verify_signature
from tests.fakes import http_peers
from tests.fakes.memory import MemorySource, compress, make_config
from tests.fakes.registry import FakeRegistry
from tests.fuzz import parity

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
_TABLE = (SAMPLES / "bundles/v1/two-applications/bundle.json").read_bytes()
_PARITY = next(target.seeds[0] for target in parity.TARGETS if target.name == "parity-json")
_CACHE_ENTRY = write_entry(Entry(digest=sha256(b"x"), size=1))
_ENTRY = {"Config": "c", "RepoTags": ["a:1"], "Layers": ["l1", "l2"]}


@dataclass(frozen=True)
class Input:
    """Something that has exactly ``amount`` of what a limit bounds.

    Attributes:
        limit: name of the field.
        amount: of it, in the field's unit.
        read: has it read with some limits; is given a directory of its own.
        error: what it raises when there is too much.
    """

    limit: str
    amount: int
    read: Callable[[Limits, Path], object]
    error: type[Exception] = LimitExceeded


def _descriptor(number: int = 1, **more: object) -> dict[str, object]:
    return {"mediaType": media_types.OCI_LAYER, "digest": f"sha256:{number:064x}", "size": 1, **more}


def _manifest(**changes: object) -> bytes:
    config = {**_descriptor(), "mediaType": media_types.OCI_CONFIG}
    return json.dumps({"schemaVersion": 2, "config": config, "layers": [], **changes}).encode()


def _config_file(limits: Limits, directory: Path) -> object:
    path = directory / "pack.yaml"
    path.write_bytes(b"applications: {a: {images: [x]}}\n".ljust(100, b"\n"))
    return read_config(path, limits)


def _key_file(limits: Limits, directory: Path) -> object:
    public = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    path = directory / "key.pub"
    path.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).ljust(400, b"\n"))
    try:
        verify_signature(b"", b"", path, limits)
    except SignatureRefused:
        return None  # the key was read, and did not make this
    raise AssertionError


def _version_file(limits: Limits, directory: Path) -> object:
    (directory / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}'.ljust(50))
    (directory / "index.json").write_bytes(b'{"schemaVersion":2,"manifests":[]}')
    return OciLayout(DirectoryFiles(directory), "layout", limits)


def _index_file(limits: Limits, directory: Path) -> object:
    (directory / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    (directory / "index.json").write_bytes(_padded(b'{"schemaVersion":2,"manifests":[]}', 900))
    return OciLayout(DirectoryFiles(directory), "layout", limits)


def _tree(documents: dict[Digest, bytes], root: bytes, limits: Limits) -> object:
    held = {**documents, sha256(root): root}
    top = Descriptor(media_type=media_types.OCI_INDEX, digest=sha256(root), size=len(root))
    return collect_tree(top, lambda wanted: held.get(wanted.digest), limits)


def _index(*children: bytes) -> bytes:
    rows = [{"mediaType": media_types.OCI_INDEX, "digest": sha256(raw), "size": len(raw)} for raw in children]
    return canonical_json({"schemaVersion": 2, "manifests": rows})


def _flat(limits: Limits, _: Path) -> object:
    children = [_index() + b" " * number for number in range(4)]
    return _tree({sha256(raw): raw for raw in children}, _index(*children), limits)


def _deep(limits: Limits, _: Path) -> object:
    documents, top = {}, _index()
    for _level in range(3):
        documents[sha256(top)] = top
        top = _index(top)
    return _tree(documents, top, limits)


def _tar(*files: tuple[str, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _entries(data: bytes, limits: Limits) -> list[object]:
    reader, found = TarReader(MemoryStream(data), limits=limits), []
    while (entry := reader.next()) is not None:
        found.append(entry)
    return list(found)


def _archive(data: bytes, limits: Limits, directory: Path) -> object:
    (directory / "archive").write_bytes(data)
    return open_archive(directory / "archive", limits)


def _links(limits: Limits, directory: Path) -> object:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for number in range(5):
            info = tarfile.TarInfo(f"l{number}")
            info.type, info.linkname = tarfile.SYMTYPE, f"l{number + 1}"
            tar.addfile(info)
        tar.addfile(tarfile.TarInfo("l5"))
    (directory / "archive").write_bytes(out.getvalue())
    return open_archive(directory / "archive", limits).resolve("l0")


def _unpacked(data: bytes, kind: str, limits: Limits) -> bytes:
    return read_all(DecompressedStream(MemoryStream(data), kind, limits), 1 << 30)


def _frame(window_log: int) -> bytes:
    parameters = zstandard.ZstdCompressionParameters(window_log=window_log, write_content_size=False)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return compressor.compress(b"x" * 5000) + compressor.flush()


def _redirects(limits: Limits, _: Path) -> object:
    def leading(peer: http_peers.Peer) -> http_peers.Answer:
        def answer(request: BaseHTTPRequestHandler) -> None:
            hops = int(request.path.rpartition("/")[2])
            if hops:
                return http_peers.reply(request, 307, b"", "text/plain", Location=f"/v2/{hops - 1}")
            return http_peers.reply(request, 200, b"{}", "application/json")

        return answer

    with http_peers.serve(leading) as peer:
        client = RegistryClient(RegistryAddress(peer.address, True), limits=limits)
        try:
            client.request("GET", "/v2/3", expected=(200,), what="asking").close()
        finally:
            client.close()
    return None


def _engine(limits: Limits, _: Path) -> object:
    body = b'{"ApiVersion":"1.41","MinAPIVersion":"1.12","Version":"20.10.24","Os":"linux","Arch":"amd64"}'.ljust(
        200
    )
    with http_peers.serve(http_peers.nonsense(body)) as peer:
        client = EngineClient(f"tcp://{peer.address}", limits=limits)
        try:
            return client.info
        finally:
            client.close()


def _tags(limits: Limits, _: Path) -> object:
    with FakeRegistry() as fake:
        fake.store.repo("a").tags = dict.fromkeys("12345", "x")
        fake.quirks.tags_page = 1
        client = RegistryClient(RegistryAddress(fake.address, True), limits=limits)
        try:
            return list_tags(Repository(client, "a"))
        finally:
            client.close()


def _lock_file(limits: Limits, directory: Path) -> object:
    path = directory / "airbundle.lock"
    path.write_bytes(write_lock(Lock(())).ljust(200, b"\n"))
    return read_lock(path, limits)


def _two_locked(limits: Limits, _: Path) -> object:
    images = tuple(LockedImage(reference=f"a.test/a:{number}", digest=sha256(b"x")) for number in range(2))
    entry = LockEntry(
        application="a", image="oci:x", source="oci", where="x", resolved="2026-11-30T10:00:00Z", images=images
    )
    return parse_lock(write_lock(Lock((entry,))), "it", limits)


def _padded(data: bytes, length: int) -> bytes:
    return data + b" " * (length - len(data))


def _long_list(limits: Limits, directory: Path) -> object:
    (directory / "images.txt").write_bytes(_padded(b"a:1\n", 40))
    return find_projects(Inputs(("images.txt",), ComposeOptions(directory=directory), limits=limits))


def _full_directory(limits: Limits, directory: Path) -> object:
    for name in ("a.txt", "b.txt", "images.txt"):
        (directory / name).write_bytes(b"a:1\n")
    return find_projects(Inputs((".",), ComposeOptions(directory=directory), limits=limits))


def _included(limits: Limits, directory: Path) -> object:
    """The first file is read twice: for its name comes before its variables."""
    (directory / "compose.yaml").write_bytes(b"include: [more.yaml]\n")
    (directory / "more.yaml").write_bytes(b"services: {a: {image: 'a:1'}}\n")
    return find_projects(Inputs((".",), ComposeOptions(directory=directory), limits=limits))


_ZEROS = compress(bytes(12 << 20), "zstd")
_RATIO = -(-(12 << 20) // (len(_ZEROS) + CREDIT_BYTES))
_LAYERS = [b"1", b"2", b"3"]
_BUNDLE = json.loads(_TABLE)
_LONG_NAME = "n" * 500
_GZIPPED = _tar(("a.json", b"[" + b" " * 98 + b"]"), ("b", b"x" * 5000))
_PAX_TAR = _tar((_LONG_NAME, b""), form=tarfile.PAX_FORMAT)
_PAX_SIZE = int(_PAX_TAR[124:135], 8)
_MANY = {f"k{number}": "v" for number in range(7)}


def _bundle(limits: Limits, _: Path) -> object:
    return parse_bundle_manifest(_TABLE, limits)


def _renaming(limits: Limits, _: Path) -> object:
    rules = [{"prefix": "docker.io/library", "to": "base"}, {"name": "reg.test/a:1", "to": "b"}]
    return parse_bundle_manifest(canonical_json({**_BUNDLE, "rename": rules}), limits)


def _referrers(limits: Limits, _: Path) -> object:
    """An SBOM of 1000 bytes and its signature: two, of two levels."""
    memory = MemorySource()
    image = memory.make_image([b""], "x/a:1")
    sbom = memory.make_referrer(b"s" * 1000, image.tree.root)
    said = {image.tree.root.digest: [sbom], sbom.digest: [memory.make_referrer(b"signed", sbom.tree.root)]}
    return collect_referrers(
        image.tree,
        lambda subject: [Lead(one.tree.root) for one in said.get(subject, ())],
        lambda root: collect_tree(root, lambda wanted: memory.blobs.get(wanted.digest)),
        limits,
    )


_REFERRER_BYTES = 584 + 2 + 1000 + 581 + 6


def _pages(limits: Limits, _: Path) -> object:
    with FakeRegistry() as fake:
        fake.quirks.referrers, fake.quirks.referrers_page = True, 1
        memory, subject = MemorySource(), Digest.from_hex("0" * 64)
        root = Descriptor(media_type=media_types.OCI_MANIFEST, digest=subject, size=1)
        for text in "abc":
            made = memory.make_referrer(text.encode(), root).tree
            fake.store.repo("x/a").manifests[made.root.digest] = (
                made.root.media_type,
                made.documents[made.root.digest],
            )
        client = RegistryClient(RegistryAddress(fake.address, True), limits=limits)
        try:
            return find_referrers(Repository(client, "x/a"), subject)
        finally:
            client.close()


INPUTS = (
    Input("referrers", 2, _referrers),
    Input("referrers", 3, lambda on, _: parse_referrers(_index(b"1", b"2", b"3"), on)),
    Input("referrer_bytes", _REFERRER_BYTES, _referrers),
    Input("referrer_nesting", 2, _referrers),
    Input("referrer_pages", 3, _pages),
    Input("document_bytes", 900, lambda on, _: parse_manifest(_padded(_manifest(), 900), "", on)),
    Input("table_bytes", 900, _index_file),
    Input("table_bytes", 900, lambda on, _: named_roots(_padded(b'{"schemaVersion":2,"manifests":[]}', 900), on)),
    Input("table_bytes", 900, lambda on, _: parse_table(_padded(json.dumps([_ENTRY]).encode(), 900), on)),
    Input("document_bytes", 900, lambda on, _: parse_image_config(_padded(make_config([b"1"]), 900), on)),
    Input("bundle_manifest_bytes", len(_TABLE), _bundle),
    Input("parity_table_bytes", len(_PARITY), lambda on, _: parse_parity_table(_PARITY, on)),
    Input("config_bytes", 100, _config_file, ConfigError),
    Input("config_bytes", 200, _lock_file, ConfigError),
    Input("images", 2, _two_locked, ConfigError),
    Input("tags", 5, _tags),
    Input("tag_pages", 5, _tags),
    Input("signature_bytes", 400, _key_file, UsageError),
    Input("version_file_bytes", 50, _version_file),
    Input("cache_entry_bytes", 300, lambda on, _: parse_entry(_padded(_CACHE_ENTRY, 300), on)),
    Input("json_depth", 9, lambda on, _: parse_json(b"[" * 9 + b"]" * 9, "it", limit=99, limits=on)),
    Input("json_depth", 9, lambda on, _: parse_json(b'{"a":' * 9 + b"1" + b"}" * 9, "it", limit=99, limits=on)),
    Input("number_chars", 30, lambda on, _: parse_json(b"[" + b"7" * 30 + b"]", "it", limit=99, limits=on)),
    Input("number_chars", 30, lambda on, _: parse_json(b"-0." + b"7" * 27, "it", limit=99, limits=on)),
    Input("documents", 5, _flat),
    Input("document_nesting", 3, _deep),
    Input("tree_bytes", 4 * len(_index()) + 6 + len(_index(*(_index() + b" " * n for n in range(4)))), _flat),
    Input("layers", 6, lambda on, _: parse_manifest(_manifest(layers=[_descriptor(n) for n in range(6)]), "", on)),
    Input("layers", 3, lambda on, _: parse_image_config(make_config(_LAYERS), on)),
    Input("layers", 2, lambda on, _: parse_table(json.dumps([_ENTRY]).encode(), on)),
    Input("annotation_count", 7, lambda on, _: parse_manifest(_manifest(annotations=_MANY), "", on)),
    Input("annotation_count", 7,
          lambda on, _: parse_manifest(_manifest(layers=[_descriptor(annotations=_MANY)]), "", on)),
    Input("annotation_bytes", 21, lambda on, _: parse_manifest(_manifest(annotations=_MANY), "", on)),
    Input("name_chars", 50, lambda on, _: parse_manifest(_manifest(annotations={"k" * 50: ""}), "", on)),
    Input("name_chars", 50, lambda on, _: parse_table(json.dumps([{**_ENTRY, "Config": "c" * 50}]).encode(), on)),
    Input("name_chars", len(_LONG_NAME), lambda on, _: _entries(_PAX_TAR, on)),
    Input("applications", len(_BUNDLE["applications"]), _bundle),
    Input("images", sum(len(row["images"]) for row in _BUNDLE["applications"]), _bundle),
    Input("images", 4, lambda on, _: parse_table(json.dumps([_ENTRY] * 4).encode(), on)),
    Input("blobs", len(_BUNDLE["blobs"]), _bundle),
    Input("rename_rules", 3, lambda on, _: parse_renames(b"a b\nc d\n# e\ne f", "names", on), ConfigError),
    Input("rename_rules", 2, _renaming),
    Input("parts", sum(len(row["parts"]) for row in _BUNDLE["archives"]), _bundle),
    Input("block_bytes", _BUNDLE["block_bytes"], _bundle),
    Input("archive_entries", 3, lambda on, _: _entries(file_header("a", 0) * 3 + END_OF_ARCHIVE, on)),
    Input("archive_entries", 3, lambda on, _: _entries(file_header("a", 0) * 3, on)),
    Input("archive_bytes", 6656,
          lambda on, at: _archive(gzip.compress(_GZIPPED[:6656]), on, at)),
    Input("archive_document_bytes", 612, lambda on, at: _archive(gzip.compress(_GZIPPED), on, at)),
    Input("archive_links", 5, _links),
    Input("header_record_bytes", _PAX_SIZE, lambda on, _: _entries(_PAX_TAR, on)),
    Input("layer_bytes", 5000, lambda on, _: _unpacked(gzip.compress(bytes(5000)), "gzip", on)),
    Input("layer_bytes", 5000, lambda on, _: _unpacked(bytes(5000), "none", on)),
    Input("layer_ratio", _RATIO, lambda on, _: _unpacked(_ZEROS, "zstd", on)),
    Input("window_log", 18, lambda on, _: _unpacked(_frame(18), "zstd", on)),
    Input("redirects", 3, _redirects, ProtocolError),
    Input("engine_answer_bytes", 200, _engine, ProtocolError),
    Input("discovered_bytes", 40, _long_list, ConfigError),
    Input("discovered_files", 3, _full_directory, ConfigError),
    Input("yaml_nodes", 7, lambda on, _: parse_documents(b"- &a [x, y]\n- *a\n", "it", on), ConfigError),
    Input("yaml_depth", 3, lambda on, _: parse_documents(b"[{a: [b]}]", "it", on), ConfigError),
    Input("project_files", 3, _included, ConfigError),
    Input("project_nesting", 3,
          lambda on, _: Interpolation({}, on).text("${A:-${B:-${C:-x}}}", "it", "file"), ConfigError),
    Input("engine_line_bytes", 80,
          lambda on, _: read_load_answer([_padded(b'{"stream":"x"}', 80) + b"\n"], "loading", on), ProtocolError),
    Input("engine_line_bytes", 80,
          lambda on, _: read_load_answer([_padded(b'{"stream":"x"}', 80)], "loading", on), ProtocolError),
)  # fmt: skip
