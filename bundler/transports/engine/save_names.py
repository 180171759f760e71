"""Knows which layer is which while saved images go by, in every layout that engines have used.

Since 25.0 engines name layers by their DiffID. Before, a layer was ``<v1 id>/layer.tar``, and the table that
says which one that is came last. But a v1 id is itself a hash, over the ChainID of the layer and over the
``<v1 id>/json`` that goes before (docker image specification v1.2, "Layer ID"; the engine's image/v1 package).
So the position of a layer follows from that document, and a wrong conclusion would need a collision.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec

from bundler.content.chain_ids import chain_ids
from bundler.content.hashing import sha256
from bundler.content.streams import read_all
from bundler.content.tar import TarEntry, TarReader
from bundler.errors import MalformedDocument
from bundler.model.digest import Digest
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.transports.saved_index import blob_digest

# The engine adds the first two only after it has made the id, and the third too for all layers but the top one.
_NOT_HASHED = ("id", "parent")
_NOT_HASHED_BELOW_THE_TOP = (*_NOT_HASHED, "os")


class SaveNames:
    """Follows the entries of saved images and tells what each regular file is by its name."""

    def __init__(self, layers: Mapping[Digest, Sequence[Digest]], limits: Limits = DEFAULT_LIMITS) -> None:
        """Expect images, each by the digest of its config; ``layers`` gives the DiffIDs, bottom first."""
        self._config_digests = frozenset(layers)
        self._by_chain = {
            chain: diff_id
            for diff_ids in layers.values()
            for chain, diff_id in zip(chain_ids(diff_ids), diff_ids, strict=True)
        }
        self._limits = limits
        self._known: dict[str, Digest] = {}

    def learn(self, path: str, digest: Digest) -> None:
        """Remember what a file is, for the next time that the images are saved."""
        self._known[path] = digest

    def identify(self, entry: TarEntry, reader: TarReader) -> Digest | None:
        """Return the digest that the file must have, which its bytes still have to prove; ``None`` if unknown.

        May read the payload of files that are no content of an image.

        Raises:
            DamagedContent: the archive is truncated.
        """
        name = entry.name
        if (digest := self._known.get(name) or blob_digest(name)) is not None:
            return digest
        stem, _, last = name.rpartition("/")
        if stem and last == "json" and entry.size <= self._limits.document_bytes:
            found = self._of_v1_document(stem, read_all(reader, self._limits.document_bytes, name))
            if found is not None:
                self._known[f"{stem}/layer.tar"] = found
            return None
        return self._of_plain_name(name)

    def _of_plain_name(self, name: str) -> Digest | None:
        stem, dot, suffix = name.partition(".")
        try:
            digest = Digest.from_hex(stem) if dot and suffix in ("json", "tar") else None
        except MalformedDocument:
            return None
        # Podman names layers <DiffID>.tar at the top of the archive.
        return digest if (suffix == "json") == (digest in self._config_digests) else None

    def _of_v1_document(self, v1_id: str, document: bytes) -> Digest | None:
        try:
            fields = msgspec.json.decode(document, type=dict[str, msgspec.Raw])
            parent = msgspec.json.decode(fields["parent"], type=str) if "parent" in fields else ""
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        for left_out in (_NOT_HASHED_BELOW_THE_TOP, _NOT_HASHED):
            hashed = {key: bytes(raw) for key, raw in fields.items() if key not in left_out}
            if parent:
                hashed["parent"] = _json_text(f"sha256:{parent}")
            for chain, diff_id in self._by_chain.items():
                hashed["layer_id"] = _json_text(chain)
                if sha256(_json_object(hashed)).hex == v1_id:
                    return diff_id
        return None


def _json_text(text: str) -> bytes:
    return json.dumps(text).encode()


def _json_object(fields: dict[str, bytes]) -> bytes:
    """Write an object as the engine does: keys sorted, values as they stand in its documents."""
    return b"{" + b",".join(_json_text(key) + b":" + fields[key] for key in sorted(fields)) + b"}"
