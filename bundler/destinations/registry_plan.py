"""What of an image goes to a registry, in which order, and under which root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from bundler.destinations.filtered_index import filter_indexes
from bundler.errors import Refused
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
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
        is_sparse: whether the root lists what is not here: most registries refuse that.
    """

    root: Digest
    documents: tuple[tuple[Digest, Manifest | Index], ...]
    blobs: tuple[Descriptor, ...]
    notes: tuple[str, ...] = ()
    has_opaque: bool = False
    is_sparse: bool = False

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


def plan_push(tree: ImageTree, *, with_opaque: bool = True, as_sparse: bool = False) -> PushPlan:
    """Plan the push of an image.

    Registries take no index without all that it lists. Of a sparse index the one platform that is there is
    pushed alone, under the name of the whole; of several an index is made that lists just these. Opaque children
    count as there, or not, as ``with_opaque`` says. With ``as_sparse`` the original index is pushed all the same.

    Raises:
        Refused: of what the index lists nothing is there.
        MalformedDocument: a document breaks its form or a bound.
    """
    nodes = {descriptor.digest: node for descriptor, node in tree.nodes()}
    listed = [child for node in nodes.values() if isinstance(node, Index) for child in node.manifests]
    opaque = tree.opaque_children() if with_opaque else []
    # A child may also be a layer or config of another one: then it is there, if that is.
    others = {blob.digest for node in nodes.values() if isinstance(node, Manifest) for blob in node.children}
    there = nodes.keys() | {blob.digest for blob in opaque} | (others if with_opaque else set())
    absent = {child.digest for child in listed} - there
    if not absent or as_sparse:
        return replace(_plan(tree.root.digest, nodes, opaque), is_sparse=bool(absent))
    images = tree.platform_images()
    # What has no platform belongs to an image, such as an attestation; alone it is of no use.
    runnable = [image for image in images if image.platform.is_known] or images
    not_complete = f"the index {tree.root.digest} is not complete here and was not pushed: the name stands for"
    if not runnable:
        raise Refused(
            f"registries take only complete indexes, and none of its {len(absent)} manifests is here",
            advice="Pack the image again with the platforms that you need.",
        )
    if len(runnable) == 1:
        note = f"{not_complete} its image for {runnable[0].platform} alone"
        left = len(images) - 1
        what = "its attestation is" if left == 1 else f"its {left} attestations are"
        more = [f"{what} not pushed: only an index can list such"] if left else []
        return _plan(runnable[0].descriptor.digest, nodes, [], note, *more)
    made = filter_indexes(tree, there)
    platforms = ", ".join(dict.fromkeys(str(image.platform) for image in runnable))
    note = f"{not_complete} an index of {platforms} that was made of it"
    return _plan(made.root.digest, {one.digest: node for one, node in made.nodes()}, opaque, note)


def plan_instead(tree: ImageTree, refused: PushPlan) -> PushPlan | None:
    """Return what to push where a registry refused an index; ``None`` if there is nothing left to try."""
    try:
        if refused.is_sparse:
            plan = plan_push(tree)
            return replace(plan, notes=("the registry refuses the index without all that it lists", *plan.notes))
        return plan_push(tree, with_opaque=False) if refused.has_opaque else None
    except Refused:
        return None


def possible_roots(tree: ImageTree, plan: PushPlan) -> set[Digest]:
    """Return every digest that a name may stand for after this plan, or what was tried instead of it."""
    roots = set()
    following: PushPlan | None = plan
    while following is not None:
        roots.add(following.root)
        following = plan_instead(tree, following)
    return roots


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
