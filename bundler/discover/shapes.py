"""Pieces of a tree that have the form of an image: values of charts, and objects of kinds that nobody knows."""

from __future__ import annotations

from collections.abc import Iterator

from bundler.discover.references import join_image, looks_named, read_reference
from bundler.discover.trees import Mapping, Tree, is_text, text_at

#: What says nothing about what runs.
_NOT_SEARCHED = frozenset({"metadata", "status", "annotations", "labels", "description"})
_REFERENCE_KEYS = ("repository", "name", "image")


def image_shapes(tree: Tree, default_tag: str | None = None, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and text of everything that has the form of an image. All of it is a guess.

    Taken are ``image: name:tag`` and the like (``somethingImage``, ``imageName``) and mappings of the pieces
    ``registry``, ``repository``, ``tag`` and ``digest``. A tag keeps its text: ``1.10`` stays ``1.10``.

    Args:
        tree: What is searched.
        default_tag: The tag of a repository without one; charts take their version for it.
        path: Where the tree lies.
    """
    if isinstance(tree, list):
        for number, item in enumerate(tree):
            yield from image_shapes(item, default_tag, f"{path}[{number}]")
        return
    if not isinstance(tree, dict):
        return
    joined = _joined(tree, path, default_tag)
    if joined is not None:
        yield path or ".", joined
    for key, value in tree.items():
        below = f"{path}.{key}" if path else key
        if isinstance(value, dict | list):
            if key not in _NOT_SEARCHED:
                yield from image_shapes(value, default_tag, below)
        elif joined is None and _is_image(key, value):
            yield below, _with_tag(str(value), tree)


def _joined(tree: Mapping, path: str, default_tag: str | None) -> str | None:
    """Return the image of a mapping that holds the pieces of one."""
    under_image = path.rpartition(".")[2].lower().endswith("image")
    has_pieces = any(text_at(tree, key) is not None for key in ("tag", "digest", "registry"))
    for key in _REFERENCE_KEYS:
        repository = text_at(tree, key)
        # A name and a tag may be anything; a repository, or what stands under `image`, is one.
        if not repository or not (under_image if key == "name" else under_image or has_pieces):
            continue
        if key != "repository" and not has_pieces:
            continue
        tag, digest = text_at(tree, "tag"), text_at(tree, "digest")
        if not tag and not digest and ":" not in repository.rpartition("/")[2]:
            tag = default_tag
        image = join_image(text_at(tree, "registry"), repository, tag, digest)
        if read_reference(image) is not None and (under_image or looks_named(image)):
            return image
    return None


def _is_image(key: str, value: Tree) -> bool:
    if not is_text(value) or read_reference(str(value)) is None:
        return False
    if key == "image":
        return True
    return (key.endswith("Image") or key == "imageName") and looks_named(str(value))


def _with_tag(image: str, beside: Mapping) -> str:
    """Return an image with the tag that stands beside it in the older charts."""
    tag = text_at(beside, "imageTag")
    if tag and "@" not in image and ":" not in image.rpartition("/")[2]:
        joined = join_image(None, image, tag, None)
        return joined if read_reference(joined) is not None else image
    return image
