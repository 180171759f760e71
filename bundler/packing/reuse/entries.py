"""What a cache notes beside each blob: a small JSON document, which nobody need believe."""

from __future__ import annotations

import msgspec

from bundler.bundle.manifest import Blob
from bundler.content.compression import Encoder
from bundler.errors import MalformedDocument
from bundler.model.digest import Digest
from bundler.model.json_documents import canonical_json, convert, parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits

_WHAT = "the cache's note of a blob"


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One blob of a cache.

    Attributes:
        digest: of the blob.
        size: of the blob in bytes.
        diff_id: of the layer that was compressed to it.
        encoder: the recipe by which it was.
    """

    digest: Digest
    size: int
    diff_id: Digest | None = None
    encoder: Encoder | None = None

    @classmethod
    def of(cls, row: Blob) -> Entry:
        """Return what is noted of a blob that a pack stored; a DiffID counts only with a recipe."""
        diff_id = row.diff_id if row.encoder is not None else None
        return cls(digest=row.digest, size=row.size, diff_id=diff_id, encoder=row.encoder)


def write_entry(entry: Entry) -> bytes:
    """Return the document."""
    return canonical_json(entry)


def parse_entry(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> Entry:
    """Read a document.

    Raises:
        MalformedDocument: it is not what :func:`write_entry` makes.
    """
    entry = convert(parse_json(raw, _WHAT, limit=limits.cache_entry_bytes, limits=limits), Entry, _WHAT)
    if entry.size < 0 or (entry.diff_id is None) != (entry.encoder is None):
        raise MalformedDocument(f"{_WHAT} contradicts itself")
    return entry
