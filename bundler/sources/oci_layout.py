"""OCI image layouts as an image source: ``oci:DIR[:REF]`` and ``oci-archive:FILE[:REF]``."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from bundler.content.images import Content, FoundImage, RegistryForm
from bundler.content.streams import ByteStream, MemoryStream, VerifiedStream
from bundler.content.trees import collect_tree
from bundler.errors import DamagedContent, InvalidReference, MalformedDocument, NotFound
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.reference import Reference
from bundler.progress import Task
from bundler.transports.oci_layout import (
    DirectoryFiles,
    LayoutEntry,
    LayoutFiles,
    OciLayout,
    is_foreign,
    layout_name,
)
from bundler.transports.tar_file import TarFile


class OciLayoutSource:
    """An ``ImageSource`` and ``BlobReader`` over one layout."""

    kind = "oci"

    def __init__(self, path: Path, *, archive: bool, limits: Limits = DEFAULT_LIMITS) -> None:
        """Open the layout in a directory, or with ``archive`` in a plain tar.

        Raises:
            NotFound: nothing is there, or it is no OCI layout.
            MalformedDocument: it breaks the specification or a bound.
            DiskError: the disk refused.
        """
        self._path = path
        self._limits = limits
        files: LayoutFiles = TarFile(path, limits) if archive else DirectoryFiles(path)
        self._layout = OciLayout(files, layout_name(path), limits)

    def resolve(self, name: str) -> tuple[FoundImage, ...]:
        """Find images by name, without reading any layer.

        Args:
            name: ``""`` for all that are named (the only image of a layout also where it has no name); else
                what an annotation says to the letter, a reference that means the same, or ``@sha256:…``.

        Raises:
            NotFound: there is no such image.
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
        return tuple(self._image(reference, entry) for reference, entry in found.items())

    def contents(self, image: FoundImage, wanted: Collection[Digest], task: Task) -> Iterator[Content]:
        """Yield what is wanted in the order of the image's tree; a foreign layer may be absent.

        Raises:
            DamagedContent: another blob is absent.
        """
        assert isinstance(image, RegistryForm)  # resolve() finds nothing else
        for descriptor in image.tree.blobs():
            if descriptor.digest not in wanted:
                continue
            task.describe(f"reading {descriptor.digest.short} from {self._path.name}")
            try:
                stream = self._open(image, descriptor)
            except NotFound as error:
                if is_foreign(descriptor):
                    continue
                raise DamagedContent(f"{self._path} lacks {descriptor.digest} of {image.reference}") from error
            try:
                yield Content(descriptor.digest, descriptor.size, stream)
            finally:
                stream.close()

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
        named = [entry for entry in self._layout.entries if entry.names]
        if not named and len(self._layout.entries) == 1:
            return list(self._layout.entries)
        if not named:
            raise NotFound(f"{self._path} has no named images", advice=self._held())
        return named

    def _select(self, name: str) -> list[LayoutEntry]:
        entries = self._layout.entries
        if name.startswith("@"):
            digest = Reference.parse("any" + name).digest
            found = [entry for entry in entries if entry.descriptor.digest == digest]
        else:
            found = [entry for entry in entries if name in entry.names]
            found = found or [entry for entry in entries if self._means(name, entry)]
        if not found:
            raise NotFound(f"{self._path} has no image {name!r:.200}", advice=self._held())
        return found

    def _means(self, name: str, entry: LayoutEntry) -> bool:
        asked = Reference.parse(name)
        try:
            has = self._layout.reference(entry)
        except InvalidReference:
            return False
        if asked.digest is None:
            return has == asked
        return asked.digest == entry.descriptor.digest and asked.name == has.name and asked.tag in ("", has.tag)

    def _reference(self, entry: LayoutEntry, by_digest: bool) -> Reference:
        try:
            return self._layout.reference(entry)
        except InvalidReference:
            if not by_digest or not entry.names:
                raise
            return self._layout.own_reference(f"@{entry.descriptor.digest}")

    def _image(self, reference: Reference, entry: LayoutEntry) -> RegistryForm:
        return RegistryForm(reference, collect_tree(entry.descriptor, self._layout.fetch, self._limits))

    def _open(self, image: RegistryForm, descriptor: Descriptor) -> ByteStream:
        document = image.tree.documents.get(descriptor.digest)
        return self._layout.open(descriptor) if document is None else MemoryStream(document)

    def _held(self) -> str:
        held = [entry.names[0] if entry.names else f"@{entry.descriptor.digest}" for entry in self._layout.entries]
        more = f" and {len(held) - 10} more" if len(held) > 10 else ""
        return f"It holds: {', '.join(f'{name:.200}' for name in held[:10]) or 'nothing'}{more}."
