"""Media types of the OCI image specification and of Docker's schema 2, and what each is.

OCI image-spec v1.1 media-types.md; Docker "Image Manifest Version 2, Schema 2".
"""

from __future__ import annotations

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = OCI_LAYER + "+gzip"
OCI_LAYER_ZSTD = OCI_LAYER + "+zstd"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
BUNDLE_MANIFEST = "application/vnd.airbundle.manifest.v1+json"
PARITY_TABLE = "application/vnd.airbundle.parity.v1+json"
BLOCK_REQUEST = "application/vnd.airbundle.request.v1+json"
BLOCK_ANSWER = "application/vnd.airbundle.answer.v1+json"

MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})

#: Sent in every request for a manifest: a registry answers 404 for a type that is not listed.
ACCEPTED = (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST)

_LAYER_PREFIXES = (
    "application/vnd.oci.image.layer.",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
)


def is_layer(media_type: str) -> bool:
    """Tell whether the type names a file system layer, in any compression."""
    return media_type.startswith(_LAYER_PREFIXES)


def is_foreign_layer(media_type: str) -> bool:
    """Tell whether the type names a layer that its owner does not want distributed by registries."""
    return is_layer(media_type) and ("nondistributable" in media_type or "foreign" in media_type)


def is_image_document(media_type: str) -> bool:
    """Tell whether what has this type is a manifest or an index; one of no type is asked what it is."""
    return not media_type or media_type in MANIFESTS or media_type in INDEXES


def is_readable_layer(media_type: str) -> bool:
    """Tell whether the type names a layer that can be decompressed here, so that its DiffID can be proven."""
    return layer_compression(media_type) is not None


def layer_compression(media_type: str) -> str | None:
    """Return ``gzip``, ``zstd`` or ``none``: how a layer of this type is compressed; ``None`` if that is unknown.

    Encrypted layers are such, and compressions that are not in the specification: they travel unopened.
    """
    if not is_layer(media_type):
        return None
    if media_type.endswith(("tar+gzip", "tar.gzip")):
        return "gzip"
    if media_type.endswith(("tar+zstd", "tar.zstd")):
        return "zstd"
    return "none" if media_type.endswith("tar") else None
