"""Edits a configuration in place: only what must change is written anew, every comment stays where it is.

An image of an application that was found with another tag or digest is replaced; one that is new is added. What is
in the file and was not found stays: somebody may have put it there for another reason. Where a version range or a
pattern stands for a repository, it goes on choosing the tag, if it can choose the one that was found at all.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import yaml

from bundler.discover.hits import Discovery, FoundApplication, FoundImage
from bundler.discover.output import comment_of, quoted
from bundler.discover.reading import decode
from bundler.discover.references import read_reference
from bundler.discover.trees import list_at, text_at
from bundler.discover.yaml_documents import parse_documents
from bundler.errors import ConfigError, UsageError
from bundler.model.limits import Limits
from bundler.model.tag_patterns import fits
from bundler.model.versions import Version, VersionRange

_BY_HAND = "Change it by hand, or write a new one: airbundle discover … > FILE"


@dataclass(frozen=True)
class Change:
    """One thing that is different now.

    Attributes:
        application: whose image it is.
        before: the image that stood there; ``""`` if it is new.
        after: the image that stands there; ``""`` if it was not found and stays.
        rule: what chooses the tag of ``after`` in the file, which names it no other way; then nothing is changed.
    """

    application: str
    before: str
    after: str
    rule: str = ""


@dataclass(frozen=True)
class _Rule:
    """What chooses a tag of a repository: a version range or a pattern."""

    repository: str | None
    version: str | None
    tags: str | None

    def may_choose(self, reference: str | None) -> bool:
        """Tell whether it stands for an image; of a tag that is no version nobody knows what it stood for."""
        found = None if reference is None else read_reference(reference)
        if found is None or found.name != self.repository or found.digest is not None:
            return False
        version = Version.find(found.tag or "")
        if self.version is not None and version is not None:
            with suppress(UsageError):
                return VersionRange.parse(self.version).holds(version)
        return self.tags is None or fits(self.tags, found.tag or "")

    def __str__(self) -> str:
        return f"version {self.version}" if self.version is not None else f"tags {self.tags}"


@dataclass(frozen=True)
class _Edit:
    """Characters from ``start`` to ``end`` become ``text``."""

    start: int
    end: int
    text: str


def updated(raw: bytes, name: str, discovery: Discovery, limits: Limits) -> tuple[bytes, tuple[Change, ...]]:
    """Return a configuration with what was found in it, and what changed.

    Args:
        raw: The file.
        name: Its name, for errors.
        discovery: What was found.
        limits: Bound what the file may hold.

    Raises:
        ConfigError: it is no configuration, or written in a way that cannot be edited with certainty.
    """
    parse_documents(raw, name, limits)
    text = decode(raw, name)
    bom = "\ufeff" if raw.startswith(b"\xef\xbb\xbf") else ""
    applications = _applications(_root(text, name), name)
    edits: list[_Edit] = []
    changes: list[Change] = []
    line_end = "\r\n" if "\r\n" in text else "\n"
    for application in discovery.applications:
        node = _value(applications, application.name)
        if node is None:
            edits.append(_new_application(text, applications, application, line_end))
            changes += [Change(application.name, "", image.image) for image in application.images]
        else:
            images = _images(node, application.name, name)
            if sum(_is_shared(images, one) for _, one in applications.value) > 1:
                raise ConfigError(f"{name}: two applications share a list of images", advice=_BY_HAND)
            made, told = _edit_images(text, images, application, line_end)
            edits += made
            changes += told
    for edit in sorted(edits, key=lambda one: one.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    _check(text, name, discovery, changes, limits)
    return (bom + text).encode(), tuple(changes)


def _root(text: str, name: str) -> yaml.MappingNode:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigError(f"{name} is not YAML", advice=_BY_HAND) from None
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{name} is not a configuration: its top is not a mapping")
    return root


def _applications(root: yaml.MappingNode, name: str) -> yaml.MappingNode:
    node = _value(root, "applications")
    if not isinstance(node, yaml.MappingNode) or not node.value:
        raise ConfigError(f"{name} is not a configuration: it has no applications")
    return node


def _value(mapping: yaml.MappingNode, key: str) -> yaml.Node | None:
    return next((value for name, value in mapping.value if name.value == key), None)


def _images(application: yaml.Node, whose: str, name: str) -> yaml.SequenceNode:
    node = _value(application, "images") if isinstance(application, yaml.MappingNode) else None
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise ConfigError(f"{name}: the application {whose} has no list of images", advice=_BY_HAND)
    return node


def _is_shared(images: yaml.SequenceNode, application: yaml.Node) -> bool:
    return isinstance(application, yaml.MappingNode) and any(value is images for _, value in application.value)


def _edit_images(
    text: str, node: yaml.SequenceNode, application: FoundApplication, line_end: str
) -> tuple[list[_Edit], list[Change]]:
    names, rules = _listed(node)
    listed = {entry: _reference(entry.value) for entry in names}
    known = {reference for reference in listed.values() if reference is not None}
    edits, changes, new = [], [], []
    for image in application.images:
        rule = next((one for one in rules if one.may_choose(image.reference)), None)
        if image.reference not in known and rule is None:
            new.append(image)
        elif image.reference not in known:
            changes.append(Change(application.name, "", image.image, str(rule)))
    found = {image.reference for image in application.images}
    for entry, reference in listed.items():
        if reference in found:
            continue
        instead = next((image for image in new if _name(image.reference) == _name(reference)), None)
        changes.append(Change(application.name, entry.value, instead.image if instead else ""))
        if instead is not None:
            new.remove(instead)
            prefix = "docker://" if entry.value.startswith("docker://") else ""
            edits.append(_Edit(entry.start_mark.index, entry.end_mark.index, quoted(prefix + instead.image)))
    changes += [Change(application.name, "", image.image) for image in new]
    if new:
        edits.append(_append(text, node, new, line_end))
    return edits, changes


def _listed(images: yaml.SequenceNode) -> tuple[list[yaml.ScalarNode], list[_Rule]]:
    """Return the names that are listed, alone or in mappings, and the rules that choose tags."""
    names, rules = [], []
    for entry in images.value:
        name = _value(entry, "image") if isinstance(entry, yaml.MappingNode) else entry
        if not isinstance(name, yaml.ScalarNode):
            continue
        version, tags = (_scalar(entry, key) for key in ("version", "tags"))
        if version is None and tags is None:
            names.append(name)
        else:
            rules.append(_Rule(_name(name.value), version, tags))
    return names, rules


def _scalar(entry: yaml.Node, key: str) -> str | None:
    value = _value(entry, key) if isinstance(entry, yaml.MappingNode) else None
    return value.value if isinstance(value, yaml.ScalarNode) else None


def _append(text: str, node: yaml.SequenceNode, images: list[FoundImage], line_end: str) -> _Edit:
    last = node.value[-1]
    if node.flow_style:
        joined = "".join(f", {quoted(image.image)}" for image in images)
        return _Edit(last.end_mark.index, last.end_mark.index, joined)
    # A list that stands in the column of its key begins with the dash of its first item.
    column = " " * node.start_mark.column
    lines = [f"{column}- {quoted(image.image)}  # {comment_of(image)}" for image in images]
    return _insert_lines(text, _end_of_content(last), lines, line_end)


def _new_application(
    text: str, applications: yaml.MappingNode, application: FoundApplication, line_end: str
) -> _Edit:
    last = applications.value[-1][1]
    if applications.flow_style:
        images = ", ".join(quoted(image.image) for image in application.images)
        added = f", {quoted(application.name)}: {{images: [{images}]}}"
        return _Edit(last.end_mark.index, last.end_mark.index, added)
    column = " " * applications.start_mark.column
    lines = [f"{column}{quoted(application.name)}:", f"{column}  images:"]
    lines += [f"{column}    - {quoted(image.image)}  # {comment_of(image)}" for image in application.images]
    return _insert_lines(text, _end_of_content(last), lines, line_end)


def _end_of_content(node: yaml.Node) -> int:
    """Return where the last character of a node is; a block's own end lies behind the comments that follow it."""
    while isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.index)


def _insert_lines(text: str, behind: int, lines: list[str], line_end: str) -> _Edit:
    """Return the edit that puts lines behind the line in which a place is."""
    end = text.find("\n", behind)
    if end < 0:
        return _Edit(len(text), len(text), line_end + line_end.join(lines))
    return _Edit(end + 1, end + 1, "".join(line + line_end for line in lines))


def _reference(entry: str) -> str | None:
    found = read_reference(entry)
    return None if found is None else str(found)


def _name(reference: str | None) -> str | None:
    found = None if reference is None else read_reference(reference)
    return None if found is None else found.name


def _check(text: str, name: str, discovery: Discovery, changes: list[Change], limits: Limits) -> None:
    """Read the edited text back: it must hold everything that was found.

    Raises:
        ConfigError: it does not, for the file is written in a way that the editor does not know.
    """
    try:
        documents = parse_documents(text.encode(), name, limits)
    except ConfigError:
        documents = []
    tree = documents[0].tree if documents else None
    for application in discovery.applications:
        images = list_at(tree, "applications", application.name, "images")
        listed = {_reference(text_at(one, "image") or str(one)) for one in images}
        told = [one for one in changes if one.application == application.name]
        kept = {_reference(one.before) for one in told if not one.after}
        by_rule = {_reference(one.after) for one in told if one.rule}
        wanted = {image.reference for image in application.images} | kept
        if None in wanted or not wanted - by_rule <= listed:
            raise ConfigError(f"{name} is written in a way that cannot be edited", advice=_BY_HAND)
