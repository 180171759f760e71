"""What of an image goes to a registry, in which order, and under which root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bundler.errors import Refused
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree, PlatformImage
from bundler.model.manifest import Index, Manifest

_Nodes = Mapping[Digest, Manifest | Index]


@dataclass(frozen=True)
class PushPlan:
    """An image as a registry will hold it.

    Attributes:
        root: digest of the manifest or index that the name will stand for.
        documents: by digest, children before parents, the root last.
        blobs: configs and layers, each once, the largest first: what takes longest begins first.
        notes: what the user should know.
    """

    root: Digest
    documents: tuple[tuple[Digest, Manifest | Index], ...]
    blobs: tuple[Descriptor, ...]
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all blobs."""
        return sum(blob.size for blob in self.blobs)


def plan_push(tree: ImageTree) -> PushPlan:
    """Plan the push of an image.

    Registries take no index without all that it lists. Of a sparse index the one platform that is there is
    pushed alone, under the name of the whole.

    Raises:
        Refused: the index is sparse, and not just one platform is there.
        MalformedDocument: a document breaks its form or a bound.
    """
    nodes = {descriptor.digest: node for descriptor, node in tree.nodes()}
    listed = [child for node in nodes.values() if isinstance(node, Index) for child in node.manifests]
    absent = {child.digest for child in listed} - nodes.keys()
    if not absent:
        return _plan(tree.root.digest, nodes)
    only = _only_platform(tree.platform_images(), len(absent))
    note = (
        f"the index {tree.root.digest} is not complete here and was not pushed: "
        f"the name stands for its image for {only.platform} alone"
    )
    return _plan(only.descriptor.digest, nodes, note)


def _only_platform(images: list[PlatformImage], absent: int) -> PlatformImage:
    # What has no platform belongs to an image, such as an attestation; alone it is of no use.
    runnable = [image for image in images if image.platform.is_known] or images
    if len(runnable) == 1:
        return runnable[0]
    held = ", ".join(str(image.platform) for image in runnable) or "none"
    raise Refused(
        f"registries take only complete indexes, and {absent} of its manifests are not here (here: {held})",
        advice="Pack the image again with all of its platforms, or with exactly one.",
    )


def _plan(root: Digest, nodes: _Nodes, *notes: str) -> PushPlan:
    documents: dict[Digest, Manifest | Index] = {}
    _add_children_first(root, nodes, documents)
    blobs = {
        blob.digest: blob for node in documents.values() if isinstance(node, Manifest) for blob in node.children
    }
    ordered = sorted(blobs.values(), key=lambda blob: (-blob.size, blob.digest))
    return PushPlan(root, tuple(documents.items()), tuple(ordered), notes)


def _add_children_first(digest: Digest, nodes: _Nodes, into: dict[Digest, Manifest | Index]) -> None:
    # As deep as the tree's own walk, which is bounded by ``Limits.document_nesting``.
    if digest in into:
        return
    node = nodes[digest]
    if isinstance(node, Index):
        for child in node.manifests:
            _add_children_first(child.digest, nodes, into)
    into[digest] = node
