"""A bundle as an image source: names to documents, and blobs as verified byte ranges of its parts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from bundler.bundle.block_reader import PartLocations
from bundler.bundle.blocks import ArchiveParts, ArchiveStream
from bundler.bundle.findings import Finding
from bundler.bundle.manifest import Application, Blob, BundleManifest, Image
from bundler.bundle.merging import merge_images
from bundler.bundle.opening import open_manifests
from bundler.content.images import Content, FoundImage, OutgoingImage, Place, RegistryForm, referring_to
from bundler.content.platform_trees import collect_chosen
from bundler.content.streams import ByteStream, VerifiedStream, read_all
from bundler.content.trees import collect_tree
from bundler.errors import DamagedContent, InvalidReference, MalformedDocument, NotFound, UsageError
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.platform_choice import EVERY_PLATFORM, PlatformChoice
from bundler.model.reference import Reference
from bundler.model.referrers import Referrer
from bundler.progress import Task


class Bundle:
    """An open bundle. Implements ``ImageSource`` and ``BlobReader``; holds no file open between calls.

    Attributes:
        locations: the directories that it lies in, such as some sticks; each block is read where it is right.
        manifest: its table of contents.
        findings: what was wrong with the files that hold the table; the table itself is right.
        limits: bounds on what is read from it.
    """

    kind = "bundle"

    def __init__(
        self,
        directories: Path | Sequence[Path],
        manifest: BundleManifest,
        findings: Collection[Finding] = (),
        limits: Limits = DEFAULT_LIMITS,
        *,
        referrers: bool = True,
    ) -> None:
        self._with_referrers = referrers
        self.locations = PartLocations([directories] if isinstance(directories, Path) else directories)
        self.manifest = manifest
        self.findings = tuple(findings)
        self.limits = limits
        self._parts = {
            archive.name: ArchiveParts(self.locations, archive, manifest.block_bytes)
            for archive in manifest.archives
        }
        self._order = {archive.name: number for number, archive in enumerate(manifest.archives)}

    @property
    def directory(self) -> Path:
        """Where it lies, or the first of several such places."""
        return self.locations.directories[0]

    @property
    def is_unfinished(self) -> bool:
        """Whether a directory of it is a copy that was cut."""
        return any(finding.code == "unfinished" for finding in self.findings)

    def parts_of(self, archive: str) -> ArchiveParts:
        """Return where the bytes of an archive lie."""
        return self._parts[archive]

    def images(
        self, applications: Collection[str] = (), names: Collection[str] = ()
    ) -> list[tuple[Application, Image]]:
        """Return the images of some applications, or all; of some names (full or short), or all.

        Raises:
            NotFound: an application or a name is not in the bundle.
        """
        known = {application.name for application in self.manifest.applications}
        for name in applications:
            if name not in known:
                raise NotFound(
                    f"the bundle has no application {name!r}", advice=f"It has: {', '.join(sorted(known))}."
                )
        wanted = {name: _full_name(name) for name in names}
        references = set(wanted.values())
        result = [
            (application, image)
            for application in self.manifest.applications
            if not applications or application.name in applications
            for image in application.images
            if not names or image.reference in references
        ]
        held = {image.reference for _, image in result}
        for name, full in wanted.items():
            if full not in held:
                raise NotFound(f"the bundle has no image {name!r}", advice="`airbundle inspect` lists them.")
        return result

    def outgoing(self, image: Image) -> OutgoingImage:
        """Read an image's documents, ready to be put somewhere.

        Raises:
            IncompleteBundle, DamagedBundle: a part that holds one of them is missing or damaged.
        """
        form = self._form(image)
        blobs = [self.manifest.blob_by_digest[digest] for digest in image.blobs]
        sizes = {blob.digest: blob.uncompressed_size for blob in blobs if blob.uncompressed_size is not None}
        return OutgoingImage(form.reference, form.tree, sizes, form.referrers)

    def open_blob(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
        """Open a blob; every block is checked before its bytes are given, and from offset 0 the digest too.

        Raises:
            NotFound: the bundle has no such blob.
            UsageError: the offset lies outside of it.
        """
        blob = self._blob(descriptor)
        if not 0 <= offset <= blob.size:
            raise UsageError(f"offset {offset} is outside of {blob.digest}")
        stream = ArchiveStream(self._parts[blob.archive], blob.offset + offset, blob.size - offset)
        if offset:
            return stream
        return VerifiedStream(stream, blob.size, blob.digest, "blob")

    def resolve(self, name: str, platforms: PlatformChoice = EVERY_PLATFORM) -> tuple[FoundImage, ...]:
        """Find an image by its full or short name; ``""`` means all. See :meth:`ImageSource.resolve`."""
        found = self.images(names=[name] if name else [])
        images: dict[tuple[str, Digest], Image] = {}
        for _, image in found:
            key = (image.reference, image.descriptor.digest)
            # Two applications may have different platforms of one index.
            images[key] = merge_images(images.get(key, image), image)
        return tuple(self._form(image, platforms) for image in images.values())

    def contents(self, images: Sequence[FoundImage], wanted: Collection[Digest], task: Task) -> Iterator[Content]:
        """Yield blobs in the order in which they lie in the archives: media are read from front to back."""
        missing = set(wanted) - set(self.manifest.blob_by_digest)
        if missing:
            raise DamagedContent(f"the bundle has no blob {min(missing)}")
        for place, digest in sorted((self._place(digest), digest) for digest in set(wanted)):
            blob = self.manifest.blob_by_digest[digest]
            stream = self.open_blob(blob.descriptor)
            try:
                yield Content(digest, blob.size, stream, place)
            finally:
                stream.close()

    def places(self, images: Sequence[FoundImage], configs: Mapping[Digest, bytes]) -> Mapping[Digest, Place]:
        """Return the place of everything that the bundle has, see :meth:`ImageSource.places`."""
        wanted = {digest for image in images for digest in image.digests}
        return {digest: self._place(digest) for digest in wanted if digest in self.manifest.blob_by_digest}

    def close(self) -> None:
        """Nothing is held open."""

    def _place(self, digest: Digest) -> Place:
        blob = self.manifest.blob_by_digest[digest]
        # Two blobs may begin at the same byte: one without bytes lies before the other.
        return (f"{self._order[blob.archive]:09}", f"{blob.offset:020}", f"{blob.size:020}", digest)

    def _form(self, image: Image, platforms: PlatformChoice = EVERY_PLATFORM) -> RegistryForm:
        own = frozenset(image.blobs)

        def fetch(descriptor: Descriptor) -> bytes | None:
            # A variant that this image's source did not have may be in the bundle for another image.
            if descriptor.digest not in own:
                return None
            stream = self.open_blob(descriptor)
            try:
                return read_all(stream, self.limits.document_bytes, "a document")
            finally:
                stream.close()

        tree, selection = collect_chosen(
            image.descriptor, fetch, platforms, self.limits, lambda wanted: wanted.digest in own
        )
        found = (
            Referrer(collect_tree(row.descriptor, fetch, self.limits), row.subject, row.tag)
            for row in (image.referrers if self._with_referrers else ())
        )
        # What refers to a platform that is not taken stays behind.
        referrers = referring_to(tree, found)
        return RegistryForm(Reference.parse(image.reference), tree, referrers, selection=selection)

    def _blob(self, descriptor: Descriptor) -> Blob:
        blob = self.manifest.blob_by_digest.get(descriptor.digest)
        if blob is None:
            raise NotFound(f"the bundle has no blob {descriptor.digest}")
        if blob.size != descriptor.size:
            raise MalformedDocument(
                f"the blob {blob.digest} has {blob.size} bytes in bundle.json, {descriptor.size} in its image"
            )
        return blob


def open_bundle(*directories: Path | str, limits: Limits = DEFAULT_LIMITS, referrers: bool = True) -> Bundle:
    """Open the bundle in a directory, or in several that hold some of its parts each; parts may be missing.

    Without ``referrers`` its images are given alone, without what refers to them.

    Raises:
        UsageError, NotABundle, UnsupportedVersion, IncompleteBundle, DamagedBundle: as
            :func:`~bundler.bundle.opening.open_manifests` says.
    """
    paths = list(dict.fromkeys(map(Path, directories)))
    manifest, findings = open_manifests(paths, limits)
    return Bundle(paths, manifest, findings, limits, referrers=referrers)


def _full_name(name: str) -> str:
    try:
        return str(Reference.parse(name))
    except InvalidReference as error:
        raise NotFound(f"the bundle has no image {name!r:.200}: {error}") from error
