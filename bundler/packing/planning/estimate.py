"""What a pack will take and give, before anything is read. What is not known is not invented."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.content.images import RegistryForm
from bundler.content.tar import BLOCK_BYTES, padding
from bundler.model.digest import Digest
from bundler.packing.planning.plan import PackPlan, carried


@dataclass(frozen=True)
class Estimate:
    """Sizes in bytes.

    Attributes:
        known_bytes: what the blobs that are taken as they are will take in the archives: exact.
        unpacked_bytes: layers that will be compressed here, as they are now: an upper bound, since layers that
            several images share are counted with each; ``None`` where a source does not say.
        layers_to_compress: how many different layers that are.
    """

    known_bytes: int
    unpacked_bytes: int | None
    layers_to_compress: int

    @property
    def input_bytes(self) -> int | None:
        """How much will be read, at most; ``None`` where that is not known."""
        return None if self.unpacked_bytes is None else self.known_bytes + self.unpacked_bytes

    @property
    def is_exact(self) -> bool:
        """Whether the size of the bundle is known before it is packed."""
        return self.layers_to_compress == 0


def estimate(plan: PackPlan) -> Estimate:
    """Add up what the plan knows."""
    blobs: dict[Digest, int] = {}
    layers: set[Digest] = set()
    sizes: dict[Digest, int | None] = {}
    for image in plan.images:
        if isinstance(image.found, RegistryForm):
            blobs.update((blob.digest, blob.size) for blob in carried(image.found))
        else:
            mine = set(image.found.diff_ids) - set(plan.substitutes)
            layers |= mine
            sizes[image.found.config_digest] = image.found.size if mine else 0
    unpacked = None if None in sizes.values() else sum(size or 0 for size in sizes.values())
    known = sum(BLOCK_BYTES + size + padding(size) for size in blobs.values())
    return Estimate(known, unpacked, len(layers))
