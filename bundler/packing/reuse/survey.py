"""What a pack would reuse, as far as the tables of the stores tell: no blob is looked at."""

from __future__ import annotations

from dataclasses import dataclass

from bundler.content.images import EngineForm, RegistryForm
from bundler.model.digest import Digest
from bundler.packing.group_reader import placed_offers, requests_of
from bundler.packing.planning.groups import Group, make_groups
from bundler.packing.planning.options import PackOptions
from bundler.packing.planning.plan import PackPlan, carried
from bundler.packing.reuse.proofs import Offer
from bundler.packing.reuse.reuse import Reuse


@dataclass(frozen=True)
class Reusable:
    """What need not be read.

    Attributes:
        count: how many different layers and other blobs.
        size: their bytes, as they will lie in the bundle.
    """

    count: int
    size: int


def survey(plan: PackPlan, options: PackOptions, reuse: Reuse) -> Reusable:
    """Return what of a plan stores have; damage that is found while packing makes it less.

    Raises:
        Unreachable, Refused: a source that must say what it is.
    """
    found: dict[Digest, int] = {}
    done: set[Digest] = set()
    for group in make_groups(plan):
        for offer in _offers(plan, group, options, reuse):
            if offer.digest not in done:
                found[offer.digest] = offer.held[0].size
        # What a group brings is not read again with a later one.
        done.update(digest for image in group for digest in image.found.digests)
    return Reusable(len(found), sum(found.values()))


def _offers(plan: PackPlan, group: Group, options: PackOptions, reuse: Reuse) -> list[Offer]:
    forms = [image.found for image in group if isinstance(image.found, EngineForm)]
    if forms:
        configs = {form.config_digest: reuse.config(form.config_digest) for form in forms}
        known = {digest: raw for digest, raw in configs.items() if raw is not None}
        wanted = {diff_id for form in forms for diff_id in form.diff_ids} - plan.substitutes.keys()
        return placed_offers(requests_of(group, wanted), reuse.layers(wanted, options.encoder, known))
    images = [image.found for image in group if isinstance(image.found, RegistryForm)]
    blobs = [blob for image in images for blob in carried(image) if blob.digest not in image.documents]
    return placed_offers(requests_of(group, {blob.digest for blob in blobs}), reuse.blobs(blobs))
