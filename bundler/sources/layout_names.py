"""Finds the entries of an OCI layout by what users call them; made once, since layouts may hold many images."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property

from bundler.errors import InvalidReference
from bundler.model.digest import Digest
from bundler.model.reference import Reference
from bundler.transports.oci_layout import LayoutEntry, OciLayout


class LayoutNames:
    """The entries of one layout by name, by what their names mean, and by digest; each in its order."""

    def __init__(self, layout: OciLayout) -> None:
        self._layout = layout

    def find(self, name: str) -> list[LayoutEntry]:
        """Return the entries of a name: ``@sha256:…``, one to the letter, or else a reference that means the same.

        Raises:
            InvalidReference: no entry has this name to the letter, and it is no reference.
        """
        if name.startswith("@"):
            digest = Reference.parse("any" + name).digest
            return self._by_digest.get(digest, []) if digest is not None else []
        if to_the_letter := self._by_name.get(name):
            return to_the_letter
        asked = Reference.parse(name)
        if asked.digest is None:
            return self._by_reference.get(asked, [])
        return [entry for entry in self._by_digest.get(asked.digest, []) if self._has_name(entry, asked)]

    @cached_property
    def _by_name(self) -> dict[str, list[LayoutEntry]]:
        found = defaultdict(list)
        for entry in self._layout.entries:
            for name in dict.fromkeys(entry.names):
                found[name].append(entry)
        return dict(found)

    @cached_property
    def _by_reference(self) -> dict[Reference, list[LayoutEntry]]:
        found = defaultdict(list)
        for entry in self._layout.entries:
            if (reference := self._reference(entry)) is not None:
                found[reference].append(entry)
        return dict(found)

    @cached_property
    def _by_digest(self) -> dict[Digest, list[LayoutEntry]]:
        found = defaultdict(list)
        for entry in self._layout.entries:
            found[entry.descriptor.digest].append(entry)
        return dict(found)

    def _has_name(self, entry: LayoutEntry, asked: Reference) -> bool:
        has = self._reference(entry)
        return has is not None and asked.name == has.name and asked.tag in ("", has.tag)

    def _reference(self, entry: LayoutEntry) -> Reference | None:
        try:
            return self._layout.reference(entry)
        except InvalidReference:
            return None
