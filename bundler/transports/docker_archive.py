"""The table of a docker-archive, ``manifest.json``: which files of the tar make up which image.

Docker image specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
"""

from __future__ import annotations

import msgspec

from bundler.errors import InvalidReference, MalformedDocument
from bundler.model.json_documents import canonical_json, convert, parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits, beyond
from bundler.model.reference import Reference

TABLE = "manifest.json"


class TableEntry(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One image: names of files in the tar, layers bottom first, and the tags that it carries."""

    config: str
    repo_tags: tuple[str, ...] | None = None
    layers: tuple[str, ...] | None = None

    @property
    def references(self) -> tuple[Reference, ...]:
        """The tags as complete references, in their order.

        Raises:
            MalformedDocument: one is no reference, or pins a digest, which a tag cannot.
        """
        try:
            names = tuple(Reference.parse(tag) for tag in self.repo_tags or ())
        except InvalidReference as error:
            raise MalformedDocument(f"{TABLE} holds a tag that is none: {error}") from error
        if any(name.digest for name in names):
            raise MalformedDocument(f"{TABLE} holds a tag with a digest")
        return names


def parse_table(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[TableEntry, ...]:
    """Read ``manifest.json``.

    Raises:
        MalformedDocument: it breaks its form or a bound.
    """
    value = parse_json(raw, TABLE, limit=limits.table_bytes, limits=limits)
    table = convert(value, tuple[TableEntry, ...], TABLE)
    if len(table) > limits.images:
        raise beyond(limits.images, f"{TABLE} lists {len(table)} images")
    for entry in table:
        if len(entry.layers or ()) > limits.layers:
            raise beyond(limits.layers, f"{TABLE} lists {len(entry.layers or ())} layers of one image")
        if max(map(len, (entry.config, *(entry.layers or ())))) > limits.name_chars:
            raise beyond(limits.name_chars, f"{TABLE} holds a name that is too long")
    return table


def write_table(entries: tuple[TableEntry, ...]) -> bytes:
    """Return the bytes of ``manifest.json``; an image without tags has ``null`` there, as docker writes it."""
    return canonical_json(
        [
            {"Config": entry.config, "RepoTags": entry.repo_tags or None, "Layers": entry.layers or ()}
            for entry in entries
        ]
    )
