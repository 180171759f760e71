"""Patches of a kustomization, as far as images go: strategic merge, JSON 6902, and ``images``."""

from __future__ import annotations

import re

from bundler.discover.kubernetes.objects import group_of
from bundler.discover.kubernetes.workloads import CONTAINERS
from bundler.discover.trees import Mapping, Tree, mappings_in, text_at

#: Lists whose items are told apart by a name; the items of all others are replaced together.
_NAMED_LISTS = frozenset({*CONTAINERS, "volumes"})


def is_target(tree: Mapping, target: Mapping) -> bool:
    """Tell whether an object is one that a patch's ``target`` means; its names are patterns."""
    for key, value in (
        ("kind", text_at(tree, "kind")),
        ("name", text_at(tree, "metadata", "name")),
        ("namespace", text_at(tree, "metadata", "namespace")),
        ("group", group_of(tree)),
    ):
        wanted = text_at(target, key)
        if wanted and not _matches(wanted, value or ""):
            return False
    return True


def _matches(pattern: str, text: str) -> bool:
    # Of a pattern from a file only what names have: a hostile one could take for ever.
    if pattern == text or pattern == ".*":
        return True
    simple = re.escape(pattern).replace(r"\.\*", ".*")
    return simple.count(".*") <= 1 and re.fullmatch(simple, text) is not None


def merge_patch(base: Tree, patch: Tree, key: str = "") -> Tree:
    """Return a tree with a strategic merge patch over it."""
    if isinstance(base, dict) and isinstance(patch, dict):
        merged: Mapping = dict(base)
        for name, value in patch.items():
            if value is None:
                merged.pop(name, None)
            elif name != "$patch":
                merged[name] = merge_patch(base.get(name), value, name)
        return merged
    if isinstance(base, list) and isinstance(patch, list) and key in _NAMED_LISTS:
        return _merge_named(base, patch)
    return _without_directives(patch)


def _without_directives(patch: Tree) -> Tree:
    return {key: value for key, value in patch.items() if key != "$patch"} if isinstance(patch, dict) else patch


def _merge_named(base: list[Tree], patch: list[Tree]) -> list[Tree]:
    found: dict[object, Tree] = {text_at(item, "name") or number: item for number, item in enumerate(base)}
    for item in mappings_in(patch):
        name = text_at(item, "name")
        if text_at(item, "$patch") == "delete":
            found.pop(name, None)
        else:
            found[name] = merge_patch(found.get(name), item)
    return list(found.values())


def apply_operations(tree: Tree, operations: list[Tree]) -> Tree:
    """Return a tree with the operations ``add``, ``replace`` and ``remove`` of a JSON patch done."""
    for operation in mappings_in(operations):
        path = text_at(operation, "path") or ""
        keys = [key.replace("~1", "/").replace("~0", "~") for key in path.split("/")[1:]]
        if keys:
            tree = _operate(tree, keys, text_at(operation, "op") or "", operation.get("value"))
    return tree


def _operate(tree: Tree, keys: list[str], op: str, value: Tree) -> Tree:
    key, rest = keys[0], keys[1:]
    if isinstance(tree, dict):
        if rest:
            return {**tree, key: _operate(tree.get(key), rest, op, value)} if key in tree else tree
        without = {name: one for name, one in tree.items() if name != key}
        return without if op == "remove" else {**without, key: value}
    if isinstance(tree, list):
        place = len(tree) if key == "-" else int(key) if key.isdecimal() and len(key) < 6 else -1
        if rest:
            return [_operate(one, rest, op, value) if place == number else one for number, one in enumerate(tree)]
        behind = place + (0 if op == "add" else 1)
        return tree if place < 0 else [*tree[:place], *([] if op == "remove" else [value]), *tree[behind:]]
    return tree


def apply_images(tree: Tree, images: list[Tree]) -> Tree:
    """Return an object in which the containers' images are what the ``images`` of a kustomization say."""
    if isinstance(tree, list):
        return [apply_images(item, images) for item in tree]
    if not isinstance(tree, dict):
        return tree
    changed: Mapping = {}
    for key, value in tree.items():
        below = apply_images(value, images)
        if key in CONTAINERS and isinstance(below, list):
            below = [_with_image(item, images) for item in below]
        changed[key] = below
    return changed


def _with_image(container: Tree, images: list[Tree]) -> Tree:
    if not isinstance(container, dict) or not isinstance(container.get("image"), str):
        return container
    image = str(container["image"])
    for rule in mappings_in(images):
        image = _renamed(image, rule)
    return {**container, "image": image}


def _renamed(image: str, rule: Mapping) -> str:
    rest, at, digest = image.partition("@")
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    name = head + slash + last
    if name != text_at(rule, "name"):
        return image
    new_name, new_tag, new_digest = (text_at(rule, key) for key in ("newName", "newTag", "digest"))
    if new_tag or new_digest:
        # Either one takes the place of both.
        colon, tag = (":", new_tag) if new_tag else ("", "")
        at, digest = ("@", new_digest) if new_digest else ("", "")
    suffix = text_at(rule, "tagSuffix") or ""
    return f"{new_name or name}{colon}{tag}{suffix if colon else ''}{at}{digest}"
