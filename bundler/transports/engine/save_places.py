"""Where an engine puts each content when it saves images, known before it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bundler.content.images import EngineForm, FoundImage, Place
from bundler.model.digest import Digest
from bundler.transports.engine.facts import EngineInfo
from bundler.transports.engine.v1_ids import v1_ids
from bundler.transports.saved_index import blob_path

#: From this version on a layer has the name of its DiffID.
_NAMED_BY_DIFF_ID = (25,)
#: The oldest version whose v1 ids were compared with :mod:`bundler.transports.engine.v1_ids`.
_OLDEST_KNOWN = (20, 10)


def save_places(
    info: EngineInfo, images: Sequence[FoundImage], configs: Mapping[Digest, bytes]
) -> dict[Digest, Place]:
    """Return the name of each content in what an engine saves, field by field, as far as that is certain.

    Args:
        info: What the engine is.
        images: That it is asked for together. Layers that have two places in them are left out.
        configs: Image configs that are known, by digest; without its own an image's top layer is left out before
            version 25.
    """
    if not info.is_docker:
        return {}  # podman saves layers in the order of the image, whatever they are called
    if info.store == "containerd" or info.version >= _NAMED_BY_DIFF_ID:
        return {digest: _place(blob_path(digest)) for image in images for digest in image.digests}
    if info.version < _OLDEST_KNOWN or info.epoch is None:
        return {}
    found: dict[Digest, set[str | None]] = {}
    for image in images:
        if isinstance(image, EngineForm):
            ids = v1_ids(image.diff_ids, info.epoch, configs.get(image.config_digest))
            # Reversed: of a layer that occurs twice the lowest place counts.
            lowest = dict(zip(reversed(image.diff_ids), reversed(ids), strict=True))
            for diff_id, v1_id in lowest.items():
                found.setdefault(diff_id, set()).add(v1_id)
    return {
        diff_id: (v1_id, "layer.tar")
        for diff_id, v1_ids_of_layer in found.items()
        if len(v1_ids_of_layer) == 1 and (v1_id := next(iter(v1_ids_of_layer))) is not None
    }


def _place(path: str) -> Place:
    return tuple(path.split("/"))
