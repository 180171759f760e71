"""The ``index.json`` of an OCI layout while images are added to it. A value in memory: no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import msgspec

from bundler.errors import InvalidReference
from bundler.model import media_types
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.json_documents import canonical_json, parse_json
from bundler.model.reference import Reference
from bundler.model.referrers import SUBJECT_ANNOTATION, TAG_ANNOTATION, Referrer
from bundler.transports.oci_layout import CONTAINERD_NAME, INDEX_FILE, REF_NAME, LayoutEntry, OciLayout


@dataclass(frozen=True)
class _Item:
    name: Reference | None
    digest: Digest
    written: object


class LayoutIndex:
    """What a layout lists. Entries that it held before, and their unknown fields, stay as they were."""

    def __init__(self, layout: OciLayout | None = None) -> None:
        """Begin with what ``layout`` lists, or with nothing."""
        self._document: dict[str, Any] = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX}
        self._items: list[_Item] = []
        #: whether there is something that the layout does not list yet
        self.changed = False
        self._referrers: set[tuple[Digest, str, str]] = set()
        if layout is not None:
            self._referrers.update(
                (entry.digest, subject, entry.annotations.get(TAG_ANNOTATION, ""))
                for entry in layout.index.manifests
                if (subject := entry.annotations.get(SUBJECT_ANNOTATION))
            )
            raw = layout.index.raw
            self._document = cast("dict[str, Any]", parse_json(raw, INDEX_FILE, limit=len(raw)))
            self._items = [
                _Item(_name_of(layout, entry), entry.descriptor.digest, written)
                for entry, written in zip(layout.entries, self._document["manifests"] or (), strict=True)
            ]

    def digest(self, name: Reference) -> Digest | None:
        """Return what a name leads to; the last entry counts where a foreign layout has several."""
        return next((item.digest for item in reversed(self._items) if item.name == name), None)

    def assign(self, name: Reference, root: Descriptor) -> None:
        """Make a name lead to an image, and to no other; nothing changes where it does already."""
        holders = [item for item in self._items if item.name == name]
        if holders and all(item.digest == root.digest for item in holders):
            return
        annotations = {**root.annotations, CONTAINERD_NAME: str(name), REF_NAME: str(name)}
        item = _Item(name, root.digest, msgspec.structs.replace(root, annotations=annotations))
        self._items = [*(other for other in self._items if other.name != name), item]
        self.changed = True

    def add_referrer(self, image: Reference, referrer: Referrer) -> bool:
        """List a referrer of an image; tell whether it was not listed yet.

        What cosign's tag names has that tag in the image's repository as its name.
        """
        key = (referrer.digest, str(referrer.subject), referrer.tag)
        if key in self._referrers:
            return False
        entry, name = referrer.entry(), None
        if referrer.tag:
            name = Reference.parse(f"{image.name}:{referrer.tag}")
            entry = msgspec.structs.replace(entry, annotations={**entry.annotations, REF_NAME: str(name)})
            self._items = [item for item in self._items if item.name != name]
        self._items.append(_Item(name, entry.digest, entry))
        self._referrers.add(key)
        self.changed = True
        return True

    def document(self) -> bytes:
        """Return the bytes of ``index.json``."""
        return canonical_json({**self._document, "manifests": [item.written for item in self._items]})


def _name_of(layout: OciLayout, entry: LayoutEntry) -> Reference | None:
    try:
        return layout.reference(entry) if entry.names else None
    except InvalidReference:
        return None  # no image of ours could have such a name
