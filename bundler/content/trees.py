"""Gathers the documents of an image from wherever they can be fetched one by one."""

from __future__ import annotations

from collections.abc import Callable

from bundler.content.hashing import sha256
from bundler.errors import DamagedContent, MalformedDocument
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.model.manifest import Index, parse_manifest

#: Returns the bytes of a document, not yet verified, or ``None`` where it is absent.
Fetch = Callable[[Descriptor], "bytes | None"]
#: Tells whether a blob is there.
Holds = Callable[[Descriptor], bool]


def collect_tree(
    root: Descriptor, fetch: Fetch, limits: Limits = DEFAULT_LIMITS, holds: Holds | None = None
) -> ImageTree:
    """Fetch all manifests, indexes and image configs below a root, and verify each by size and digest.

    A child of an index may be absent, the config that a manifest names may not. A child of a type that is not
    known here is no error, as image-index.md asks: it belongs to the image as a blob, if it is there.

    Args:
        root: Of the image.
        fetch: Gives documents.
        limits: Bounds each document, their number, and all of them together.
        holds: Is asked for children of unknown type; without it none is there.

    Raises:
        DamagedContent: a document has another size or digest than its descriptor says.
        MalformedDocument: a document breaks its specification or a bound, or is absent where it must not be.
    """
    return _Collector(root, fetch, limits).collect(holds or (lambda _: False))


class _Collector:
    def __init__(self, root: Descriptor, fetch: Fetch, limits: Limits) -> None:
        self._root = root
        self._fetch = fetch
        self._limits = limits
        self._documents: dict[Digest, bytes] = {}
        self._left = limits.tree_bytes
        self._unknown: dict[Digest, Descriptor] = {}

    def collect(self, holds: Holds) -> ImageTree:
        stack = [(self._root, 0)]
        while stack:
            descriptor, depth = stack.pop()
            if descriptor.digest in self._documents:
                continue
            raw = self._read(descriptor)
            if raw is None:
                if descriptor is self._root:
                    raise MalformedDocument(f"the manifest {self._root.digest} is not there")
                continue
            if depth > self._limits.document_nesting:
                raise beyond(self._limits.document_nesting, "the image index has too many levels")
            node = parse_manifest(raw, descriptor.media_type, self._limits)
            if isinstance(node, Index):
                # In the order in which ImageTree walks: what a digest was first said to be is what was verified.
                stack.extend((child, depth + 1) for child in reversed(self._known(node)))
            elif node.config.media_type in media_types.IMAGE_CONFIGS and self._read(node.config) is None:
                raise MalformedDocument(f"the image config {node.config.digest} is not there")
        opaque = frozenset(digest for digest, child in self._unknown.items() if holds(child))
        return ImageTree(self._root, self._documents, self._limits, opaque)

    def _known(self, index: Index) -> list[Descriptor]:
        """Return the children that are documents, and take note of the others."""
        known = []
        for child in index.manifests:
            if media_types.is_image_document(child.media_type):
                known.append(child)
            else:
                self._unknown.setdefault(child.digest, child)
        self._check_number()
        return known

    def _read(self, descriptor: Descriptor) -> bytes | None:
        if descriptor.size > self._limits.document_bytes:
            raise beyond(self._limits.document_bytes, f"{descriptor.digest} has {descriptor.size} bytes")
        raw = self._documents.get(descriptor.digest)
        if raw is None:
            raw = self._fetch(descriptor)
        if raw is None:
            return None
        if len(raw) != descriptor.size or sha256(raw) != descriptor.digest:
            raise DamagedContent(f"{descriptor.digest} is damaged: it has {len(raw)} bytes of {sha256(raw)}")
        if descriptor.digest not in self._documents:
            self._documents[descriptor.digest] = raw
            self._left -= len(raw)
            self._check_number()
        if self._left < 0:
            raise beyond(self._limits.tree_bytes, "the manifests and configs of the image are too large together")
        return raw

    def _check_number(self) -> None:
        if len(self._documents) + len(self._unknown) > self._limits.documents:
            raise beyond(self._limits.documents, "the image has too many manifests and configs")
