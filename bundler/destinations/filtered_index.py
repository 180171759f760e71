"""An index without what is not there: registries take only complete ones. A value in memory: no I/O."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from bundler.content.hashing import sha256
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.json_documents import canonical_json, parse_json
from bundler.model.manifest import Index

#: Says of an index, at its top, that it is another one without some of its manifests: the one of this digest.
FILTERED_FROM = "org.airbundle.filtered-from"


def filter_indexes(tree: ImageTree, there: Collection[Digest]) -> ImageTree:
    """Make the indexes of a sparse image anew, so that they list only what is there.

    Each that changes is the same document, unknown fields too, with fewer manifests and the annotation
    :data:`FILTERED_FROM`, as canonical JSON (docs/format.md, §5): the same image gives the same bytes wherever it
    is pushed. Manifests stay to the byte; an index in which nothing is left is dropped.

    Args:
        tree: The image; its root is an index.
        there: Digests of all manifests, indexes and other children that are there.

    Raises:
        MalformedDocument: a document breaks its form or a bound.
    """
    indexes = {descriptor.digest: node for descriptor, node in tree.nodes() if isinstance(node, Index)}
    documents = dict(tree.documents)

    def filtered(descriptor: Descriptor) -> Descriptor | None:
        # As deep as the tree's own walk, which is bounded by ``Limits.document_nesting``.
        index = indexes[descriptor.digest]
        document = cast("dict[str, Any]", parse_json(index.raw, "the index", limit=len(index.raw)))
        kept: list[object] = []
        for child, written in zip(index.manifests, document["manifests"] or (), strict=True):
            if child.digest not in there:
                continue
            new = filtered(child) if child.digest in indexes else child
            if new is not None:
                kept.append(written if new.digest == child.digest else _renewed(written, new))
        if kept == (document["manifests"] or []):
            return descriptor
        if not kept:
            return None
        annotations = {**(document.get("annotations") or {}), FILTERED_FROM: descriptor.digest}
        raw = canonical_json({**document, "manifests": kept, "annotations": annotations})
        digest = sha256(raw)
        documents[digest] = raw
        return Descriptor(media_type=index.media_type, digest=digest, size=len(raw))

    root = filtered(tree.root)
    return tree if root is None else ImageTree(root, documents, tree.limits, tree.opaque)


def _renewed(written: dict[str, object], new: Descriptor) -> dict[str, object]:
    # A copy of the content in the descriptor would be that of the old document.
    rest = {key: value for key, value in written.items() if key != "data"}
    return {**rest, "digest": new.digest, "size": new.size}
