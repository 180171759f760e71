"""Image configs (OCI image-spec config.md): what an image is made of and runs on."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from bundler.errors import MalformedDocument
from bundler.model.digest import Digest
from bundler.model.json_documents import convert, parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.model.platforms import Platform


class _RootFS(msgspec.Struct):
    type: str = "layers"
    diff_ids: tuple[Digest, ...] | None = None


class _ConfigFields(msgspec.Struct, kw_only=True):
    architecture: str = ""
    os: str = ""
    variant: str = ""
    os_version: str = msgspec.field(name="os.version", default="")
    rootfs: _RootFS


@dataclass(frozen=True)
class ImageConfig:
    """A parsed image config beside its exact bytes; ``diff_ids`` stand bottom first."""

    raw: bytes
    platform: Platform
    diff_ids: tuple[Digest, ...]


def parse_image_config(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> ImageConfig:
    """Read an image config.

    Raises:
        MalformedDocument: it breaks the specification or a bound.
    """
    what = "the image config"
    fields = convert(parse_json(raw, what, limit=limits.document_bytes, limits=limits), _ConfigFields, what)
    if fields.rootfs.type != "layers":
        raise MalformedDocument(f"{what} has a root file system of type {fields.rootfs.type!r:.100}")
    if len(fields.rootfs.diff_ids or ()) > limits.layers:
        raise beyond(limits.layers, f"{what} names {len(fields.rootfs.diff_ids or ())} layers")
    platform = Platform(
        architecture=fields.architecture, os=fields.os, variant=fields.variant, os_version=fields.os_version
    )
    return ImageConfig(raw, platform, fields.rootfs.diff_ids or ())
