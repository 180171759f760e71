"""Layers that their owner does not let registries keep."""

from __future__ import annotations

from dataclasses import replace

from bundler.content.images import BlobReader
from bundler.destinations.registry_plan import PushPlan
from bundler.errors import NotFound
from bundler.model import media_types
from bundler.model.descriptor import Descriptor


def without_absent_foreign(plan: PushPlan, reader: BlobReader) -> PushPlan:
    """Leave out of a plan the layers that may not be distributed and that the reader does not have."""
    absent = {blob for blob in plan.blobs if _is_absent_foreign(blob, reader)}
    if not absent:
        return plan
    notes = (f"the layer {blob.digest} is not here and was not sent: its owner forbids it" for blob in absent)
    blobs = tuple(blob for blob in plan.blobs if blob not in absent)
    return replace(plan, blobs=blobs, notes=(*plan.notes, *sorted(notes)))


def _is_absent_foreign(blob: Descriptor, reader: BlobReader) -> bool:
    if not media_types.is_foreign_layer(blob.media_type):
        return False
    try:
        reader.open_blob(blob).close()
    except NotFound:
        return True
    return False
