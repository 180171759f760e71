"""Gathers the documents of an image from wherever they can be fetched one by one."""

from __future__ import annotations

from collections.abc import Callable

from bundler.content.hashing import sha256
from bundler.errors import DamagedContent, MalformedDocument
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.manifest import Manifest, parse_manifest

#: Returns the bytes of a document, not yet verified, or ``None`` where it is absent.
Fetch = Callable[[Descriptor], "bytes | None"]


def collect_tree(root: Descriptor, fetch: Fetch, limits: Limits = DEFAULT_LIMITS) -> ImageTree:
    """Fetch all manifests, indexes and image configs below a root, and verify each by size and digest.

    A child of an index may be absent, and is taken as absent if it is no manifest or index that is known here,
    as image-index.md asks; the config that a manifest names may not.

    Raises:
        DamagedContent: a document has another size or digest than its descriptor says.
        MalformedDocument: a document breaks its specification or a bound, or is absent where it must not be.
    """
    documents: dict[Digest, bytes] = {}
    stack = [(root, 0)]
    while stack:
        descriptor, depth = stack.pop()
        if descriptor.digest in documents:
            continue
        raw = _fetch(descriptor, fetch, limits)
        if raw is None:
            if descriptor is root:
                raise MalformedDocument(f"the manifest {root.digest} is not there")
            continue
        if depth > limits.document_nesting or len(documents) >= limits.documents:
            raise MalformedDocument("the image index has too many levels or too many manifests")
        documents[descriptor.digest] = raw
        node = parse_manifest(raw, descriptor.media_type, limits)
        if isinstance(node, Manifest):
            if node.config.media_type in media_types.IMAGE_CONFIGS:
                config = _fetch(node.config, fetch, limits)
                if config is None:
                    raise MalformedDocument(f"the image config {node.config.digest} is not there")
                documents[node.config.digest] = config
        else:
            # In the order in which ImageTree walks: what a digest was first said to be is what was verified.
            stack.extend((child, depth + 1) for child in reversed(node.manifests) if _is_known(child))
    return ImageTree(root, documents, limits)


def _is_known(child: Descriptor) -> bool:
    known = media_types.MANIFESTS | media_types.INDEXES
    return not child.media_type or child.media_type in known


def _fetch(descriptor: Descriptor, fetch: Fetch, limits: Limits) -> bytes | None:
    if descriptor.size > limits.document_bytes:
        raise MalformedDocument(
            f"{descriptor.digest} has {descriptor.size} bytes, more than the {limits.document_bytes} allowed"
        )
    raw = fetch(descriptor)
    if raw is not None and (len(raw) != descriptor.size or sha256(raw) != descriptor.digest):
        raise DamagedContent(f"{descriptor.digest} is damaged: it has {len(raw)} bytes of {sha256(raw)}")
    return raw
