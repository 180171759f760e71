"""Descriptors: what refers to content (OCI image-spec descriptor.md)."""

from __future__ import annotations

import msgspec

from bundler.model.digest import Digest
from bundler.model.media_types import is_foreign_layer
from bundler.model.platforms import Platform


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Media type, digest and size in bytes of some content, and what its owner says about it."""

    media_type: str = msgspec.field(name="mediaType")
    digest: Digest
    size: int
    urls: tuple[str, ...] = ()
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    platform: Platform | None = None
    artifact_type: str = msgspec.field(name="artifactType", default="")

    def __post_init__(self) -> None:
        if not 0 <= self.size < 1 << 63:
            raise ValueError("a size is a number from 0 to 2^63 - 1")

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def is_withheld(self) -> bool:
        """Whether this is a layer that only its owner may distribute, and says where: no bundle carries it."""
        return bool(self.urls) and is_foreign_layer(self.media_type)
