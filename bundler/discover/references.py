"""Whether a text names an image, and which one."""

from __future__ import annotations

import re

from bundler.errors import InvalidReference
from bundler.model.reference import Reference

_REGISTRY_SCHEME = "docker://"
#: `pack` reads a name that begins with one of these and a colon as something else than an image's name.
_TRANSPORTS = frozenset({"docker", "docker-daemon", "docker-archive", "oci", "oci-archive", "bundle"})
_LONGEST = 1000
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


def read_reference(text: str) -> Reference | None:
    """Return the image that a text names; ``None`` if it follows no grammar of image names."""
    text = text.removeprefix(_REGISTRY_SCHEME)
    if len(text) > _LONGEST:
        return None
    try:
        return Reference.parse(text)
    except InvalidReference:
        return None


def looks_named(text: str) -> bool:
    """Tell whether a text has more of an image's name than a word has: a tag, a digest or a path.

    For guesses: almost every word is a name that docker would take.
    """
    found = read_reference(text)
    return found is not None and ("/" in text or ":" in text or "@" in text)


def for_pack(text: str, reference: Reference) -> str:
    """Return a spelling of an image that `pack` cannot take for a transport; as it is written if that will do."""
    if text.startswith(_REGISTRY_SCHEME) or text.partition(":")[0] not in _TRANSPORTS:
        return text
    full = str(reference)
    return full if full.partition(":")[0] not in _TRANSPORTS else _REGISTRY_SCHEME + full


def join_image(registry: str | None, repository: str, tag: str | None, digest: str | None) -> str:
    """Return the name of an image whose pieces stand apart, as in the values of a chart."""
    name = f"{registry.rstrip('/')}/{repository}" if registry else repository
    if tag:
        # Some charts take `tag: sha256:…` or `tag: 1@sha256:…` too.
        name += f"@{tag}" if _DIGEST.fullmatch(tag) else f":{tag}"
    if digest and "@" not in name:
        name += f"@{digest}"
    return name
