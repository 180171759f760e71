"""All stores of one pack: what they have is not read from its source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bundler.content.compression import Encoder
from bundler.content.streams import read_all
from bundler.model.descriptor import Descriptor
from bundler.model.digest import Digest
from bundler.model.limits import DEFAULT_LIMITS, Limits
from bundler.model.media_types import layer_compression
from bundler.packing.reuse.filling import CacheFiller
from bundler.packing.reuse.stores import UNUSABLE, Held, LayerStore


@dataclass(frozen=True)
class Offers:
    """What stores have for contents of one group of images.

    Attributes:
        held: by what the content is known by, the first choice first.
        configs: bytes of image configs that are known, by digest: some places follow from them.
        compression: of what stands for a DiffID; ``None`` if contents are known by their own digest.
    """

    held: Mapping[Digest, tuple[Held, ...]] = field(default_factory=dict)
    configs: Mapping[Digest, bytes] = field(default_factory=dict)
    compression: str | None = None


NO_OFFERS = Offers()


class Reuse:
    """Stores in the order in which they are asked, and what was taken from them.

    Attributes:
        filler: keeps what the pack writes; ``None`` if nothing is kept.
        bytes_reused: bytes of blobs that came from stores.
    """

    def __init__(
        self, stores: Sequence[LayerStore] = (), filler: CacheFiller | None = None, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._stores = tuple(stores)
        self._limits = limits
        self.filler = filler
        self.bytes_reused = 0

    def config(self, digest: Digest) -> bytes | None:
        """Return the bytes of an image config that a store has; they hash to the digest."""
        for held in self._held(store.blob(digest) for store in self._stores):
            if held.size > self._limits.document_bytes:
                continue
            try:
                stream = held.store.open(held)
                try:
                    return read_all(stream, self._limits.document_bytes, "the image config")
                finally:
                    stream.close()
            except UNUSABLE:
                held.store.reject(held)
        return None

    def layers(self, diff_ids: Iterable[Digest], encoder: Encoder, configs: Mapping[Digest, bytes]) -> Offers:
        """Return the blobs that this recipe made of these layers."""
        held = {
            diff_id: self._held(store.made_of(diff_id, encoder) for store in self._stores) for diff_id in diff_ids
        }
        return Offers(_not_empty(held), configs, layer_compression(encoder.media_type))

    def blobs(self, descriptors: Iterable[Descriptor]) -> Offers:
        """Return these blobs, as far as a store has them."""
        held = {
            one.digest: tuple(
                found
                for found in self._held(store.blob(one.digest) for store in self._stores)
                if found.size == one.size
            )
            for one in descriptors
        }
        return Offers(_not_empty(held))

    @staticmethod
    def _held(found: Iterable[Held | None]) -> tuple[Held, ...]:
        return tuple(held for held in found if held is not None)


def _not_empty(held: Mapping[Digest, tuple[Held, ...]]) -> dict[Digest, tuple[Held, ...]]:
    return {digest: found for digest, found in held.items() if found}
