"""Reads what a source yields as its consumer does: everything is proven by its digest."""

from __future__ import annotations

from collections.abc import Collection

from bundler.content.images import EngineForm, FoundImage, ImageSource
from bundler.content.streams import VerifiedStream, read_all
from bundler.model.digest import Digest
from tests.fakes.memory import CountingTask


def wanted_of(image: FoundImage) -> set[Digest]:
    """Return all that an image consists of."""
    if isinstance(image, EngineForm):
        return {image.config_digest, *image.diff_ids}
    return {descriptor.digest for descriptor in image.tree.blobs()}


def read(
    source: ImageSource,
    image: FoundImage,
    wanted: Collection[Digest] | None = None,
    task: CountingTask | None = None,
) -> dict[Digest, bytes]:
    """Return contents by digest, in the order in which the source yields them."""
    wanted = wanted_of(image) if wanted is None else wanted
    result: dict[Digest, bytes] = {}
    for content in source.contents(image, wanted, task or CountingTask()):
        assert content.digest in wanted
        assert content.digest not in result
        stream = VerifiedStream(content.stream, content.size, content.digest)
        result[content.digest] = read_all(stream, content.size)
    return result
