"""bundle.json: the table of contents of a bundle (docs/format.md, "bundle.json")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec

from bundler.bundle.names import SHARED, check_application_name, check_part_name, check_smoke, part_files
from bundler.bundle.referrer_rows import ReferrerRow, check_referrer_rows
from bundler.content.compression import Encoder
from bundler.content.hashing import sha256
from bundler.errors import MalformedDocument, UnsupportedVersion, UsageError
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.json_documents import canonical_json, convert, parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.model.media_types import BUNDLE_MANIFEST
from bundler.model.naming.rules import RenameRule
from bundler.model.reference import Reference

SMALLEST_BLOCK = 64 << 10
#: A reader holds a block in memory, whatever a table claims.
LARGEST_BLOCK: int = DEFAULT_LIMITS.block_bytes
_WHAT = "bundle.json"
_SHA256, _XXH3_128, _XXH3_64 = (re.compile(rf"[0-9a-f]{{{digits}}}", re.ASCII) for digits in (64, 32, 16))


class Image(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One image of an application.

    Attributes:
        reference: full name, ``registry/repository[:tag][@digest]``.
        source: kind of source that it was packed from: ``docker``, ``oci``, ``registry`` or ``bundle``.
        descriptor: its root, a manifest or an index.
        platforms: of the images below the root, as ``os/architecture[/variant]``, sorted.
        image_ids: digests of their configs, in the order of ``platforms``.
        blobs: digests of everything that the image is made of, its root first, so that what it needs is known
            before any part has arrived; then those of its referrers.
        left_out: digests of all that its indexes list and that is not in ``blobs``, sorted, where platforms were
            chosen: others, and what attests them. ``()`` says nothing: what is absent was not at the source.
        digest_preserved: the root is the one that the source has; ``False`` for images from a graph-driver
            store, which has none: there the image ID is what stays.
        referrers: what refers to it and travels with it, each behind its subject.
        smoke: words of a command that is run in a container of it after an import, to see whether it works.
    """

    reference: str
    source: str
    descriptor: Descriptor
    platforms: tuple[str, ...] = ()
    image_ids: tuple[Digest, ...] = ()
    blobs: tuple[Digest, ...]
    left_out: tuple[Digest, ...] = ()
    digest_preserved: bool
    referrers: tuple[ReferrerRow, ...] = ()
    smoke: tuple[str, ...] = ()


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """A named set of images that is packed, carried and imported together; its archive has its name."""

    name: str
    images: tuple[Image, ...]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an archive: ``size`` bytes, its sums, and the xxh3-64 of each of its blocks."""

    file: str
    size: int
    sha256: str
    xxh3_128: str
    blocks: tuple[str, ...]


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """One tar, cut into parts; ``size`` is the sum of theirs."""

    name: str
    size: int
    parts: tuple[Part, ...]


class Blob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a blob lies: ``size`` bytes from ``offset`` of the named archive.

    Attributes:
        diff_id: of a layer, the digest of its uncompressed tar.
        uncompressed_size: of a layer, the bytes of that tar.
        encoder: the recipe of a layer that was compressed when it was packed.
    """

    digest: Digest
    size: int
    media_type: str = msgspec.field(name="mediaType")
    archive: str
    offset: int
    diff_id: Digest | None = None
    uncompressed_size: int | None = None
    encoder: Encoder | None = None

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of these bytes."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size=self.size)


class _Fields(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    media_type: str = msgspec.field(name="mediaType")
    name: str
    version: str
    part_bytes: int
    block_bytes: int
    applications: tuple[Application, ...]
    archives: tuple[Archive, ...]
    blobs: tuple[Blob, ...]
    rename: tuple[RenameRule, ...] = ()


@dataclass(frozen=True)
class BundleManifest:
    """A parsed bundle.json beside its exact bytes, internally consistent.

    Attributes:
        raw: the bytes; unknown keys are kept in them.
        part_bytes: largest size of a part; 0 where archives are not cut.
        block_bytes: size of a block; the last block of a part may be shorter.
        rename: what images are to be called in registries, the first rule that matches; whether the rules make
            sense shows when they are used.
    """

    raw: bytes
    name: str
    version: str
    part_bytes: int
    block_bytes: int
    applications: tuple[Application, ...]
    archives: tuple[Archive, ...]
    blobs: tuple[Blob, ...]
    rename: tuple[RenameRule, ...] = ()

    @cached_property
    def id(self) -> Digest:
        """The bundle's id: the sha256 of bundle.json."""
        return sha256(self.raw)

    @cached_property
    def blob_by_digest(self) -> dict[Digest, Blob]:
        """Every blob by its digest."""
        return {blob.digest: blob for blob in self.blobs}

    @cached_property
    def archive_by_name(self) -> dict[str, Archive]:
        """Every archive by its name."""
        return {archive.name: archive for archive in self.archives}

    @property
    def parts(self) -> list[Part]:
        """All parts, in the order of the archives."""
        return [part for archive in self.archives for part in archive.parts]


def write_bundle_manifest(
    *,
    name: str,
    version: str,
    part_bytes: int,
    block_bytes: int,
    applications: tuple[Application, ...],
    archives: tuple[Archive, ...],
    blobs: tuple[Blob, ...],
    rename: tuple[RenameRule, ...] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> BundleManifest:
    """Make the canonical bundle.json of these values, and read it again as every reader will.

    Raises:
        LimitExceeded: readers with these limits would refuse it.
    """
    fields = _Fields(
        media_type=BUNDLE_MANIFEST,
        name=name,
        version=version,
        part_bytes=part_bytes,
        block_bytes=block_bytes,
        applications=applications,
        archives=archives,
        blobs=tuple(sorted(blobs, key=lambda blob: blob.digest)),
        rename=rename,
    )
    return parse_bundle_manifest(canonical_json(fields), limits)


def parse_bundle_manifest(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> BundleManifest:
    """Read bundle.json.

    Raises:
        UnsupportedVersion: it says of itself that it is of another major version.
        MalformedDocument: it breaks the format or a bound, or contradicts itself.
    """
    value = parse_json(raw, _WHAT, limit=limits.bundle_manifest_bytes, limits=limits)
    media_type = value.get("mediaType") if isinstance(value, dict) else None
    if media_type != BUNDLE_MANIFEST:
        if isinstance(media_type, str) and media_type.startswith("application/vnd.airbundle.manifest."):
            raise UnsupportedVersion(f"the bundle has the format {media_type:.100}; this release reads v1")
        raise MalformedDocument(f"{_WHAT} does not say that it is a bundle manifest")
    fields = convert(value, _Fields, _WHAT)
    _check_numbers(fields, limits)
    _check_archives(fields)
    _check_blobs(fields)
    _check_applications(fields)
    return BundleManifest(
        raw=raw,
        name=fields.name,
        version=fields.version,
        part_bytes=fields.part_bytes,
        block_bytes=fields.block_bytes,
        applications=fields.applications,
        archives=fields.archives,
        blobs=fields.blobs,
        rename=fields.rename,
    )


def _check_numbers(fields: _Fields, limits: Limits) -> None:
    if fields.block_bytes < SMALLEST_BLOCK or fields.part_bytes < 0:
        raise MalformedDocument(f"{_WHAT}: blocks of {fields.block_bytes}, parts of {fields.part_bytes} bytes")
    for limit, count, what in (
        (limits.block_bytes, fields.block_bytes, "bytes in a block"),
        (limits.applications, len(fields.applications), "applications"),
        (limits.images, sum(len(application.images) for application in fields.applications), "images"),
        (limits.blobs, len(fields.blobs), "blobs"),
        (limits.rename_rules, len(fields.rename), "rename rules"),
        (limits.parts, sum(len(archive.parts) for archive in fields.archives), "parts"),
    ):
        if count > limit:
            raise beyond(limit, f"{_WHAT} has {count} {what}")


def _check_archives(fields: _Fields) -> None:
    files: set[str] = set()
    for archive in fields.archives:
        for part in archive.parts:
            check_part_name(part.file, archive.name)
            files.add(part.file)
            check_part(part, fields.block_bytes)
        if [part.file for part in archive.parts] != part_files(archive.name, len(archive.parts)):
            # Who joins the files in the order of their names must get what the table describes.
            raise MalformedDocument(f"{_WHAT}: the parts of {archive.name} are not numbered from 1 without a gap")
        if not archive.parts or archive.size != sum(part.size for part in archive.parts):
            raise MalformedDocument(f"{_WHAT}: the sizes of the parts of {archive.name} do not add up")
    if len(files) != sum(len(archive.parts) for archive in fields.archives):
        raise MalformedDocument(f"{_WHAT}: a file stands twice")
    names = {archive.name for archive in fields.archives}
    if len(names) != len(fields.archives):
        raise MalformedDocument(f"{_WHAT}: an archive stands twice")
    if names - {SHARED} != {application.name for application in fields.applications}:
        raise MalformedDocument(f"{_WHAT}: the archives are not those of the applications")


def check_part(part: Part, block_bytes: int, what: str = _WHAT) -> None:
    """Refuse a part whose sums are none, or not as many as it has blocks; ``what`` is the table it stands in.

    Raises:
        MalformedDocument: it is such a part.
    """
    if len(part.blocks) != max(-(-part.size // block_bytes), 0) or part.size < 1:
        raise MalformedDocument(f"{what}: {part.file} has {len(part.blocks)} block sums")
    if (
        not _SHA256.fullmatch(part.sha256)
        or not _XXH3_128.fullmatch(part.xxh3_128)
        or not all(map(_XXH3_64.fullmatch, part.blocks))
    ):
        raise MalformedDocument(f"{what}: {part.file} has a sum that is none")


def _check_blobs(fields: _Fields) -> None:
    sizes = {archive.name: archive.size for archive in fields.archives}
    taken: dict[str, int] = {}
    for blob in sorted(fields.blobs, key=lambda blob: (blob.offset, blob.size)):
        end = blob.offset + blob.size
        if blob.size < 0 or blob.offset < 0 or end > sizes.get(blob.archive, -1):
            raise MalformedDocument(f"{_WHAT}: the blob {blob.digest} lies outside its archive")
        if blob.offset < taken.get(blob.archive, 0):
            raise MalformedDocument(f"{_WHAT}: the blob {blob.digest} lies over another one")
        taken[blob.archive] = end
    if len({blob.digest for blob in fields.blobs}) != len(fields.blobs):
        raise MalformedDocument(f"{_WHAT}: a blob stands twice")


def _check_applications(fields: _Fields) -> None:
    held = {blob.digest: blob for blob in fields.blobs}
    names = [application.name for application in fields.applications]
    if len(set(names)) != len(names):
        raise MalformedDocument(f"{_WHAT}: an application stands twice")
    try:
        for application in fields.applications:
            check_application_name(application.name)
            for image in application.images:
                _check_image(image, held)
            if len({image.reference for image in application.images}) != len(application.images):
                raise MalformedDocument(f"{_WHAT}: an image of {application.name} stands twice")
    except UsageError as error:
        raise MalformedDocument(f"{_WHAT}: {error}") from error


def _check_image(image: Image, held: Mapping[Digest, Blob]) -> None:
    if str(Reference.parse(image.reference)) != image.reference:
        raise MalformedDocument(f"{_WHAT}: {image.reference} is not a full name")
    if not image.blobs or not all(digest in held for digest in (image.descriptor.digest, *image.blobs)):
        raise MalformedDocument(f"{_WHAT}: a blob of {image.reference} is not in the table")
    if image.descriptor.digest not in image.blobs:
        raise MalformedDocument(f"{_WHAT}: {image.reference} does not list its own manifest")
    if image.left_out and not set(image.left_out).isdisjoint(image.blobs):
        raise MalformedDocument(f"{_WHAT}: {image.reference} both has and leaves out a blob")
    if image.descriptor.size != held[image.descriptor.digest].size:
        raise MalformedDocument(f"{_WHAT}: the manifest of {image.reference} has two sizes")
    check_smoke(image.smoke, image.reference)
    if len(image.platforms) != len(image.image_ids):
        raise MalformedDocument(f"{_WHAT}: {image.reference} has not one image ID for each platform")
    if image.referrers:
        sizes = {digest: held[digest].size for digest in image.blobs}
        check_referrer_rows(image.referrers, sizes, image.blobs, f"{_WHAT}: {image.reference}")
