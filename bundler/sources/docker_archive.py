"""A file that ``docker save`` or a tool like it wrote, as an image source."""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from bundler.content.compression import DecompressedStream, recognise_compression
from bundler.content.hashing import sha256
from bundler.content.images import Content, EngineForm, FoundImage, Place, RegistryForm, referring_to
from bundler.content.streams import BUFFER_BYTES, ByteStream, MemoryStream
from bundler.errors import DamagedContent, MalformedDocument, NotFound, UsageError
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.image_config import parse_image_config
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.platform_choice import EVERY_PLATFORM, PlatformChoice
from bundler.model.reference import Reference
from bundler.progress import SILENT, Progress, Task
from bundler.sources.index_referrers import IndexReferrers
from bundler.transports.archive_files import open_archive
from bundler.transports.docker_archive import TABLE, TableEntry, parse_table
from bundler.transports.saved_index import INDEX, blob_path, index_entries, named_roots, saved_tree

_SHA256_HEX = re.compile("[0-9a-f]{64}", re.ASCII)
_OLD_TABLE = "repositories"


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
    without a manifest, as some build tools write them. The file as a whole may be compressed; it gives the same.
    """

    #: The same as the engine's: a bundle must not depend on whether ``docker save`` stood in between.
    kind = "docker"

    def __init__(
        self,
        path: Path,
        limits: Limits = DEFAULT_LIMITS,
        progress: Progress = SILENT,
        *,
        referrers: bool = True,
    ) -> None:
        """Open the file and read its tables; one that is compressed is decompressed once for that.

        ``progress`` is told of it, since it may take long. With ``referrers`` what an engine saved with an image
        since it refers to it is taken too.

        Raises:
            NotFound: there is no such file.
            UsageError: it is no regular file.
            DamagedContent: it is damaged or truncated.
            MalformedDocument: it is no tar, no docker-archive, or its tables break their form.
        """
        self._limits = limits
        self._files = open_archive(path, limits, progress)
        if TABLE not in self._files:
            raise MalformedDocument(
                f"{path} is no docker-archive: it has no {TABLE}",
                advice="Write it with `docker save`; a tar of an OCI layout is named oci-archive:FILE.",
            )
        self._table = parse_table(self._files.read(TABLE, limits.table_bytes), limits)
        index = self._files.read(INDEX, limits.table_bytes) if INDEX in self._files else None
        self._roots = () if index is None else named_roots(index, limits)
        entries = () if index is None or not referrers else index_entries(index, limits)
        self._referrers = IndexReferrers(entries, self._fetch, lambda blob: self._holds(blob.digest), limits)
        #: Where in these a name is: to look through all for each of thousands of images would take long.
        self._roots_of: dict[Reference | None, list[int]] = {}
        for position, (root_name, _) in enumerate(self._roots):
            self._roots_of.setdefault(root_name, []).append(position)
        self._stored: dict[Digest, _Stored] = {}
        self._trees: dict[Digest, ImageTree] = {}

    def resolve(self, name: str, platforms: PlatformChoice = EVERY_PLATFORM) -> tuple[FoundImage, ...]:
        """Find images: ``""`` is all with all their names, ``@0`` the first, else a reference, short or full.

        Raises:
            NotFound: the archive holds no such image.
            NoSuchPlatform: what it holds of an index has nothing for one of the platforms.
            UsageError: an image without a name needs one, or the name is no reference.
            DamagedContent, MalformedDocument: what the archive holds is not what it should be.
        """
        return tuple(self._chosen(image, platforms) for image in self._found(name))

    def _found(self, name: str) -> tuple[FoundImage, ...]:
        if not name:
            # Of two images with one name the last keeps it, as when an engine loads the archive.
            found = [image for entry in self._table for image in self._all_names(entry)]
            return tuple({image.reference: image for image in (*found, *self._only_in_index())}.values())
        if name.startswith("@"):
            return tuple(self._all_names(self._entry_at(name[1:])))
        return (self._by_name(Reference.parse(name)),)

    def contents(
        self, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task
    ) -> Generator[Content, None, None]:
        """Yield contents, see :meth:`ImageSource.contents`, in the order in which the engine saves the images.

        That is by name in the archive, the lowest occurrence of a layer in an image counting; an archive of
        more images then gives the same as the engine. Where entries stand in the archive changes nothing; in one
        that is compressed it decides how often it is decompressed.
        """
        paths = self._paths(images)
        known: dict[Digest, bytes] = {}
        for image in images:
            if isinstance(image, RegistryForm):
                known |= image.documents
            else:
                known[image.config_digest] = self._stored[image.config_digest].config
        order = sorted((_place(path), digest) for digest, path in paths.items() if digest in wanted)
        streamed = {digest: paths[digest] for _, digest in order if digest not in known}
        layers = self._blobs(streamed) if isinstance(images[0], RegistryForm) else self._layers(streamed)
        with closing(layers):
            for place, digest in order:
                task.describe(f"reading {digest.short}")
                raw = known.get(digest)
                found = next(layers) if raw is None else Content(digest, len(raw), MemoryStream(raw))
                yield replace(found, place=place)

    def places(self, images: Sequence[FoundImage], configs: Mapping[Digest, bytes]) -> Mapping[Digest, Place]:
        """Return the place of everything: its name in the archive; see :meth:`ImageSource.places`."""
        return {digest: _place(path) for digest, path in self._paths(images).items()}

    def close(self) -> None:
        """Close the file; may be called more than once."""
        self._files.close()

    def _paths(self, images: Sequence[FoundImage]) -> dict[Digest, str]:
        """Return where each content lies; of a layer that several images have the first one's place counts."""
        paths: dict[Digest, str] = {}
        for image in images:
            if isinstance(image, RegistryForm):
                paths |= {descriptor.digest: blob_path(descriptor.digest) for descriptor in image.blobs()}
            else:
                paths = self._stored[image.config_digest].paths | paths
        return paths

    def _entry_at(self, digits: str) -> TableEntry:
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 6):
            raise UsageError(f"@{digits:.20} is no position", advice="Write @0 for the first image.")
        if int(digits) >= len(self._table):
            raise NotFound(f"{self._files.path} holds {len(self._table)} images; @{digits} is not there")
        return self._table[int(digits)]

    def _all_names(self, entry: TableEntry) -> list[FoundImage]:
        if not entry.references:
            raise UsageError(
                f"{self._files.path} holds an image that has no name",
                advice="If it is the only one, write the name that it shall have behind the file.",
            )
        return [self._image(entry, name) for name in entry.references]

    def _by_name(self, reference: Reference) -> FoundImage:
        if reference.digest is not None:
            roots = [root for _, root in self._roots if root.digest == reference.digest]
            if roots:
                return self._form(reference, self._tree(roots[0]))
        if (entry := self._entries.get(reference)) is not None:
            return self._image(entry, reference)
        for image in self._only_in_index():
            if image.reference == reference:
                return image
        if len(self._table) == 1 and not self._table[0].references and reference.digest is None:
            return self._image(self._table[0], reference)
        names = ", ".join(name.familiar for entry in self._table for name in entry.references)
        raise NotFound(
            f"{self._files.path} holds no image {reference.familiar}",
            advice=f"It holds: {names:.500}." if names else None,
        )

    @cached_property
    def _entries(self) -> dict[Reference, TableEntry]:
        """The rows of the table by name; of two images with one name the last keeps it."""
        return {name: entry for entry in self._table for name in entry.references}

    def _only_in_index(self) -> list[RegistryForm]:
        return [
            self._form(name, self._tree(root))
            for name, root in self._roots
            if name is not None and name not in self._entries
        ]

    def _image(self, entry: TableEntry, name: Reference) -> FoundImage:
        config = self._read_config(entry.config)
        digest = sha256(config)
        for position in sorted((*self._roots_of.get(None, ()), *self._roots_of.get(name, ()))):
            root_name, root = self._roots[position]
            tree = self._tree(root)
            # A classic store makes up a manifest, and it alone still writes the old table of its tags; a
            # containerd store may hold uncompressed layers too, under the manifest that they came with.
            kept = root_name is not None and _OLD_TABLE not in self._files
            if _has_image(tree, digest) and (kept or _is_registry_form(tree)):
                return self._form(name, tree)
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
            if path not in self._files:
                raise DamagedContent(f"{self._files.path} lacks the layer {path!r:.200} of {name}")
            plain = self._compression(path) == "none"
            size = size + self._files.size(path) if plain and size is not None else None
        digest = sha256(raw)
        form = EngineForm(name, digest, config.diff_ids, config.platform, size)
        # Reversed: of a layer that occurs twice the lowest place counts.
        layers = dict(zip(reversed(config.diff_ids), reversed(paths), strict=True))
        return _Stored(form, raw, {**layers, digest: entry.config})

    def _read_config(self, path: str) -> bytes:
        if path not in self._files:
            raise DamagedContent(f"{self._files.path} lacks the image config {path!r:.200}")
        raw = self._files.read(path, self._limits.document_bytes)
        claimed = path.rpartition("/")[2].removesuffix(".json")
        if _SHA256_HEX.fullmatch(claimed) and claimed != sha256(raw).hex:
            raise DamagedContent(f"{self._files.path}: the image config {path!r:.200} is damaged")
        return raw

    def _form(self, reference: Reference, tree: ImageTree) -> RegistryForm:
        referrers = self._referrers.of(tree)
        return RegistryForm(reference, tree, referrers.found, referrers.left_out)

    def _tree(self, root: Descriptor) -> ImageTree:
        if root.digest not in self._trees:
            self._trees[root.digest], _ = saved_tree(root, self._fetch, self._holds, self._limits)
        return self._trees[root.digest]

    def _chosen(self, image: FoundImage, platforms: PlatformChoice) -> FoundImage:
        if platforms.is_all or isinstance(image, EngineForm):
            return image
        # What it was found by is the whole image: its row in the table may be of a platform that is not wanted.
        tree, selection = saved_tree(image.tree.root, self._fetch, self._holds, self._limits, platforms)
        referrers = referring_to(tree, image.referrers)
        return replace(image, tree=tree, referrers=referrers, selection=selection)

    def _fetch(self, descriptor: Descriptor) -> bytes | None:
        path = blob_path(descriptor.digest)
        return self._files.read(path, self._limits.document_bytes) if path in self._files else None

    def _holds(self, digest: Digest) -> bool:
        return blob_path(digest) in self._files

    def _blobs(self, paths: Mapping[Digest, str]) -> Generator[Content, None, None]:
        for digest, path in paths.items():
            if path not in self._files:
                raise DamagedContent(f"{self._files.path} lacks the blob {digest}")
        with closing(self._files.walk(list(paths.values()))) as streams:
            for (digest, path), stream in zip(paths.items(), streams, strict=True):
                assert stream is not None  # all are there
                yield Content(digest, self._files.size(path), stream)

    def _layers(self, paths: Mapping[Digest, str]) -> Generator[Content, None, None]:
        """Yield layers uncompressed, whether or not they are stored so."""
        names = list(paths.values())
        # All at once: a file that is compressed as a whole is then read twice, not twice for each layer.
        sizes = self._plain_sizes([name for name in names if self._compression(name) != "none"])
        with closing(self._files.walk(names)) as streams:
            for (digest, name), stream in zip(paths.items(), streams, strict=True):
                assert stream is not None  # as was seen when the image was found
                if name in sizes:
                    plain = DecompressedStream(stream, self._compression(name), self._limits)
                    yield Content(digest, sizes[name], plain)
                else:
                    yield Content(digest, self._files.size(name), stream)

    def _plain_sizes(self, names: list[str]) -> dict[str, int]:
        if not names:
            return {}
        with closing(self._files.walk(names)) as streams:
            return {
                name: _measure(DecompressedStream(stream, self._compression(name), self._limits))
                for name, stream in zip(names, streams, strict=True)
                if stream is not None
            }

    def _compression(self, path: str) -> str:
        return recognise_compression(self._files.start(path))


def _place(path: str) -> Place:
    # Compared field by field, as an engine walks over its directories.
    return tuple(path.split("/"))


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
