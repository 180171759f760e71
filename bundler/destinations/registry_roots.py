"""What a name stands for at a registry, beside what the image came with."""

from __future__ import annotations

from bundler.content.images import OutgoingImage
from bundler.destinations.registry_plan import PushPlan
from bundler.model.digest import Digest
from bundler.model.image import ImageTree
from bundler.model.reference import Reference
from bundler.transports.registry.client import Repository
from bundler.transports.registry.manifests import find_manifest


def is_whole(repository: Repository, tree: ImageTree, plan: PushPlan, existing: Digest) -> bool:
    """Tell whether what a name stands for has all that would be pushed.

    Some registries take an index without all that it lists: there the index alone proves nothing.
    """
    if existing not in (plan.root, tree.root.digest):
        return False
    if existing == plan.root and not plan.is_sparse:
        return True
    own = [descriptor.digest for descriptor, _ in tree.nodes() if descriptor.digest != existing]
    return all(find_manifest(repository, digest) is not None for digest in own)


def original_of(tree: ImageTree, root: Digest) -> Digest | None:
    """Return the digest that the image came with, if it is another one there."""
    return None if root == tree.root.digest else tree.root.digest


def lost_pin(image: OutgoingImage, root: Digest) -> tuple[str, ...]:
    """Say that a pin of the image does not hold there, if that is so."""
    if image.reference.digest != image.tree.root.digest or root == image.reference.digest:
        return ()
    return (f"whoever names it by {image.reference.digest} does not find it there: it is known as {root}",)


def notes_of_found(image: OutgoingImage, plan: PushPlan, existing: Digest) -> tuple[str, ...]:
    """Return what users should know of a name that stands for the image already."""
    if existing != plan.root:
        return ("the name stands there for the index that the image came with, which was left as it is",)
    return (*plan.notes, *lost_pin(image, existing))


def left_alone(target: Reference, existing: Digest) -> str:
    """Say that a name was not given to an image."""
    return f"{target} stands for another image, {existing}, and was left alone"
