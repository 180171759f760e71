"""Reads what a source yields as its consumer does: everything is proven by its digest."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from bundler.content.images import FoundImage, ImageSource
from bundler.content.streams import VerifiedStream, read_all
from bundler.model.digest import Digest
from tests.fakes.memory import CountingTask


def wanted_of(image: FoundImage) -> set[Digest]:
    """Return all that an image consists of."""
    return set(image.digests)


def read(
    source: ImageSource,
    image: FoundImage,
    wanted: Collection[Digest] | None = None,
    task: CountingTask | None = None,
) -> dict[Digest, bytes]:
    """Return contents by digest, in the order in which the source yields them."""
    return read_all_of(source, [image], wanted, task)


def read_all_of(
    source: ImageSource,
    images: Sequence[FoundImage],
    wanted: Collection[Digest] | None = None,
    task: CountingTask | None = None,
) -> dict[Digest, bytes]:
    """Return the contents of several images likewise."""
    wanted = set().union(*map(wanted_of, images)) if wanted is None else wanted
    result: dict[Digest, bytes] = {}
    for content in source.contents(images, wanted, task or CountingTask()):
        assert content.digest in wanted
        assert content.digest not in result
        stream = VerifiedStream(content.stream, content.size, content.digest)
        result[content.digest] = read_all(stream, content.size)
    return result
