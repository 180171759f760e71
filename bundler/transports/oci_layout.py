"""Reads OCI image layouts (OCI image-spec image-layout.md) from a directory, or from a tar of one.

Nothing in a layout is believed: documents are bounded and strict, a blob is found by its digest alone, and
whoever reads a blob verifies it. Only regular files are opened, so that a link on a foreign medium leads nowhere.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bundler.content.streams import ByteStream
from bundler.errors import DamagedContent, InvalidReference, MalformedDocument, NotFound, UsageError
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.json_documents import parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.manifest import Index, parse_manifest
from bundler.model.reference import DEFAULT_REGISTRY, Reference
from bundler.transports.layout_files import LayoutFiles

VERSION_FILE, INDEX_FILE = "oci-layout", "index.json"
VERSION = "1.0.0"
#: The full name, as containerd and newer engines write it.
CONTAINERD_NAME = "io.containerd.image.name"
#: The specification's annotation; most tools put only a tag there.
REF_NAME = "org.opencontainers.image.ref.name"
_ARCHIVE_SUFFIXES = (".tar", ".oci")


class _RestStream:
    """The last ``size`` bytes of a blob: not verified, but no more and no fewer."""

    def __init__(self, stream: ByteStream, size: int, digest: Digest) -> None:
        self._stream, self._left, self._digest = stream, size, digest

    def readinto(self, buffer: memoryview) -> int:
        wanted = min(len(buffer), self._left)
        count = self._stream.readinto(buffer[:wanted]) if wanted else 0
        if wanted and not count:
            raise DamagedContent(f"{self._digest} is truncated: {self._left} bytes are missing")
        self._left -= count
        return count

    def close(self) -> None:
        self._stream.close()


@dataclass(frozen=True)
class LayoutEntry:
    """One descriptor of a layout's index.json.

    Attributes:
        descriptor: as it stands there.
        names: what its annotations name it, containerd's first; each may be a tag only, or anything else.
    """

    descriptor: Descriptor
    names: tuple[str, ...]


class OciLayout:
    """An open layout: what its index.json lists, and its blobs."""

    def __init__(self, files: LayoutFiles, own_name: str, limits: Limits = DEFAULT_LIMITS) -> None:
        """Read and check ``oci-layout`` and ``index.json``.

        Args:
            files: The layout's files; closed with it.
            own_name: Name of its directory or archive; images that have only a tag belong to this repository.
            limits: Bounds the documents.

        Raises:
            NotFound: this is no OCI layout.
            MalformedDocument: its version is unknown, or a document breaks its form or a bound.
        """
        self._files = files
        self._own_name = own_name
        self._limits = limits
        _check_version(files, limits)
        raw = files.read(INDEX_FILE, limits.table_bytes)
        index = parse_manifest(raw, "", limits, limit=limits.table_bytes)
        if not isinstance(index, Index):
            raise MalformedDocument(f"{INDEX_FILE} is no image index")
        self.index = index
        self.entries = tuple(LayoutEntry(item, _names(item)) for item in index.manifests)

    def reference(self, entry: LayoutEntry) -> Reference:
        """Return the full name of an entry; one without any name is ``latest`` of the layout's repository.

        Raises:
            InvalidReference: neither the annotations nor the layout's own name make a valid name.
        """
        problem: InvalidReference | None = None
        for name in entry.names or ("latest",):
            try:
                # A tag holds neither slash nor colon: what does is a name with its repository.
                if any(mark in name for mark in "/:@"):
                    return Reference.parse(name)
                return self.own_reference(":" + name)
            except InvalidReference as error:
                problem = problem or error
        assert problem is not None
        raise problem

    def own_reference(self, suffix: str) -> Reference:
        """Return a name in the repository named after the layout, such as for ``:1.0`` or ``@sha256:…``.

        Raises:
            InvalidReference: the layout's own name makes no repository, or the suffix is neither.
        """
        try:
            return Reference.parse(f"{DEFAULT_REGISTRY}/library/{self._own_name}{suffix}")
        except InvalidReference as error:
            raise InvalidReference(
                f"the layout {self._own_name!r:.100} makes no image name with {suffix!r:.100}",
                advice="Rename it to lower-case letters, digits, '.', '-' and '_', or ask for an image in it by "
                "name or by @sha256:… digest.",
            ) from error

    def fetch(self, descriptor: Descriptor) -> bytes | None:
        """Return a document, not yet verified; ``None`` where it is absent.

        Raises:
            DamagedContent: it is larger than its descriptor says, or no regular file.
        """
        try:
            return self._files.read(blob_name(descriptor.digest), descriptor.size)
        except NotFound:
            return None

    def holds(self, descriptor: Descriptor) -> bool:
        """Tell whether a blob is there; it is not looked into."""
        return blob_name(descriptor.digest) in self._files

    def walk(self, descriptors: Sequence[Descriptor]) -> Generator[ByteStream | None, None, None]:
        """Open blobs one after the other, not verified; ``None`` for one that is absent. See ``LayoutFiles``."""
        return self._files.walk([blob_name(descriptor.digest) for descriptor in descriptors])

    def open(self, descriptor: Descriptor, offset: int = 0) -> ByteStream:
        """Open a blob, not verified, at an offset in bytes; from an offset above 0 it ends at its size.

        Raises:
            NotFound: it is absent.
            DamagedContent: it is no regular file, or ends before the offset.
            UsageError: the offset lies outside of the blob.
        """
        if not 0 <= offset <= descriptor.size:
            raise UsageError(f"offset {offset} is outside of {descriptor.digest}")
        try:
            stream = self._files.open(blob_name(descriptor.digest), offset)
        except ValueError as error:
            raise DamagedContent(f"{descriptor.digest} is truncated: it ends before byte {offset}") from error
        return _RestStream(stream, descriptor.size - offset, descriptor.digest) if offset else stream

    def close(self) -> None:
        """Close the files."""
        self._files.close()


def blob_name(digest: Digest) -> str:
    """Return where a layout keeps a blob."""
    return f"blobs/sha256/{digest.hex}"


def layout_name(path: Path) -> str:
    """Return the own name of a layout: that of its directory or archive, in lower case, without suffix."""
    # `.` and `..` say nothing; a link is named as the user named it.
    name = (path if path.name not in ("", "..") else path.resolve()).name.lower()
    while name.endswith(_ARCHIVE_SUFFIXES) and len(name) > len(".tar"):
        name = name[: -len(".tar")]
    return name


def is_foreign(descriptor: Descriptor) -> bool:
    """Tell whether a blob may rightly be absent, because its owner serves it from elsewhere."""
    return bool(descriptor.urls) or media_types.is_foreign_layer(descriptor.media_type)


def _names(descriptor: Descriptor) -> tuple[str, ...]:
    found = (descriptor.annotations.get(key) for key in (CONTAINERD_NAME, REF_NAME))
    return tuple(dict.fromkeys(name for name in found if name))


def _check_version(files: LayoutFiles, limits: Limits) -> None:
    try:
        raw = files.read(VERSION_FILE, limits.version_file_bytes)
    except NotFound as error:
        raise NotFound(
            f"this is no OCI image layout: {error}", advice="Name a directory or tar that holds oci-layout."
        ) from error
    value = parse_json(raw, VERSION_FILE, limit=limits.version_file_bytes, limits=limits)
    found = value.get("imageLayoutVersion") if isinstance(value, dict) else None
    if found != VERSION:
        raise MalformedDocument(f"{VERSION_FILE} has the version {found!r:.100}, only {VERSION} is known")
