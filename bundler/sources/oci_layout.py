"""OCI image layouts as an image source: ``oci:DIR[:REF]`` and ``oci-archive:FILE[:REF]``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from bundler.content.images import Content, FoundImage, Place, RegistryForm, tree_places
from bundler.content.platform_trees import collect_chosen
from bundler.content.streams import ByteStream, MemoryStream, VerifiedStream
from bundler.errors import DamagedContent, InvalidReference, MalformedDocument, NotFound
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.listing import first_of
from bundler.model.platform_choice import EVERY_PLATFORM, PlatformChoice
from bundler.model.reference import Reference
from bundler.model.referrers import Referrers
from bundler.progress import SILENT, Progress, Task
from bundler.sources.index_referrers import IndexReferrers
from bundler.sources.layout_names import LayoutNames
from bundler.transports.archive_files import open_archive
from bundler.transports.layout_files import DirectoryFiles, LayoutFiles
from bundler.transports.oci_layout import LayoutEntry, OciLayout, is_foreign, layout_name


class OciLayoutSource:
    """An ``ImageSource`` and ``BlobReader`` over one layout."""

    kind = "oci"

    def __init__(
        self,
        path: Path,
        *,
        archive: bool,
        limits: Limits = DEFAULT_LIMITS,
        name: str | None = None,
        progress: Progress = SILENT,
        referrers: bool = True,
    ) -> None:
        """Open a layout.

        Args:
            path: Of a directory, or of a tar, plain or compressed.
            archive: It is a tar.
            limits: Bounds what is read.
            name: The layout's own name, to which images belong that have only a tag; by default that of the file.
            progress: Is told of an archive that must be decompressed to see what is in it.
            referrers: Take what refers to an image with it.

        Raises:
            NotFound: nothing is there, or it is no OCI layout.
            MalformedDocument: it breaks the specification or a bound.
            DiskError: the disk refused.
        """
        self._path = path
        self._limits = limits
        files: LayoutFiles = open_archive(path, limits, progress) if archive else DirectoryFiles(path)
        self._layout = OciLayout(files, layout_name(path if name is None else Path(name)), limits)
        self._names = LayoutNames(self._layout)
        self._with_referrers = referrers
        layout = self._layout
        self._referrers = IndexReferrers(layout.index.manifests, layout.fetch, layout.holds, limits)

    def resolve(self, name: str, platforms: PlatformChoice = EVERY_PLATFORM) -> tuple[FoundImage, ...]:
        """Find images by name, without reading any layer.

        Args:
            name: ``""`` for all that are named (the only image of a layout also where it has no name), but for
                what is there only because it refers to another; else what an annotation says to the letter, a
                reference that means the same, or ``@sha256:…``.
            platforms: What is taken of an image that has an index.

        Raises:
            NotFound: there is no such image.
            NoSuchPlatform: an index has nothing for one of the platforms.
            InvalidReference: what was found has no usable name.
            MalformedDocument, DamagedContent: documents of the image are broken, altered or absent; or two
                images have the name.
        """
        entries = self._select(name) if name else self._all()
        found: dict[Reference, LayoutEntry] = {}
        for entry in entries:
            reference = self._reference(entry, by_digest=name.startswith("@"))
            if found.setdefault(reference, entry).descriptor.digest != entry.descriptor.digest:
                raise MalformedDocument(
                    f"{self._path} has several images of the name {reference}",
                    advice="Ask for one of them by @sha256:… digest.",
                )
        return tuple(self._image(reference, entry, platforms) for reference, entry in found.items())

    def contents(self, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task) -> Iterator[Content]:
        """Yield what is wanted in the order of the image's tree; a foreign layer may be absent.

        That is rarely the order of an archive: one that is compressed is decompressed again for every blob that
        lies before the one given last, on average for every second one.

        Raises:
            DamagedContent: another blob is absent.
        """
        (image,) = images
        assert isinstance(image, RegistryForm)  # resolve() finds nothing else
        documents, places = image.documents, tree_places(image)
        order = [descriptor for descriptor in image.blobs() if descriptor.digest in wanted]
        streamed = [descriptor for descriptor in order if descriptor.digest not in documents]
        with closing(self._layout.walk(streamed)) as streams:
            for descriptor in order:
                task.describe(f"reading {descriptor.digest.short} from {self._path.name}")
                raw = documents.get(descriptor.digest)
                stream = next(streams) if raw is None else MemoryStream(raw)
                if stream is not None:
                    yield Content(descriptor.digest, descriptor.size, stream, places[descriptor.digest])
                elif not is_foreign(descriptor):
                    raise DamagedContent(f"{self._path} lacks {descriptor.digest} of {image.reference}")

    def places(self, images: Sequence[FoundImage], configs: Mapping[Digest, bytes]) -> Mapping[Digest, Place]:
        """Return the place of everything, see :meth:`ImageSource.places`."""
        (image,) = images
        return tree_places(image) if isinstance(image, RegistryForm) else {}

    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
        """Open a blob; from offset 0 it is verified, from others it is bounded by its size.

        Raises:
            NotFound: it is absent.
            DamagedContent: it is no regular file, or shorter than the offset.
            UsageError: the offset lies outside of the blob.
        """
        stream = self._layout.open(descriptor, offset)
        return stream if offset else VerifiedStream(stream, descriptor.size, descriptor.digest, "blob")

    def close(self) -> None:
        """Close the layout."""
        self._layout.close()

    def _all(self) -> list[LayoutEntry]:
        images = [entry for entry in self._layout.entries if not self._referrers.is_no_image(entry.descriptor)]
        named = [entry for entry in images if entry.names]
        if not named and len(images) == 1:
            return images
        if not named:
            raise NotFound(f"{self._path} has no named images", advice=self._held())
        return named

    def _select(self, name: str) -> list[LayoutEntry]:
        found = self._names.find(name)
        if not found:
            raise NotFound(f"{self._path} has no image {name!r:.200}", advice=self._held())
        return found

    def _reference(self, entry: LayoutEntry, by_digest: bool) -> Reference:
        own = f"@{entry.descriptor.digest}"
        if by_digest and not entry.names:
            # A layout may have many of these; not all can be its `latest`.
            return self._layout.own_reference(own)
        try:
            return self._layout.reference(entry)
        except InvalidReference:
            if not by_digest:
                raise
            return self._layout.own_reference(own)

    def _image(self, reference: Reference, entry: LayoutEntry, platforms: PlatformChoice) -> RegistryForm:
        layout = self._layout
        tree, selection = collect_chosen(entry.descriptor, layout.fetch, platforms, self._limits, layout.holds)
        referrers = self._referrers.of(tree) if self._with_referrers else Referrers()
        return RegistryForm(reference, tree, referrers.found, referrers.left_out, selection=selection)

    def _held(self) -> str:
        held = [entry.names[0] if entry.names else f"@{entry.descriptor.digest}" for entry in self._layout.entries]
        return f"It holds: {first_of([f'{name:.200}' for name in held], 10) or 'nothing'}."
