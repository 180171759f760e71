"""Image manifests and indexes (OCI image-spec manifest.md, image-index.md) and their Docker twins.

The raw bytes are the truth: a document is never written again to find its digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from bundler.errors import MalformedDocument
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.json_documents import convert, parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond


class _ManifestFields(msgspec.Struct, kw_only=True):
    schema_version: int = msgspec.field(name="schemaVersion")
    media_type: str = msgspec.field(name="mediaType", default="")
    artifact_type: str = msgspec.field(name="artifactType", default="")
    config: Descriptor
    # Tools written in Go write null for a list of nothing.
    layers: tuple[Descriptor, ...] | None = ()
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


class _IndexFields(msgspec.Struct, kw_only=True):
    schema_version: int = msgspec.field(name="schemaVersion")
    media_type: str = msgspec.field(name="mediaType", default="")
    artifact_type: str = msgspec.field(name="artifactType", default="")
    manifests: tuple[Descriptor, ...] | None = ()
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


@dataclass(frozen=True)
class Manifest:
    """A parsed image manifest beside its exact bytes; ``layers`` stand bottom first."""

    raw: bytes
    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """What the manifest needs to be complete, config first."""
        return (self.config, *self.layers)


@dataclass(frozen=True)
class Index:
    """A parsed image index beside its exact bytes."""

    raw: bytes
    media_type: str
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def children(self) -> tuple[Descriptor, ...]:
        """The manifests and indexes that this index lists, in its order."""
        return self.manifests


def parse_manifest(
    raw: bytes, media_type: str, limits: Limits = DEFAULT_LIMITS, *, limit: int | None = None
) -> Manifest | Index:
    """Read a manifest or index.

    Args:
        raw: The document as its digest covers it.
        media_type: What the descriptor or the registry said it is; ``""`` where nothing was said.
        limits: Bounds size, nesting and number of annotations.
        limit: Its greatest size in bytes, a field of ``limits``, where that is not ``document_bytes``.

    Raises:
        MalformedDocument: it breaks the specification or a bound, says of itself that it is of another type,
            or is both manifest and index (an ambiguity that was used for attacks, CVE-2021-41190).
    """
    what = "the image manifest"
    value = parse_json(raw, what, limit=limits.document_bytes if limit is None else limit, limits=limits)
    if not isinstance(value, dict):
        raise MalformedDocument(f"{what} is not a JSON object")
    if "manifests" in value and ("layers" in value or "config" in value):
        raise MalformedDocument(f"{what} is a manifest and an index at once")
    said = value.get("mediaType") or media_type
    if not isinstance(said, str) or (media_type and said != media_type):
        raise MalformedDocument(f"{what} says it is {said!r:.100}, its descriptor {media_type!r:.100}")
    fields: _IndexFields | _ManifestFields
    if "manifests" in value and (not said or said in media_types.INDEXES):
        fields = convert(value, _IndexFields, "the image index")
        manifests = fields.manifests or ()
        _check(fields.schema_version, fields.annotations, manifests, limits)
        return Index(
            raw,
            said or media_types.OCI_INDEX,
            manifests,
            fields.subject,
            fields.artifact_type,
            fields.annotations or {},
        )
    if said and said not in media_types.MANIFESTS:
        raise MalformedDocument(f"{said!r:.100} is not a type of image manifest that is known here")
    fields = convert(value, _ManifestFields, what)
    layers = fields.layers or ()
    if len(layers) > limits.layers:
        raise beyond(limits.layers, f"{what} lists {len(layers)} layers")
    _check(fields.schema_version, fields.annotations, (fields.config, *layers), limits)
    return Manifest(
        raw,
        said or media_types.OCI_MANIFEST,
        fields.config,
        layers,
        fields.artifact_type,
        fields.subject,
        fields.annotations or {},
    )


def _check(
    version: int, annotations: dict[str, str] | None, children: tuple[Descriptor, ...], limits: Limits
) -> None:
    if version != 2:
        raise MalformedDocument(f"schemaVersion is {version}, not 2")
    for found in (annotations, *(child.annotations for child in children)):
        if found:
            _check_annotations(found, limits)


def _check_annotations(found: dict[str, str], limits: Limits) -> None:
    if len(found) > limits.annotation_count:
        raise beyond(limits.annotation_count, f"{len(found)} annotations stand at one place")
    if sum(len(key) + len(value) for key, value in found.items()) > limits.annotation_bytes:
        raise beyond(limits.annotation_bytes, "the annotations at one place are too long")
    if any(len(key) > limits.name_chars for key in found):
        raise beyond(limits.name_chars, "the key of an annotation is too long")
