"""What of an image goes to a registry, in which order, and under which root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bundler.errors import Refused
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree, PlatformImage
from bundler.model.manifest import Index, Manifest
from bundler.model.reference import Reference
from bundler.transports.registry.client import Repository

UNTAGGED = "it has no tag there, and some registries delete what has none; --tag-untagged gives it one"
_Nodes = Mapping[Digest, Manifest | Index]


@dataclass(frozen=True)
class PushPlan:
    """An image as a registry will hold it.

    Attributes:
        root: digest of the manifest or index that the name will stand for.
        documents: by digest, children before parents, the root last.
        blobs: configs, layers and opaque children, each once, the largest first: what takes longest begins first.
        notes: what the user should know.
        has_opaque: whether an index lists what may be a manifest of a kind unknown here: it goes as a blob.
    """

    root: Digest
    documents: tuple[tuple[Digest, Manifest | Index], ...]
    blobs: tuple[Descriptor, ...]
    notes: tuple[str, ...] = ()
    has_opaque: bool = False

    @property
    def digests(self) -> frozenset[Digest]:
        """Of all manifests and indexes."""
        return frozenset(digest for digest, _ in self.documents)

    @property
    def size(self) -> int:
        """Bytes of all blobs."""
        return sum(blob.size for blob in self.blobs)


class Outlook(NamedTuple):
    """Where an image goes in a registry, what is to be there, and what its name stands for now."""

    target: Reference
    repository: Repository
    plan: PushPlan
    existing: Digest | None


def plan_push(tree: ImageTree, *, with_opaque: bool = True) -> PushPlan:
    """Plan the push of an image.

    Registries take no index without all that it lists. Of a sparse index the one platform that is there is
    pushed alone, under the name of the whole. Opaque children count as there, or not, as ``with_opaque`` says.

    Raises:
        Refused: the index is sparse, and not just one platform is there.
        MalformedDocument: a document breaks its form or a bound.
    """
    nodes = {descriptor.digest: node for descriptor, node in tree.nodes()}
    listed = [child for node in nodes.values() if isinstance(node, Index) for child in node.manifests]
    opaque = tree.opaque_children() if with_opaque else []
    # A child may also be a layer or config of another one: then it is there, if that is.
    others = {blob.digest for node in nodes.values() if isinstance(node, Manifest) for blob in node.children}
    there = nodes.keys() | {blob.digest for blob in opaque} | (others if with_opaque else set())
    absent = {child.digest for child in listed} - there
    if not absent:
        return _plan(tree.root.digest, nodes, opaque)
    only = _only_platform(tree.platform_images(), len(absent))
    note = (
        f"the index {tree.root.digest} is not complete here and was not pushed: "
        f"the name stands for its image for {only.platform} alone"
    )
    return _plan(only.descriptor.digest, nodes, [], note)


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


def _plan(root: Digest, nodes: _Nodes, opaque: list[Descriptor], *notes: str) -> PushPlan:
    documents: dict[Digest, Manifest | Index] = {}
    _add_children_first(root, nodes, documents)
    blobs = {
        blob.digest: blob for node in documents.values() if isinstance(node, Manifest) for blob in node.children
    }
    blobs.update((blob.digest, blob) for blob in opaque)
    ordered = sorted(blobs.values(), key=lambda blob: (-blob.size, blob.digest))
    listed = {child.digest for node in documents.values() if isinstance(node, Index) for child in node.manifests}
    return PushPlan(root, tuple(documents.items()), tuple(ordered), notes, bool(listed - documents.keys()))


def _add_children_first(digest: Digest, nodes: _Nodes, into: dict[Digest, Manifest | Index]) -> None:
    # As deep as the tree's own walk, which is bounded by ``Limits.document_nesting``.
    if digest in into:
        return
    node = nodes[digest]
    if isinstance(node, Index):
        for child in node.manifests:
            if child.digest in nodes:
                _add_children_first(child.digest, nodes, into)
    into[digest] = node


def shown(target: Reference, digest: Digest) -> str:
    """Return the name of an image in a registry, with its digest where it has no tag."""
    return str(target) if target.tag else f"{target.name}@{digest}"
