"""YAML into trees: the text of every scalar is kept, and what aliases multiply is counted before it is made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from bundler.discover.reading import decode, too_much
from bundler.discover.trees import Mapping, Marked, Plain, Tree
from bundler.errors import ProjectError
from bundler.model.limits import Limits

#: Ten times as fast where libyaml is there.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARKS = frozenset({"!reset", "!override"})
_MERGE = "<<"
_NULL = re.compile(r"~|null|Null|NULL|")
# The core schema of YAML 1.2, which Compose and Kubernetes follow: `yes` is a word, `true` is none.
_NOT_TEXT = re.compile(
    r"true|True|TRUE|false|False|FALSE"
    r"|[-+]?[0-9][0-9_]*|0o[0-7]+|0x[0-9a-fA-F]+|0b[01]+"
    r"|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


@dataclass(frozen=True)
class Document:
    """One YAML document.

    Attributes:
        tree: what it holds.
        twice: the first key that stands twice in a mapping, with its line; ``""`` if none does.
    """

    tree: Tree
    twice: str = ""


@dataclass
class _Open:
    """A mapping or list that is being read; ``nodes`` counts what it holds with all aliases written out."""

    is_mapping: bool
    tag: str | None
    anchor: str | None
    line: int
    items: list[tuple[str, Tree, int]]
    key: str | None = None
    nodes: int = 1


def parse_documents(raw: bytes, name: str, limits: Limits) -> list[Document]:
    """Read a file of YAML documents; empty ones are left out.

    Args:
        raw: The file.
        name: Its name, for errors.
        limits: Bound nesting, and nodes with all aliases written out.

    Raises:
        ProjectError: not UTF-8, not YAML, too deep, too many nodes, or a mapping or list as a key.
    """
    builder = _Builder(name, limits)
    text = decode(raw, name)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        # The whole message shows a piece of the file, which may hold a password.
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise ProjectError(f"{name}{where}: not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        reason = getattr(error, "reason", "") or "a character that YAML does not take"
        raise ProjectError(f"{name}: not YAML: {reason}") from None
    except (ValueError, LookupError) as error:
        raise ProjectError(f"{name}: not YAML: {type(error).__name__}") from None
    return builder.documents


class _Builder:
    """Makes trees of events. Nothing recurses: depth is a number that is compared."""

    def __init__(self, name: str, limits: Limits) -> None:
        self.documents: list[Document] = []
        self._name = name
        self._limits = limits
        self._nodes = 0
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Tree, int]] = {}
        self._twice = ""

    def take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._add(_scalar(event), 1, event)
        elif isinstance(event, yaml.AliasEvent):
            tree, nodes = self._anchored(event)
            self._add(tree, nodes, event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._anchors, self._twice = {}, ""

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        if len(self._stack) >= self._limits.yaml_depth:
            raise too_much(self._limits.yaml_depth, f"{self._name} is nested too deeply")
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        if self._stack and self._stack[-1].is_mapping and self._stack[-1].key is None:
            raise ProjectError(f"{self._name}, line {_line(event)}: a mapping or list stands as a key")
        self._stack.append(_Open(is_mapping, event.tag, event.anchor, _line(event), []))

    def _close(self, event: yaml.Event) -> None:
        done = self._stack.pop()
        tree: Tree = self._mapping(done) if done.is_mapping else [tree for _, tree, _ in done.items]
        tree = Marked(done.tag, tree) if done.tag in _MARKS else tree
        if done.anchor:
            self._anchors[done.anchor] = (tree, done.nodes)
        self._put(tree, done.nodes)
        self._count(1)

    def _add(self, tree: Tree, nodes: int, event: yaml.Event) -> None:
        self._count(nodes)
        anchor = event.anchor if isinstance(event, yaml.ScalarEvent) else None
        if anchor:
            self._anchors[anchor] = (tree, nodes)
        top = self._stack[-1] if self._stack else None
        if top is not None and top.is_mapping and top.key is None:
            key = tree.value if isinstance(tree, Marked) else tree
            if key is not None and not isinstance(key, str):
                raise ProjectError(f"{self._name}, line {_line(event)}: a mapping or list stands as a key")
            quoted = isinstance(event, yaml.ScalarEvent) and not event.implicit[0]
            # A quoted << is a name like any other.
            top.key = f"{_MERGE}{_MERGE}" if quoted and key == _MERGE else ("" if key is None else str(key))
            top.nodes += nodes
            return
        self._put(tree, nodes)

    def _put(self, tree: Tree, nodes: int) -> None:
        if not self._stack:
            if tree is not None:
                self.documents.append(Document(tree, self._twice))
            return
        top = self._stack[-1]
        top.items.append((top.key or "", tree, top.line))
        top.key = None
        top.nodes += nodes

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > self._limits.yaml_nodes:
            raise too_much(self._limits.yaml_nodes, f"{self._name} has too many values, or aliases")

    def _anchored(self, event: yaml.AliasEvent) -> tuple[Tree, int]:
        if event.anchor not in self._anchors:
            raise ProjectError(
                f"{self._name}, line {_line(event)}: the alias *{event.anchor:.100} names nothing before it"
            )
        return self._anchors[event.anchor]

    def _mapping(self, done: _Open) -> Mapping:
        own: Mapping = {}
        merged: Mapping = {}
        for key, tree, line in done.items:
            if key == _MERGE:
                for base in self._bases(tree, line):
                    for name, value in base.items():
                        # What is merged first counts.
                        merged.setdefault(name, value)
                continue
            key = _MERGE if key == f"{_MERGE}{_MERGE}" else key
            if key in own and not self._twice:
                self._twice = f"{key!r:.100} in the mapping at line {line}"
            own[key] = tree
        return {**merged, **own} if merged else own

    def _bases(self, tree: Tree, line: int) -> Iterator[Mapping]:
        for base in tree if isinstance(tree, list) else [tree]:
            if isinstance(base, dict):
                yield base
            elif base is not None:
                raise ProjectError(f"{self._name}, line {line}: << takes a mapping or a list of mappings")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _scalar(event: yaml.ScalarEvent) -> Tree:
    value: str = event.value
    tree: Tree = value
    if event.implicit[0] and (event.tag is None or event.tag == "!"):
        if _NULL.fullmatch(value):
            tree = None
        elif _NOT_TEXT.fullmatch(value):
            tree = Plain(value)
    elif event.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool"):
        tree = Plain(value)
    elif event.tag == "tag:yaml.org,2002:null":
        tree = None
    return Marked(event.tag, tree) if event.tag in _MARKS else tree
