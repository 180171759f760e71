"""One Compose file over another (13-merge): mappings are merged, lists appended, the rest is replaced.

``!reset`` takes away what stood there, ``!override`` puts something else in its place without merging.
"""

from __future__ import annotations

from collections.abc import Callable

from bundler.discover.trees import Mapping, Marked, Tree

#: Attributes of a service whose later value replaces the earlier one, though they are lists or mappings.
_REPLACED = frozenset({"command", "entrypoint", "test", "extends"})
Path = tuple[str, ...]


def without_marks(tree: Tree) -> tuple[Tree, tuple[Path, ...]]:
    """Return a tree without what ``!reset`` takes away, and the paths at which the earlier files count no more."""
    marked: list[Path] = []
    return _without(tree, (), marked), tuple(marked)


def _without(tree: Tree, path: Path, marked: list[Path]) -> Tree:
    if isinstance(tree, Marked):
        marked.append(path)
        return _without(tree.value, path, []) if tree.tag == "!override" else None
    if isinstance(tree, dict):
        kept = {key: _without(value, (*path, key), marked) for key, value in tree.items()}
        return {key: value for key, value in kept.items() if not _is_reset(tree[key])}
    if isinstance(tree, list):
        return [_without(value, path, []) for value in tree if not _is_reset(value)]
    return tree


def _is_reset(tree: Tree) -> bool:
    return isinstance(tree, Marked) and tree.tag == "!reset"


def by_service(paths: tuple[Path, ...]) -> dict[str, tuple[Path, ...]]:
    """Return the paths inside each service, from there on; an empty path is the service itself."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        if len(path) > 1 and path[0] == "services":
            found.setdefault(path[1], []).append(path[2:])
    return {name: tuple(inside) for name, inside in found.items()}


def cut(tree: Mapping, paths: tuple[Path, ...]) -> Mapping:
    """Return a mapping without what lies at these paths."""
    whole = {path[0] for path in paths if len(path) == 1}
    deeper: dict[str, list[Path]] = {}
    for path in paths:
        if len(path) > 1 and path[0] not in whole:
            deeper.setdefault(path[0], []).append(path[1:])
    kept = {key: value for key, value in tree.items() if key not in whole}
    for key, rest in deeper.items():
        below = kept.get(key)
        if isinstance(below, dict):
            kept[key] = cut(below, tuple(rest))
    return kept


def merge_services(base: Mapping, over: Mapping) -> Mapping:
    """Return a service with another one over it, as an override file or ``extends`` asks."""
    merged: Mapping = dict(base)
    for key, value in over.items():
        if key not in base or key in _REPLACED or key.startswith("x-"):
            merged[key] = value
            continue
        special = _SPECIAL.get(key)
        merged[key] = special(base[key], value) if special else _merge(base[key], value)
    return merged


def _merge(base: Tree, over: Tree) -> Tree:
    if isinstance(base, dict) and isinstance(over, dict):
        return _merge_mappings(base, over)
    if isinstance(base, list) and isinstance(over, list):
        return [*base, *over]
    # A list over a mapping of the same attribute, as environment has both, is none of our business.
    return base if over is None and isinstance(base, dict | list) else over


def _merge_mappings(base: Mapping, over: Mapping) -> Mapping:
    merged: Mapping = dict(base)
    for key, value in over.items():
        taken = key not in base or key.startswith("x-") or key in _REPLACED
        merged[key] = value if taken else _merge(base[key], value)
    return merged


def _merge_builds(base: Tree, over: Tree) -> Tree:
    return _merge(_as_build(base), _as_build(over))


def _as_build(tree: Tree) -> Tree:
    return {"context": tree} if isinstance(tree, str) else tree


def _merge_dependencies(base: Tree, over: Tree) -> Tree:
    return _merge(as_dependencies(base), as_dependencies(over))


def as_dependencies(tree: Tree) -> Tree:
    """Return ``depends_on`` or ``models`` in its long form."""
    if isinstance(tree, list):
        return {name: {} for name in tree if isinstance(name, str)}
    return tree


def _merge_volumes(base: Tree, over: Tree) -> Tree:
    if not (isinstance(base, list) and isinstance(over, list)):
        return _merge(base, over)
    found: dict[object, Tree] = {}
    for number, volume in enumerate([*base, *over]):
        target = _target(volume)
        key: object = number if target is None else target
        earlier = found.get(key)
        found[key] = {**earlier, **volume} if isinstance(earlier, dict) and isinstance(volume, dict) else volume
    return list(found.values())


def _target(volume: Tree) -> str | None:
    """Return where a volume is mounted, which is what makes it itself."""
    if isinstance(volume, dict):
        target = volume.get("target")
        return target.rstrip("/") if isinstance(target, str) else None
    if not isinstance(volume, str):
        return None
    parts = volume.split(":")
    return (parts[1] if len(parts) > 1 else parts[0]).rstrip("/")


_SPECIAL: dict[str, Callable[[Tree, Tree], Tree]] = {
    "build": _merge_builds,
    "depends_on": _merge_dependencies,
    "models": _merge_dependencies,
    "volumes": _merge_volumes,
}
