"""One image that several applications have, each with platforms of its own."""

from __future__ import annotations

import msgspec

from bundler.bundle.manifest import Image


def merge_images(one: Image, other: Image) -> Image:
    """Return a row with all that two rows of one root have: wherever the image goes, its name can be given once.

    Args:
        one: A row of bundle.json.
        other: Another row with the same reference and the same root.
    """
    if one.blobs == other.blobs:
        return one
    blobs = tuple(dict.fromkeys((*one.blobs, *other.blobs)))
    known = sorted({pair for row in (one, other) for pair in zip(row.platforms, row.image_ids, strict=True)})
    left_out = {*one.left_out} & {*other.left_out}
    return msgspec.structs.replace(
        one,
        platforms=tuple(platform for platform, _ in known),
        image_ids=tuple(image_id for _, image_id in known),
        blobs=blobs,
        left_out=tuple(sorted(left_out.difference(blobs))),
        referrers=tuple(dict.fromkeys((*one.referrers, *other.referrers))),
    )
