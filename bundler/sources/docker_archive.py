"""A file that ``docker save`` or a tool like it wrote, as an image source."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bundler.content.compression import DecompressedStream
from bundler.content.hashing import sha256
from bundler.content.images import Content, EngineForm, FoundImage, RegistryForm
from bundler.content.streams import BUFFER_BYTES, ByteStream, MemoryStream, read_exactly
from bundler.errors import DamagedContent, MalformedDocument, NotFound, UsageError
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.image_config import parse_image_config
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.reference import Reference
from bundler.progress import Task
from bundler.transports.docker_archive import TABLE, TableEntry, parse_table
from bundler.transports.saved_index import INDEX, blob_path, named_roots, saved_tree
from bundler.transports.tar_file import TarFile

_SHA256_HEX = re.compile("[0-9a-f]{64}", re.ASCII)
_OLD_TABLE = "repositories"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class _Stored:
    """An image in engine form: its config, and by digest where it and each layer lie in the archive."""

    form: EngineForm
    config: bytes
    paths: dict[Digest, str]


class DockerArchiveSource:
    """An ``ImageSource`` over a docker-archive, in all shapes that engines have given it.

    Images whose compressed layers and manifests are in the archive keep them (registry form); others have the
    engine form, whether layers lie there as ``<id>/layer.tar``, as ``blobs/sha256/<DiffID>`` or compressed
    without a manifest, as some build tools write them.
    """

    #: The same as the engine's: a bundle must not depend on whether ``docker save`` stood in between.
    kind = "docker"

    def __init__(self, path: Path, limits: Limits = DEFAULT_LIMITS) -> None:
        """Open the file and read its tables.

        Raises:
            NotFound: there is no such file.
            UsageError: it is compressed, or no regular file.
            DamagedContent: it is truncated.
            MalformedDocument: it is no tar, no docker-archive, or its tables break their form.
        """
        self._limits = limits
        self._tar = TarFile(path, limits)
        if TABLE not in self._tar:
            raise MalformedDocument(
                f"{path} is no docker-archive: it has no {TABLE}",
                advice="Write it with `docker save`; a tar of an OCI layout is named oci-archive:FILE.",
            )
        self._table = parse_table(self._tar.read(TABLE, limits.document_bytes), limits)
        self._roots = (
            named_roots(self._tar.read(INDEX, limits.document_bytes), limits) if INDEX in self._tar else ()
        )
        self._stored: dict[Digest, _Stored] = {}
        self._trees: dict[Digest, ImageTree] = {}

    def resolve(self, name: str) -> tuple[FoundImage, ...]:
        """Find images: ``""`` is all with all their names, ``@0`` the first, else a reference, short or full.

        Raises:
            NotFound: the archive holds no such image.
            UsageError: an image without a name needs one, or the name is no reference.
            DamagedContent, MalformedDocument: what the archive holds is not what it should be.
        """
        if not name:
            # Of two images with one name the last keeps it, as when an engine loads the archive.
            found = [image for entry in self._table for image in self._all_names(entry)]
            return tuple({image.reference: image for image in (*found, *self._only_in_index())}.values())
        if name.startswith("@"):
            return tuple(self._all_names(self._entry_at(name[1:])))
        return (self._by_name(Reference.parse(name)),)

    def contents(self, image: FoundImage, wanted: Collection[Digest], task: Task) -> Iterator[Content]:
        """Yield contents, see :meth:`ImageSource.contents`, in the order in which the engine saves the image.

        That is by name in the archive, the lowest occurrence of a layer in the image counting; an archive of
        several images then gives the same as the engine, which saves them one by one.
        """
        if isinstance(image, RegistryForm):
            held = {descriptor.digest for descriptor in image.tree.blobs()}
            yield from self._blobs(sorted(held & set(wanted)), task)
            return
        stored = self._stored[image.config_digest]
        paths = {digest: path for digest, path in stored.paths.items() if digest in wanted}
        # Compared field by field, as an engine walks over its directories.
        for digest, path in sorted(paths.items(), key=lambda item: item[1].split("/")):
            task.describe(f"reading {digest.short}")
            if digest == image.config_digest:
                yield Content(digest, len(stored.config), MemoryStream(stored.config))
            else:
                yield from self._layer(digest, path)

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._tar.close()

    def _entry_at(self, digits: str) -> TableEntry:
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 6):
            raise UsageError(f"@{digits:.20} is no position", advice="Write @0 for the first image.")
        if int(digits) >= len(self._table):
            raise NotFound(f"{self._tar.path} holds {len(self._table)} images; @{digits} is not there")
        return self._table[int(digits)]

    def _all_names(self, entry: TableEntry) -> list[FoundImage]:
        if not entry.references:
            raise UsageError(
                f"{self._tar.path} holds an image that has no name",
                advice="If it is the only one, write the name that it shall have behind the file.",
            )
        return [self._image(entry, name) for name in entry.references]

    def _by_name(self, reference: Reference) -> FoundImage:
        if reference.digest is not None:
            roots = [root for _, root in self._roots if root.digest == reference.digest]
            if roots:
                return RegistryForm(reference, self._tree(roots[0]))
        for entry in reversed(self._table):
            if reference in entry.references:
                return self._image(entry, reference)
        for image in self._only_in_index():
            if image.reference == reference:
                return image
        if len(self._table) == 1 and not self._table[0].references and reference.digest is None:
            return self._image(self._table[0], reference)
        names = ", ".join(name.familiar for entry in self._table for name in entry.references)
        raise NotFound(
            f"{self._tar.path} holds no image {reference.familiar}",
            advice=f"It holds: {names:.500}." if names else None,
        )

    def _only_in_index(self) -> list[RegistryForm]:
        tabled = {name for entry in self._table for name in entry.references}
        return [
            RegistryForm(name, self._tree(root))
            for name, root in self._roots
            if name is not None and name not in tabled
        ]

    def _image(self, entry: TableEntry, name: Reference) -> FoundImage:
        config = self._read_config(entry.config)
        digest = sha256(config)
        for root_name, root in self._roots:
            if root_name in (None, name):
                tree = self._tree(root)
                # A classic store makes up a manifest, and it alone still writes the old table of its tags; a
                # containerd store may hold uncompressed layers too, under the manifest that they came with.
                kept = root_name is not None and _OLD_TABLE not in self._tar
                if _has_image(tree, digest) and (kept or _is_registry_form(tree)):
                    return RegistryForm(name, tree)
        if digest not in self._stored:
            self._stored[digest] = self._engine_form(entry, name, config)
        return replace(self._stored[digest].form, reference=name)

    def _engine_form(self, entry: TableEntry, name: Reference, raw: bytes) -> _Stored:
        config, paths = parse_image_config(raw, self._limits), entry.layers or ()
        if len(paths) != len(config.diff_ids):
            raise MalformedDocument(
                f"{name}: {TABLE} names {len(paths)} layers, the image config {len(config.diff_ids)}"
            )
        size: int | None = 0
        for path in paths:
            if path not in self._tar:
                raise DamagedContent(f"{self._tar.path} lacks the layer {path!r:.200} of {name}")
            plain = self._compression(path) == "none"
            size = size + self._tar.size(path) if plain and size is not None else None
        digest = sha256(raw)
        form = EngineForm(name, digest, config.diff_ids, config.platform, size)
        # Reversed: of a layer that occurs twice the lowest place counts.
        layers = dict(zip(reversed(config.diff_ids), reversed(paths), strict=True))
        return _Stored(form, raw, {**layers, digest: entry.config})

    def _read_config(self, path: str) -> bytes:
        if path not in self._tar:
            raise DamagedContent(f"{self._tar.path} lacks the image config {path!r:.200}")
        raw = self._tar.read(path, self._limits.document_bytes)
        claimed = path.rpartition("/")[2].removesuffix(".json")
        if _SHA256_HEX.fullmatch(claimed) and claimed != sha256(raw).hex:
            raise DamagedContent(f"{self._tar.path}: the image config {path!r:.200} is damaged")
        return raw

    def _tree(self, root: Descriptor) -> ImageTree:
        if root.digest not in self._trees:
            self._trees[root.digest] = saved_tree(root, self._fetch, self._holds, self._limits)
        return self._trees[root.digest]

    def _fetch(self, descriptor: Descriptor) -> bytes | None:
        path = blob_path(descriptor.digest)
        return self._tar.read(path, self._limits.document_bytes) if path in self._tar else None

    def _holds(self, digest: Digest) -> bool:
        return blob_path(digest) in self._tar

    def _blobs(self, digests: list[Digest], task: Task) -> Iterator[Content]:
        for digest in digests:
            path = blob_path(digest)
            if path not in self._tar:
                raise DamagedContent(f"{self._tar.path} lacks the blob {digest}")
            task.describe(f"reading {digest.short}")
            yield from _closing(digest, self._tar.size(path), self._tar.open(path))

    def _layer(self, digest: Digest, path: str) -> Iterator[Content]:
        compression = self._compression(path)
        if compression == "none":
            yield from _closing(digest, self._tar.size(path), self._tar.open(path))
            return
        size = _measure(DecompressedStream(self._tar.open(path), compression, self._limits))
        yield from _closing(digest, size, DecompressedStream(self._tar.open(path), compression, self._limits))

    def _compression(self, path: str) -> str:
        stream, start = self._tar.open(path), bytearray(4)
        try:
            read_exactly(stream, memoryview(start))
        finally:
            stream.close()
        if start.startswith(_GZIP):
            return "gzip"
        return "zstd" if start == _ZSTD else "none"


def _closing(digest: Digest, size: int, stream: ByteStream) -> Iterator[Content]:
    try:
        yield Content(digest, size, stream)
    finally:
        stream.close()


def _measure(stream: ByteStream) -> int:
    buffer, size = memoryview(bytearray(BUFFER_BYTES)), 0
    try:
        while count := stream.readinto(buffer):
            size += count
    finally:
        stream.close()
    return size


def _has_image(tree: ImageTree, config_digest: Digest) -> bool:
    return any(image.image_id == config_digest for image in tree.platform_images())


def _is_registry_form(tree: ImageTree) -> bool:
    """Tell whether the image is more than an engine could have made up for its uncompressed layers."""
    if tree.root.media_type in media_types.INDEXES:
        return True
    return any(layer.digest != diff_id for image in tree.platform_images() for layer, diff_id in image.layers())
