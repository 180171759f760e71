"""A source and a destination that keep everything in memory, and makers of small images.

Both keep the promises of ``bundler.content.images`` (the contract suites run on them as on all others).
``MemorySource.blobs`` is an ordinary dictionary: a test damages or removes a blob simply by changing it.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bundler.content.compression import Encoder, start_compressor
from bundler.content.hashing import sha256
from bundler.content.images import (
    BlobReader,
    Content,
    EngineForm,
    FoundImage,
    OutgoingImage,
    Place,
    PutResult,
    RegistryForm,
    distinct_blobs,
    referring_to,
)
from bundler.content.platform_trees import collect_chosen
from bundler.content.streams import ByteStream, MemoryStream, VerifiedStream, read_all
from bundler.content.trees import collect_tree
from bundler.errors import DamagedContent, NotFound, UsageError
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.json_documents import canonical_json
from bundler.model.platform_choice import EVERY_PLATFORM, PlatformChoice
from bundler.model.platforms import Platform
from bundler.model.reference import Reference
from bundler.model.referrers import Referrer
from bundler.progress import Task

AMD64 = "linux/amd64"
_LAYER_TYPES = {
    "none": media_types.OCI_LAYER,
    "gzip": media_types.OCI_LAYER_GZIP,
    "zstd": media_types.OCI_LAYER_ZSTD,
}


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """Return a layer that holds these files, the same bytes every time."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def compress(data: bytes, compression: str) -> bytes:
    """Return ``data`` in the form ``none``, ``gzip`` or ``zstd``."""
    if compression == "none":
        return data
    compressor = start_compressor(Encoder.choose(compression), workers=1)
    return b"".join([*compressor.compress(memoryview(data)), *compressor.flush()])


def make_config(layers: Sequence[bytes], platform: str = AMD64) -> bytes:
    """Return the image config of these uncompressed layers, bottom first."""
    parsed = Platform.parse(platform)
    config = {
        "architecture": parsed.architecture,
        "os": parsed.os,
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
    }
    if parsed.variant:
        config["variant"] = parsed.variant
    return canonical_json(config)


@dataclass
class CountingTask:
    """A task that remembers the bytes it was told."""

    done: int = 0
    texts: list[str] = field(default_factory=list)

    def advance(self, count: int) -> None:
        assert count >= 0
        self.done += count

    def describe(self, text: str) -> None:
        self.texts.append(text)

    def expect(self, total: int | None) -> None:
        pass

    def __enter__(self) -> CountingTask:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class MemorySource:
    """An ``ImageSource`` and ``BlobReader`` over two dictionaries."""

    def __init__(self, kind: str = "oci") -> None:
        self.kind = kind
        self.images: dict[str, FoundImage] = {}
        self.blobs: dict[Digest, bytes] = {}
        self.closed = False
        #: digest of each blob given out, in order: what the code under test really read
        self.opened: list[Digest] = []

    # -- makers ---------------------------------------------------------------------------------------------

    def store(self, data: bytes, media_type: str, **more: object) -> Descriptor:
        """Keep a blob; return its descriptor, ``more`` being further fields of it."""
        digest = sha256(data)
        self.blobs[digest] = data
        return Descriptor(media_type=media_type, digest=digest, size=len(data), **more)  # type: ignore[arg-type]

    def make_image(
        self, layers: Sequence[bytes], reference: str, *, platform: str = AMD64, compression: str = "gzip"
    ) -> RegistryForm:
        """Add an image in registry form, made of uncompressed layers, bottom first."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "config": self.store(make_config(layers, platform), media_types.OCI_CONFIG),
            "layers": [self.store(compress(data, compression), _LAYER_TYPES[compression]) for data in layers],
        }
        return self.add(manifest, reference, platform=Platform.parse(platform))

    def make_artifact(self, payload: bytes, reference: str, **more: object) -> RegistryForm:
        """Add an artifact: a manifest whose config is no image config, such as a signature."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "config": self.store(b"{}", "application/vnd.oci.empty.v1+json"),
            "layers": [self.store(payload, "application/vnd.test.payload")],
            **more,
        }
        return self.add(manifest, reference)

    def make_index(
        self, images: Sequence[RegistryForm], reference: str, *, absent: Sequence[Descriptor] = ()
    ) -> RegistryForm:
        """Add an index of images made here; ``absent`` are listed too, but not there (a sparse index)."""
        manifests = [*(image.tree.root for image in images), *absent]
        index = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": manifests}
        return self.add(index, reference)

    def make_engine_image(self, layers: Sequence[bytes], reference: str, *, platform: str = AMD64) -> EngineForm:
        """Add an image as a graph-driver store keeps it: a config and uncompressed layers."""
        config = self.store(make_config(layers, platform), media_types.OCI_CONFIG)
        diff_ids = tuple(self.store(layer, media_types.OCI_LAYER).digest for layer in layers)
        name, size = Reference.parse(reference), sum(map(len, layers))
        image = EngineForm(name, config.digest, diff_ids, Platform.parse(platform), size)
        self.images[str(name)] = image
        return image

    def add(self, document: dict[str, object], reference: str, **more: object) -> RegistryForm:
        """Add a manifest or index, given as a document whose children are stored already."""
        root = self.store(canonical_json(document), str(document["mediaType"]), **more)
        tree = collect_tree(
            root,
            lambda wanted: self.blobs.get(wanted.digest),
            holds=lambda wanted: wanted.digest in self.blobs,
        )
        name = Reference.parse(reference)
        image = RegistryForm(name, tree)
        self.images[str(name)] = image
        return image

    def refer(self, image: RegistryForm, *referrers: Referrer) -> RegistryForm:
        """Return the image with what refers to it, and keep it so."""
        self.images[str(image.reference)] = found = replace(image, referrers=(*image.referrers, *referrers))
        return found

    def make_referrer(self, payload: bytes, subject: Descriptor, **more: object) -> Referrer:
        """Make an artifact that names its subject in its manifest, such as an SBOM; it is no image of its own."""
        bare = Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size)
        kind = {"artifactType": "application/vnd.test.sbom", **more}
        made = self.make_artifact(payload, "referrer.test/any", subject=bare, **kind)
        del self.images[str(made.reference)]
        return Referrer(made.tree, subject.digest)

    def make_signature(self, subject: Descriptor, signature: str = "c2lnbmVk", kind: str = "sig") -> Referrer:
        """Make what cosign makes: a manifest that a tag names, with an image config of no platform."""
        payload = canonical_json({"critical": {"image": {"docker-manifest-digest": subject.digest}}})
        layer = self.store(
            payload,
            "application/vnd.dev.cosign.simplesigning.v1+json",
            annotations={"dev.cosignproject.cosign/signature": signature},
        )
        rootfs = {"type": "layers", "diff_ids": [layer.digest]}
        config = canonical_json({"architecture": "", "os": "", "config": {}, "rootfs": rootfs})
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_MANIFEST,
            "config": self.store(config, media_types.OCI_CONFIG),
            "layers": [layer],
        }
        made = self.add(manifest, "referrer.test/any")
        del self.images[str(made.reference)]
        return Referrer(made.tree, subject.digest, f"sha256-{subject.digest.hex}.{kind}")

    # -- ImageSource and BlobReader -------------------------------------------------------------------------

    def resolve(self, name: str, platforms: PlatformChoice = EVERY_PLATFORM) -> tuple[FoundImage, ...]:
        return tuple(self._chosen(image, platforms) for image in self._found(name))

    def _chosen(self, image: FoundImage, platforms: PlatformChoice) -> FoundImage:
        if isinstance(image, EngineForm) or platforms.is_all:
            return image
        there = image.tree.documents
        tree, selection = collect_chosen(
            image.tree.root,
            lambda wanted: self.blobs.get(wanted.digest) if wanted.digest in there else None,
            platforms,
            holds=lambda wanted: wanted.digest in self.blobs,
        )
        referrers = referring_to(tree, image.referrers)
        return replace(image, tree=tree, referrers=referrers, selection=selection)

    def _found(self, name: str) -> tuple[FoundImage, ...]:
        if not name:
            return tuple(self.images.values())
        full = str(Reference.parse(name))
        if full not in self.images:
            raise NotFound(f"there is no image {name}")
        return (self.images[full],)

    def contents(self, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task) -> Iterator[Content]:
        for digest, place in self.places(images, {}).items():
            if digest in wanted:
                if digest not in self.blobs:
                    raise DamagedContent(f"{digest} is not there")
                data = self.blobs[digest]
                task.describe(f"reading {digest.short}")
                self.opened.append(digest)
                yield Content(digest, len(data), MemoryStream(data), place)

    def places(self, images: Sequence[FoundImage], configs: Mapping[Digest, bytes]) -> dict[Digest, Place]:
        order = dict.fromkeys(digest for image in images for digest in _order(image))
        return {digest: (f"{number:06}",) for number, digest in enumerate(order)}

    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
        if descriptor.digest not in self.blobs:
            raise NotFound(f"{descriptor.digest} is not there")
        if not 0 <= offset <= descriptor.size:
            raise UsageError(f"offset {offset} is outside of {descriptor.digest}")
        self.opened.append(descriptor.digest)
        stream = MemoryStream(memoryview(self.blobs[descriptor.digest])[offset:])
        return stream if offset else VerifiedStream(stream, descriptor.size, descriptor.digest)

    def close(self) -> None:
        self.closed = True


def _order(image: FoundImage) -> list[Digest]:
    if isinstance(image, RegistryForm):
        return [descriptor.digest for descriptor in image.blobs()]
    return list(dict.fromkeys((image.config_digest, *image.diff_ids)))


def multi_platform(
    source: MemorySource,
    reference: str,
    platforms: Sequence[str] = ("linux/amd64", "linux/arm64", "linux/s390x"),
    *,
    layer: Callable[[str], bytes] = str.encode,
) -> RegistryForm:
    """Add an image of several platforms as BuildKit makes them: the index says each, and lists attestations."""
    manifests: list[dict[str, object]] = []
    for text in platforms:
        platform = Platform.parse(text)
        root = source.make_image([layer("base"), layer(text)], "x", platform=text).tree.root
        attestation = source.make_artifact(f"provenance of {text}".encode(), "x").tree.root
        for one, said, more in (
            (root, platform, {}),
            (
                attestation,
                Platform("unknown", "unknown"),
                {
                    "vnd.docker.reference.digest": str(root.digest),
                    "vnd.docker.reference.type": "attestation-manifest",
                },
            ),
        ):
            entry = {"mediaType": one.media_type, "digest": one.digest, "size": one.size, "platform": said}
            manifests.append({**entry, "annotations": more} if more else entry)
    index = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": manifests}
    return source.add({**index, "annotations": {"kept": "yes"}}, reference)


def engine_form_source(images: Mapping[str, Sequence[bytes]], *, platform: str = AMD64) -> MemorySource:
    """Return a source like an engine's: for each reference an ``EngineForm`` of uncompressed layers."""
    source = MemorySource(kind="docker")
    for reference, layers in images.items():
        source.make_engine_image(layers, reference, platform=platform)
    return source


class MemoryDestination:
    """An ``ImageDestination`` that keeps blobs and names; names are visible at once."""

    is_one_file = False

    def __init__(self) -> None:
        self.blobs: dict[Digest, bytes] = {}
        self.names: dict[str, Digest] = {}
        self.trees: dict[str, OutgoingImage] = {}
        self.state = "open"

    def put(self, image: OutgoingImage, reader: BlobReader, task: Task) -> PutResult:
        name, digest = str(image.reference), image.tree.root.digest
        before, fresh, skipped = self.names.get(name), dict[Digest, bytes](), 0
        for descriptor in distinct_blobs(image.trees):
            if descriptor.digest in self.blobs:
                skipped += descriptor.size
            elif (data := _read(reader, descriptor)) is not None:
                fresh[descriptor.digest] = data
            else:
                continue
            task.advance(descriptor.size)
        self.blobs.update(fresh)
        self.names[name], self.trees[name] = digest, image
        return PutResult(
            reference=name,
            target=name,
            digest=digest,
            status="skipped" if before == digest and not fresh else "extracted",
            bytes_sent=sum(map(len, fresh.values())),
            bytes_skipped=skipped,
            replaced=before if before != digest else None,
        )

    def finish(self) -> None:
        self.state = "finished"

    def abort(self) -> None:
        self.state = "aborted"


def _read(reader: BlobReader, descriptor: Descriptor) -> bytes | None:
    """Read a blob; a foreign layer may be absent."""
    try:
        stream = reader.open_blob(descriptor)
    except NotFound:
        if media_types.is_foreign_layer(descriptor.media_type):
            return None
        raise
    try:
        return read_all(stream, descriptor.size)
    finally:
        stream.close()
