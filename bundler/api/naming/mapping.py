"""From old names to new ones, for those who deploy: JSON, a table, a kustomize block, hints for Helm values."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bundler.content.images import PutResult
from bundler.errors import UsageError
from bundler.model.digest import Digest
from bundler.model.listing import first_of
from bundler.model.reference import DEFAULT_REGISTRY, Reference

Form = Literal["json", "table", "kustomize", "helm"]
FORMS: tuple[Form, ...] = ("json", "table", "kustomize", "helm")
_HERE = frozenset({"pushed", "skipped", "planned"})
_MOST_NAMED = 4


@dataclass(frozen=True)
class Mapped:
    """An image's old and new name; ``digest`` is what the new one stands for."""

    reference: Reference
    target: Reference
    digest: Digest

    @property
    def pinned(self) -> str:
        """The new name with the digest alone."""
        return f"{self.target.name}@{self.digest}"


def mapping_of(results: Iterable[PutResult]) -> list[Mapped]:
    """Return the names of all images that are, or would be, in the registry; sorted by old name."""
    found = [
        Mapped(Reference.parse(result.reference), Reference.parse(result.target), result.digest)
        for result in results
        if result.status in _HERE
    ]
    return sorted(found, key=lambda one: str(one.reference))


def checked_form(text: str) -> Form:
    """Return the form of this name.

    Raises:
        UsageError: there is none.
    """
    for form in FORMS:
        if text == form:
            return form
    raise UsageError(f"--mapping-format takes {', '.join(FORMS)}, not {text!r:.100}")


def mapping_text(mapping: Sequence[Mapped], form: Form, unmapped: Iterable[Reference] = ()) -> str:
    """Write a mapping in one of the forms.

    Args:
        mapping: Sorted by old name.
        form: Which one.
        unmapped: Images of the bundle that are not in the mapping, such as those that were refused. What holds
            for several images at once is written only where it is not wrong for these.
    """
    if form == "json":
        return _json(mapping)
    if form == "table":
        return _table(mapping)
    return _kustomize(mapping, unmapped) if form == "kustomize" else _helm(mapping, unmapped)


def _json(mapping: Sequence[Mapped]) -> str:
    images = [
        {
            "reference": str(one.reference),
            "target": str(one.target),
            "digest": str(one.digest),
            "pinned": one.pinned,
        }
        for one in mapping
    ]
    return json.dumps({"images": images}, indent=2) + "\n"


def _table(mapping: Sequence[Mapped]) -> str:
    lines = ["# old name\tnew name\tdigest"]
    lines += [f"{one.reference}\t{one.target}\t{one.digest}" for one in mapping]
    return "\n".join(lines) + "\n"


def _kustomize(mapping: Sequence[Mapped], unmapped: Iterable[Reference]) -> str:
    """Write the ``images`` of a kustomization.

    An entry is found by the name as manifests spell it, without tag and digest, so every usual spelling has one.
    It can set only one tag and digest for all tags of a name: where there are several, they are kept.
    """
    by_name: dict[str, list[Mapped]] = defaultdict(list)
    for one in mapping:
        by_name[one.reference.name].append(one)
    absent: dict[str, list[Reference]] = defaultdict(list)
    for reference in unmapped:
        absent[reference.name].append(reference)
    entries: dict[str, dict[str, str]] = {}
    comments: list[str] = []
    for name, images in by_name.items():
        values = _kustomize_values(images)
        if values is None or absent[name]:
            comments += _why_no_entry(name, images, absent[name])
        else:
            entries[name] = values
    ordered = _in_order({name: values["newName"] for name, values in entries.items()})
    lines = [
        line
        for name in ordered
        for spelling in _spellings(by_name[name][0].reference)
        for line in (
            f"- name: {_quoted(spelling)}",
            *(f"  {key}: {_quoted(text)}" for key, text in entries[name].items()),
        )
    ]
    comments += [
        f"# {name} -> {entries[name]['newName']}: another entry would rename that in its turn"
        for name in sorted(entries.keys() - set(ordered))
    ]
    head = "# For kustomization.yaml. Each entry is found by the name as manifests spell it."
    return "\n".join((head, "images:" if lines else "images: []", *comments, *lines)) + "\n"


def _why_no_entry(name: str, images: Sequence[Mapped], absent: Sequence[Reference]) -> list[str]:
    """Say in comments what becomes of each image of a name, and why no entry can."""
    why = (
        "an entry would change all its tags, and not all of them are mapped"
        if absent
        else "its tags go to different names, which kustomize cannot do by an entry"
    )
    return [
        f"# {name}: {why}:",
        *(f"#   {one.reference.familiar} -> {one.target}" for one in images),
        *(f"#   {reference.familiar} is not" for reference in absent),
    ]


def _in_order(new_names: Mapping[str, str]) -> list[str]:
    """Return names in the order in which their entries may stand; those for which there is none are left out.

    Kustomize goes through all entries one after another, so what one of them writes is found by a later one.
    """
    left, ordered = dict(new_names), list[str]()
    while left:
        ready = [name for name, new in left.items() if new == name or new not in left]
        if not ready:
            break
        ordered += ready
        for name in ready:
            del left[name]
    return ordered


def _kustomize_values(images: Sequence[Mapped]) -> dict[str, str] | None:
    """Return what to set for all tags of one name; ``None`` if no one entry is right for them."""
    names = {one.target.name for one in images}
    if len(names) > 1:
        return None
    values = {"newName": names.pop()}
    targets = {(one.target.tag, one.digest) for one in images}
    if len(targets) == 1:
        tag, digest = targets.pop()
        return {**values, **({"newTag": tag} if tag else {}), "digest": digest}
    kept = all(one.target.tag == one.reference.tag and _keeps_digest(one) for one in images)
    return values if kept else None


def _keeps_digest(one: Mapped) -> bool:
    return one.reference.digest in (None, one.digest)


def _spellings(reference: Reference) -> list[str]:
    """Return how manifests write the name of an image, the shortest first."""
    path = reference.repository
    full = reference.name
    if reference.registry != DEFAULT_REGISTRY:
        return [full]
    short = path.removeprefix("library/")
    if "/" in short or short == path:
        return [path, full]
    return [short, f"{DEFAULT_REGISTRY}/{short}", full]


def _helm(mapping: Sequence[Mapped], unmapped: Iterable[Reference]) -> str:
    """Write values for charts, as far as charts agree on keys; the rest is in comments to copy from."""
    lines = [
        "# Hints for the values of Helm charts; which keys a chart reads, its own values.yaml says.",
        "# `helm show values CHART` prints it.",
    ]
    base = _common_base(mapping)
    if base:
        lines += ["global:", f"  imageRegistry: {_quoted(base)}  # all repositories below it are as they were"]
        named = [reference.familiar for reference in unmapped]
        if named:
            lines.append(f"# It is not for charts with what is not mapped: {first_of(named, _MOST_NAMED)}")
    else:
        lines.append("# No one global.imageRegistry is right for all of them: set each image.")
    for one in mapping:
        registry, repository = one.target.registry, one.target.repository
        lines += [
            "",
            f"# {one.reference}",
            "#   image:",
            f"#     registry: {_quoted(registry)}  # where a chart has no such key, repository is",
            f"#     repository: {_quoted(repository)}  # {one.target.name}",
            *([f"#     tag: {_quoted(one.target.tag)}"] if one.target.tag else []),
            f"#     digest: {_quoted(one.digest)}",
        ]
    return "\n".join(lines) + "\n"


def _common_base(mapping: Sequence[Mapped]) -> str:
    """Return what stands before the old repository in every new name; "" if that is not one thing."""
    bases = set()
    for one in mapping:
        rest = f"/{one.reference.repository}"
        if not one.target.name.endswith(rest) or one.target.tag != one.reference.tag:
            return ""
        bases.add(one.target.name.removesuffix(rest))
    return bases.pop() if len(bases) == 1 else ""


def _quoted(text: str) -> str:
    """Return a text as YAML that is read as the same text: `1.10` is no number."""
    return json.dumps(text)
