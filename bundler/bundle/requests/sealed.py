"""JSON documents that hold a sum over themselves: they travel as mail, on paper and by hand."""

from __future__ import annotations

from typing import Any

import msgspec

from bundler.content.hashing import sha256
from bundler.errors import MalformedDocument, UnsupportedVersion
from bundler.model.json_documents import canonical_json, parse_json
from bundler.model.limits import DEFAULT_LIMITS, Limits

_SUM = "sum"


def seal(fields: msgspec.Struct) -> bytes:
    """Return the canonical JSON of these fields and of ``sum``, the sha256 of their own canonical JSON."""
    value: dict[str, Any] = msgspec.json.decode(canonical_json(fields))
    value[_SUM] = str(sha256(canonical_json(value)))
    return canonical_json(value)


def unseal(raw: bytes, what: str, media_type: str, limits: Limits = DEFAULT_LIMITS) -> dict[str, object]:
    """Read a document of this type whose sum is right; return its fields without the sum.

    White space and the order of keys may have changed on the way; nothing else may.

    Args:
        raw: The document; at most ``limits.bundle_manifest_bytes`` long.
        what: What it is, for errors.
        media_type: What ``mediaType`` must say, with ``.v`` and a version in it.
        limits: Bounds it.

    Raises:
        UnsupportedVersion: it is right, and says that it is of another major version.
        MalformedDocument: its sum is wrong, or it is no such document.
    """
    value = parse_json(raw, what, limit=limits.bundle_manifest_bytes, limits=limits)
    if not isinstance(value, dict):
        raise MalformedDocument(f"{what} is no object")
    said = value.pop(_SUM, None)
    if said != str(sha256(canonical_json(value))):
        raise MalformedDocument(
            f"{what} is damaged: its sum is wrong", advice="Bring it anew from where it was made."
        )
    found = value.get("mediaType")
    if found != media_type:
        family, _, version = media_type.rpartition(".")
        if isinstance(found, str) and found.startswith(f"{family}."):
            raise UnsupportedVersion(f"{what} has the format {found:.100}; this release reads {version}")
        raise MalformedDocument(f"{what} does not say that it is {media_type}")
    return value
