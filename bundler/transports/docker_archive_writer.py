"""Makes docker-archives, which engines load; one that holds everything as it is is an OCI layout as well.

Blobs come first and the tables last, so that an archive that breaks off is never taken for a whole one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from bundler.content.compression import DecompressedStream
from bundler.content.hashing import sha256
from bundler.content.images import BlobReader, distinct_blobs
from bundler.content.streams import BUFFER_BYTES, ByteStream, MemoryStream, VerifiedStream
from bundler.content.tar import END_OF_ARCHIVE, file_header, padding
from bundler.errors import DamagedContent, NotFound, UsageError
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree, PlatformImage
from bundler.model.json_documents import canonical_json
from bundler.model.referrers import Referrer
from bundler.transports.docker_archive import TABLE, TableEntry, write_table
from bundler.transports.saved_index import FULL_NAME, INDEX, LAYOUT, REF_NAME, blob_path

#: Opens what is written under one name; ``None`` for a foreign layer, which its owner keeps to himself.
_Opener = Callable[[], "ByteStream | None"]

LayerForm = Literal["stored", "plain", "omitted"]
_LAYOUT_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'


@dataclass(frozen=True)
class ArchiveLayer:
    """A layer and the form in which it is written.

    Attributes:
        blob: as the image's manifest describes it.
        diff_id: digest of the uncompressed tar.
        form: ``stored`` as it is; ``plain`` decompressed while it is written; ``omitted`` because the reader
            of the archive has it.
        plain_size: bytes when decompressed; needed for ``plain``, since a tar says sizes first.
    """

    blob: Descriptor
    diff_id: Digest
    form: LayerForm = "stored"
    plain_size: int = 0

    @property
    def path(self) -> str:
        """Its name in the archive."""
        return blob_path(self.diff_id if self.form == "plain" else self.blob.digest)


@dataclass(frozen=True)
class ArchiveImage:
    """One image for the archive.

    Attributes:
        name: complete, with a tag and without a digest, which engines refuse there; ``None`` for no name.
        tree: its documents.
        chosen: the platform that the docker table gives; ``None`` for none, as with artifacts.
        layers: of the chosen platform, bottom first.
        referrers: of the image; they come with it only in registry form.
    """

    name: str | None
    tree: ImageTree
    chosen: PlatformImage | None
    layers: tuple[ArchiveLayer, ...] = ()
    referrers: tuple[Referrer, ...] = ()


def _ignore(count: int) -> None:
    pass


@dataclass
class DockerArchiveWriter:
    """Writes one archive: first each image by :meth:`add`, then :meth:`end`; blobs of several only once.

    Attributes:
        registry_form: write all blobs of all platforms as they are, and the tables of an OCI layout; without
            it only what the docker table names, with layers in the form that each says.
        on_payload: is told the bytes of each piece of a blob as it is handed over.
    """

    registry_form: bool
    on_payload: Callable[[int], None] = _ignore
    _written: set[str] = field(default_factory=set)
    _table: dict[tuple[str, tuple[str, ...]], list[str]] = field(default_factory=dict)
    _roots: dict[str, Descriptor] = field(default_factory=dict)
    _referrers: dict[tuple[Digest, Digest, str], Descriptor] = field(default_factory=dict)

    def add(self, image: ArchiveImage, reader: BlobReader) -> Iterator[bytes]:
        """Yield the bytes of an image's blobs; it belongs to the archive once the last of them was taken.

        After an error or a break the writer stands as before: take the bytes back, or give up the archive.

        Raises:
            DamagedContent: a blob is not what its digest says.
            NotFound: the reader has not all blobs.
        """
        written = set(self._written)
        if self.registry_form and not written:
            yield from _file(LAYOUT, _LAYOUT_CONTENT)
            written.add(LAYOUT)
        for path, open_stream, size in self._contents(image, reader):
            if path in written:
                continue
            stream = open_stream()
            if stream is None:
                continue
            try:
                yield from self._payload(path, stream, size)
            finally:
                stream.close()
            written.add(path)
        self._written = written
        self._enter(image)

    def end(self) -> Iterator[bytes]:
        """Yield the tables and the mark of the end."""
        entries = tuple(
            TableEntry(config=config, repo_tags=tuple(names), layers=layers)
            for (config, layers), names in self._table.items()
        )
        if entries:
            yield from _file(TABLE, write_table(entries))
        if self.registry_form:
            yield from _file(INDEX, self._index())
        yield END_OF_ARCHIVE

    def _contents(self, image: ArchiveImage, reader: BlobReader) -> Iterator[tuple[str, _Opener, int]]:
        documents: Mapping[Digest, bytes] = image.tree.documents
        if self.registry_form:
            trees = (image.tree, *(referrer.tree for referrer in image.referrers))
            documents = {digest: raw for tree in trees for digest, raw in tree.documents.items()}
            for blob in distinct_blobs(trees):
                yield blob_path(blob.digest), _opener(blob, documents.get(blob.digest), reader), blob.size
            return
        if image.chosen is not None:
            config = image.chosen.manifest.config
            yield blob_path(config.digest), _opener(config, documents[config.digest], reader), config.size
        for layer in image.layers:
            if layer.form == "stored":
                yield layer.path, _opener(layer.blob, None, reader), layer.blob.size
            elif layer.form == "plain":
                yield layer.path, _plain_opener(layer, reader), layer.plain_size

    def _payload(self, path: str, stream: ByteStream, size: int) -> Iterator[bytes]:
        yield file_header(path, size)
        buffer = memoryview(bytearray(BUFFER_BYTES))
        left = size
        while count := stream.readinto(buffer):
            left -= count
            if left < 0:
                break
            yield bytes(buffer[:count])
            self.on_payload(count)
        if left:
            # A verified stream has said so before; one that is not must not break the form of the tar.
            raise DamagedContent(f"{path} has not the {size} bytes that were announced")
        yield bytes(padding(size))

    def _enter(self, image: ArchiveImage) -> None:
        if image.name is not None:
            for names in self._table.values():
                if image.name in names:
                    names.remove(image.name)
        self._roots[image.name or image.tree.root.digest] = image.tree.root
        self._referrers.update({(one.digest, one.subject, one.tag): one.entry() for one in image.referrers})
        if image.chosen is not None:
            config = blob_path(image.chosen.manifest.config.digest)
            names = self._table.setdefault((config, tuple(layer.path for layer in image.layers)), [])
            if image.name is not None:
                names.append(image.name)

    def _index(self) -> bytes:
        manifests: list[object] = []
        for name, root in self._roots.items():
            entry: dict[str, object] = {"mediaType": root.media_type, "digest": root.digest, "size": root.size}
            if name != root.digest:
                entry["annotations"] = {FULL_NAME: name, REF_NAME: name}
            manifests.append(entry)
        manifests = [*manifests, *self._referrers.values()]
        return canonical_json({"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": manifests})


def measure_plain(layer: Descriptor, reader: BlobReader) -> int:
    """Return the bytes that a layer has when decompressed, by decompressing it once.

    Raises:
        DamagedContent: it is damaged, or unpacks to more than is allowed.
        UsageError: its compression is not known here.
        NotFound: the reader has not got it.
    """
    stream = _decompressed(layer, reader)
    buffer, total = memoryview(bytearray(BUFFER_BYTES)), 0
    try:
        while count := stream.readinto(buffer):
            total += count
    finally:
        stream.close()
    return total


def _decompressed(layer: Descriptor, reader: BlobReader) -> DecompressedStream:
    compression = media_types.layer_compression(layer.media_type)
    if compression is None:
        raise UsageError(
            f"the layer {layer.digest} cannot be decompressed: it is {layer.media_type!r:.100}",
            advice="Push the image to a registry, which takes layers as they are.",
        )
    return DecompressedStream(reader.open_blob(layer), compression)


def _opener(blob: Descriptor, document: bytes | None, reader: BlobReader) -> _Opener:
    def open_stream() -> ByteStream | None:
        if document is not None:
            if sha256(document) != blob.digest:
                raise DamagedContent(f"{blob.digest} is damaged")
            return MemoryStream(document)
        try:
            return reader.open_blob(blob)
        except NotFound:
            if media_types.is_foreign_layer(blob.media_type):
                return None
            raise

    return open_stream


def _plain_opener(layer: ArchiveLayer, reader: BlobReader) -> _Opener:
    def open_stream() -> ByteStream:
        return VerifiedStream(_decompressed(layer.blob, reader), layer.plain_size, layer.diff_id, "layer")

    return open_stream


def _file(name: str, content: bytes) -> Iterator[bytes]:
    yield file_header(name, len(content)) + content + bytes(padding(len(content)))
