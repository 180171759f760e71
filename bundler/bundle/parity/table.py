"""parity.json: what the parity files of a bundle cover (docs/format.md, "Parity")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec

from bundler.bundle.manifest import BundleManifest, Part, check_part, parse_bundle_manifest
from bundler.bundle.names import PARITY_JSON, parity_files
from bundler.bundle.parity.geometry import Geometry
from bundler.bundle.parity.joined import JoinedParts
from bundler.content.hashing import sha256
from bundler.errors import MalformedDocument, UnsupportedVersion, UsageError
from bundler.model.digest import Digest
from bundler.model.json_documents import canonical_json, convert, parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.model.media_types import PARITY_TABLE


class _Fields(msgspec.Struct, frozen=True, kw_only=True):
    media_type: str = msgspec.field(name="mediaType")
    bundle: Digest
    size: int
    block_bytes: int
    k: int
    m: int
    stripes: int
    files: tuple[Part, ...]
    bundle_json: str


@dataclass(frozen=True)
class ParityTable:
    """A parsed parity.json beside its exact bytes, internally consistent.

    Attributes:
        raw: the bytes.
        manifest: the bundle's table of contents, from the copy that the table holds.
        geometry: how the parts' bytes are laid out in stripes; its blocks are as large as those of the bundle.
        files: the parity files in their order; joined they are all parity blocks, see ``Geometry.parity_offset``.
            They are described like parts, so whatever reads blocks of parts reads theirs too.
    """

    raw: bytes
    manifest: BundleManifest
    geometry: Geometry
    files: tuple[Part, ...]

    @property
    def bundle(self) -> Digest:
        """The id of the bundle that it belongs to."""
        return self.manifest.id

    @cached_property
    def data(self) -> JoinedParts:
        """The bundle's parts as one sequence of bytes."""
        return JoinedParts(self.manifest.parts)

    @cached_property
    def parity(self) -> JoinedParts:
        """The parity files as one sequence of bytes."""
        return JoinedParts(self.files)


def write_parity_table(
    manifest: BundleManifest, geometry: Geometry, files: Sequence[Part], limits: Limits = DEFAULT_LIMITS
) -> ParityTable:
    """Make the canonical parity.json of these values, and read it again as every reader will.

    Raises:
        LimitExceeded: readers with these limits would refuse it.
        MalformedDocument: the values contradict each other.
    """
    fields = _Fields(
        media_type=PARITY_TABLE,
        bundle=manifest.id,
        size=geometry.size,
        block_bytes=geometry.block_bytes,
        k=geometry.k,
        m=geometry.m,
        stripes=geometry.stripes,
        files=tuple(files),
        bundle_json=manifest.raw.decode("utf-8"),
    )
    value = msgspec.json.decode(canonical_json(fields))
    value["sum"] = str(sha256(canonical_json(value)))
    return parse_parity_table(canonical_json(value), limits)


def parse_parity_table(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> ParityTable:
    """Read parity.json. Nothing of it is used before its own sum was found right.

    Raises:
        UnsupportedVersion: it, or the bundle.json in it, says that it is of another major version.
        MalformedDocument: its sum is wrong, or it breaks the format or a bound, or contradicts itself.
    """
    value = parse_json(raw, PARITY_JSON, limit=limits.parity_table_bytes, limits=limits)
    if not isinstance(value, dict):
        raise MalformedDocument(f"{PARITY_JSON} is no object")
    _check_sum(value)
    media_type = value.get("mediaType")
    if media_type != PARITY_TABLE:
        if isinstance(media_type, str) and media_type.startswith("application/vnd.airbundle.parity."):
            raise UnsupportedVersion(f"the parity has the format {media_type:.100}; this release reads v1")
        raise MalformedDocument(f"{PARITY_JSON} does not say that it is a table of parity")
    fields = convert(value, _Fields, PARITY_JSON)
    manifest = parse_bundle_manifest(fields.bundle_json.encode("utf-8"), limits)
    geometry = _geometry(fields, manifest)
    _check_files(fields.files, geometry, limits)
    return ParityTable(raw, manifest, geometry, fields.files)


def _check_sum(value: dict[str, object]) -> None:
    said = value.pop("sum", None)
    if said != str(sha256(canonical_json(value))):
        raise MalformedDocument(
            f"{PARITY_JSON} is damaged: its sum is wrong",
            advice="Make the parity again while the bundle is intact.",
        )


def _geometry(fields: _Fields, manifest: BundleManifest) -> Geometry:
    if manifest.id != fields.bundle:
        raise MalformedDocument(f"{PARITY_JSON} holds a bundle.json of another bundle than {fields.bundle}")
    size = sum(archive.size for archive in manifest.archives)
    if (fields.size, fields.block_bytes) != (size, manifest.block_bytes):
        raise MalformedDocument(f"{PARITY_JSON}: its bundle has not this size, or other blocks")
    if not size or fields.block_bytes % 8:
        raise MalformedDocument(f"{PARITY_JSON}: there is no parity for a bundle of such a size or such blocks")
    try:
        geometry = Geometry(size, fields.block_bytes, fields.k, fields.m)
    except UsageError as error:
        raise MalformedDocument(f"{PARITY_JSON}: {error}") from error
    if geometry.stripes != fields.stripes:
        raise MalformedDocument(f"{PARITY_JSON}: {fields.stripes} stripes where there are {geometry.stripes}")
    return geometry


def _check_files(files: Sequence[Part], geometry: Geometry, limits: Limits) -> None:
    if len(files) > limits.parts:
        raise beyond(limits.parts, f"{PARITY_JSON} has {len(files)} files")
    if [file.file for file in files] != parity_files(len(files)):
        raise MalformedDocument(f"{PARITY_JSON}: the files are not numbered from 1 without a gap")
    for file in files:
        check_part(file, geometry.block_bytes, PARITY_JSON)
    sizes = [file.size for file in files]
    if sum(sizes) != geometry.parity_bytes or any(size != sizes[0] for size in sizes[:-1]) or sizes[-1] > sizes[0]:
        raise MalformedDocument(f"{PARITY_JSON}: its files are not all parity blocks, cut evenly")
