"""What is left of a YAML document: mappings, lists and texts. Values: no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

#: A node; what it may hold is said by the name, for Python has no good word for it.
Tree: TypeAlias = object
Mapping: TypeAlias = dict[str, Tree]


class Plain(str):
    """A scalar that YAML reads as a number or truth value. Its text is kept: ``1.10`` is not ``1.1``."""

    __slots__ = ()


@dataclass(frozen=True)
class Marked:
    """A node with a tag that a reader may care about.

    Attributes:
        tag: such as ``!reset``.
        value: the node itself.
    """

    tag: str
    value: Tree


def is_text(tree: Tree) -> bool:
    """Tell whether a node is a string, and no number or truth value."""
    return isinstance(tree, str) and not isinstance(tree, Plain)


def text_at(tree: Tree, *keys: str) -> str | None:
    """Return the string or other scalar under these keys as text; ``None`` where there is none."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return str(tree) if isinstance(tree, str) else None


def mapping_at(tree: Tree, *keys: str) -> Mapping:
    """Return the mapping under these keys; an empty one where there is none."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree if isinstance(tree, dict) else {}


def list_at(tree: Tree, *keys: str) -> list[Tree]:
    """Return the list under these keys; an empty one where there is none."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree if isinstance(tree, list) else []


def mappings_in(trees: list[Tree]) -> Iterator[Mapping]:
    """Yield those of the nodes that are mappings."""
    yield from (tree for tree in trees if isinstance(tree, dict))
